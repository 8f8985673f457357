"""Fits the curves that bring modalities into line: on validation subjects alone, once, kept beside the maps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.metrics.histograms.scores import NonFiniteScores, as_scores
from andi_bench.randomness import SliceGenerator
from benchmark.scoring.engine import ScoreEngine, does_not_reduce
from benchmark.scoring.modality_curves import Curve, ScoreCounts
from benchmark.scoring.subjects import read_ahead
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.volume import Volume
from methods.base import AnomalyDetector

NAME = "modality_curves.json"
ONE_SCORE = "one score for all modalities: scoring.calibration has nothing to bring into line"
"""What is said of a method whose scores have one channel."""


@dataclass(frozen=True)
class _Listener(ScoreEngine):
    """A scoring engine that counts what a detector hands to ``reduce``, in the healthy voxels of one volume."""

    volume: Volume | None = None
    where: str = ""
    counts: list[ScoreCounts] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)

    def batches(
        self, volume: Volume
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, SliceGenerator]]:
        for z, images, generator in super().batches(volume):
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
                f"{self.where}: reduce() is given {rows} slices, {len(self.waiting)} were asked for"
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


def fit_curves(
    detector: AnomalyDetector,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    preprocessing: PreprocessingConfig,
    engine: ScoreEngine,
    folder: Path,
    console: Console,
) -> None:
    """Fit one curve a modality on validation subjects, unless the folder of the maps has them already.

    The subjects are scored as they are afterwards, once more. Memory is that of a subject, whatever their number.

    Parameters
    ----------
    engine : ScoreEngine
        Without curves.

    Raises
    ------
    UserError
        When the detector does not reduce over modalities, its scores are not finite, or no voxel is healthy.
    """
    path = folder / NAME
    if path.is_file():
        return
    where = f"method '{detector.name}'"
    console.note(
        f"bringing the modalities of {detector.name} into line on {len(subjects)} subjects"
    )
    counts = [ScoreCounts() for _ in engine.modalities]
    channels = 0
    with console.progress(f"modality curves ({detector.name})", len(subjects)) as advance:
        for volume in read_ahead(adapter, subjects, preprocessing):
            listener = _Listener(
                **vars(engine),
                volume=volume,
                where=f"{where}, subject {volume.subject}",
                counts=counts,
            )
            detector.score(volume, listener)
            if not listener.seen:
                raise does_not_reduce(detector.name, "scoring.calibration = quantile")
            channels = max(channels, *listener.seen)
            advance(1, volume.subject)
    if channels > 1 and not counts[0].total:
        raise UserError(
            f"{where}: 0 healthy voxels in {len(subjects)} validation subjects, 1 or more wanted "
            "for scoring.calibration"
        )
    curves = [vars(found.curve()) for found in counts] if channels > 1 else []
    content = {"modalities": engine.modalities, "voxels": counts[0].total, "curves": curves}
    write_atomically(path, (json.dumps(content) + "\n").encode())


def load_curves(folder: Path, modalities: Sequence[str]) -> tuple[Curve, ...]:
    """Return the curves that :func:`fit_curves` kept; () where the method gives one score for all modalities.

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
