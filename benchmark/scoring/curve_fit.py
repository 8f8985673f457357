"""Fits the curves that bring modalities into line: on validation subjects alone, once, kept beside the maps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.metrics.histograms.scores import NonFiniteScores, as_scores
from andi_bench.names import counted
from andi_bench.randomness import SliceGenerator
from benchmark.scoring.engine import ScoreEngine, does_not_reduce
from benchmark.scoring.modality_curves import Curve, ScoreCounts
from benchmark.scoring.subjects import read_ahead
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.scans.crop import cropped
from datasets.volume import Volume
from methods.base import AnomalyDetector

NAME = "modality_curves.json"
ONE_SCORE = "one score for all modalities: scoring.calibration has nothing to bring into line"
"""What is said of a method whose scores have one channel."""


def _alone(counts: torch.Tensor) -> torch.Tensor:
    """Return the sum over one process."""
    return counts


@dataclass(frozen=True)
class _Listener(ScoreEngine):
    """A scoring engine that counts what a detector hands to ``reduce``, in the healthy voxels of one volume."""

    volume: Volume | None = None
    where: str = ""
    counts: list[ScoreCounts] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    def batches(
        self, volume: Volume, slices: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, SliceGenerator]]:
        for z, images, generator in super().batches(volume, slices):
            self.waiting.extend(z.tolist())
            yield z, images, generator

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        self.seen.append(scores.shape[1])
        if scores.shape[1] > 1:
            self._count(scores)
        return super().reduce(scores)

    def _count(self, scores: torch.Tensor) -> None:
        """Count scores (N, C, H, W): of the slices that were asked for and not yet reduced, or of all of the volume."""
        assert self.volume is not None
        width, height, depth = self.volume.shape
        rows = len(scores)
        if rows <= len(self.waiting):
            z = np.array(self.waiting[:rows])
            del self.waiting[:rows]
        elif rows == depth and not self.waiting:
            z = np.arange(depth)
        else:
            raise UserError(
                f"{self.where}: reduce() is given {counted(rows, 'slice')}, {len(self.waiting)} asked for"
            )
        channels = len(self.modalities)
        if tuple(scores.shape[1:]) != (channels, width, height):
            raise UserError(
                f"{self.where}: reduce() is given scores of shape {tuple(scores.shape[1:])}, "
                f"{(channels, width, height)} wanted"
            )
        inside = self.volume.healthy[:, :, z].transpose(2, 0, 1)
        by_modality = scores.float().cpu().numpy().swapaxes(0, 1)
        try:
            for counts, channel in zip(self.counts, by_modality, strict=True):
                counts.add(as_scores(channel[inside]))
        except NonFiniteScores as error:
            raise UserError(f"{self.where}: {error}") from error


@dataclass(frozen=True)
class CurveFitter:
    """Fits one curve a modality on validation subjects, which are scored as they are afterwards, once more.

    Memory is that of a subject, whatever their number. Processes share the subjects; what they count is added up, so that the
    curves do not depend on how many there are.

    Parameters
    ----------
    detector : AnomalyDetector
        Has learnt, and is calibrated where it needs to be.
    adapter : DatasetAdapter
        Reads the scans.
    preprocessing : PreprocessingConfig
        Working grid, modalities, normalisation.
    engine : ScoreEngine
        With modalities, without curves.
    folder : Path
        Of the maps; the curves are kept there.
    console : Console
        Where to show progress.
    process : (int, int)
        This process and how many there are.
    add_up : callable
        Returns the sum over the processes of an int64 tensor.
    """

    detector: AnomalyDetector
    adapter: DatasetAdapter
    preprocessing: PreprocessingConfig
    engine: ScoreEngine
    folder: Path
    console: Console
    process: tuple[int, int] = (0, 1)
    add_up: Callable[[torch.Tensor], torch.Tensor] = _alone

    def fit(self, subjects: Sequence[Subject]) -> None:
        """Fit the curves, unless the folder has them already.

        Raises
        ------
        UserError
            When the detector does not reduce over modalities, its scores are not finite, or no voxel is healthy.
        """
        path = self.folder / NAME
        if path.is_file():
            return
        rank, world = self.process
        counts = [ScoreCounts() for _ in self.engine.modalities]
        several = self._counted(subjects[rank::world], len(subjects), counts)
        several = bool(self.add_up(torch.tensor([int(several)])).item())
        for found in counts:
            found.values = self.add_up(torch.from_numpy(found.values)).cpu().numpy()
        voxels = counts[0].total
        if several and not voxels:
            raise UserError(
                f"method '{self.detector.name}': 0 healthy voxels in {counted(len(subjects), 'validation subject')}, "
                "1 or more wanted for scoring.calibration"
            )
        curves = [vars(found.curve()) for found in counts] if several else []
        content = {"modalities": self.engine.modalities, "voxels": voxels, "curves": curves}
        if rank == 0:
            write_atomically(path, (json.dumps(content) + "\n").encode())

    def _counted(self, subjects: Sequence[Subject], total: int, counts: list[ScoreCounts]) -> bool:
        """Count the scores of some subjects; return whether the detector scores modalities apart."""
        name, channels = self.detector.name, 0
        self.console.note(
            f"bringing the modalities of {name} into line on {counted(total, 'subject')}"
        )
        with self.console.progress(f"modality curves ({name})", len(subjects)) as advance:
            for whole in read_ahead(self.adapter, subjects, self.preprocessing):
                volume = cropped(whole, self.preprocessing.crop_box)
                where = f"method '{name}', subject {volume.subject}"
                attempt = partial(self._listened, volume, where)
                listener = self.engine.fitted(self.detector, where, attempt)
                if not listener.seen:
                    raise does_not_reduce(name, "scoring.calibration = quantile")
                for kept, found in zip(counts, listener.counts, strict=True):
                    kept.values += found.values
                channels = max(channels, *listener.seen)
                advance(1, volume.subject)
        return channels > 1

    def _listened(self, volume: Volume, where: str) -> _Listener:
        """Score a volume and count what is handed to ``reduce``."""
        counts = [ScoreCounts() for _ in self.engine.modalities]
        listener = _Listener(**vars(self.engine), volume=volume, where=where, counts=counts)
        self.detector.score(volume, listener)
        return listener


def load_curves(folder: Path, modalities: Sequence[str]) -> tuple[Curve, ...]:
    """Return the curves that :class:`CurveFitter` kept; () where the method gives one score for all modalities.

    Raises
    ------
    UserError
        When the file is missing or damaged.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        curves = tuple(
            Curve(tuple(map(float, c["scores"])), tuple(map(float, c["rarity"])), float(c["slope"]))
            for c in found["curves"]
        )
        if list(found["modalities"]) != list(modalities) or len(curves) not in (0, len(modalities)):
            raise ValueError("of other modalities")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: damaged; delete it to fit the curves again") from error
    return curves


def described(modalities: Sequence[str], curves: Sequence[Curve]) -> dict[str, float]:
    """Return what a record says of curves: the score that one healthy voxel in a hundred reaches, by modality."""
    return {
        f"{name} score of 1 in 100": curve.at(2.0)
        for name, curve in zip(modalities, curves, strict=False)
    }
