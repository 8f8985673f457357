"""Scoring: from a detector and a volume to an anomaly map that the evaluation can trust."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator, derive_seed
from benchmark.scoring.costs import CallCounter
from datasets.volume import Volume
from methods.base import AnomalyDetector

VERSION = 1
"""Raised when the same scores of slices would give another map: what was scored before is then not found again."""


@dataclass(frozen=True)
class ScoreEngine:
    """Implements :class:`methods.base.ScoreContext`.

    Parameters
    ----------
    seed : int
        The run's seed; with the subject and the slice number it seeds each slice's random stream.
    device : torch.device
        Where slices are scored.
    config : ScoringConfig
        Batch size and reduction over modalities.
    """

    seed: int
    device: torch.device
    config: ScoringConfig

    @property
    def batch_size(self) -> int:
        """Slices scored at once."""
        return self.config.batch_size

    def batches(
        self, volume: Volume
    ) -> Iterator[tuple[NDArray[np.int64], torch.Tensor, SliceGenerator]]:
        """Cut a volume into batches of the slices that hold brain, lowest first."""
        filled = np.flatnonzero(volume.brain.any(axis=(0, 1)))
        for start in range(0, len(filled), self.batch_size):
            z = filled[start : start + self.batch_size]
            images = np.ascontiguousarray(volume.image[..., z].transpose(3, 0, 1, 2))
            seeds = [derive_seed(self.seed, volume.subject, int(k), "score") for k in z]
            yield (
                z,
                torch.from_numpy(images).to(self.device),
                SliceGenerator(seeds, self.device),
            )

    def reduce(self, scores: torch.Tensor) -> torch.Tensor:
        """Reduce scores over the modalities, (N, C, H, W) -> (N, H, W)."""
        return scores.amax(dim=1) if self.config.reduction == "max" else scores.mean(dim=1)


@dataclass(frozen=True)
class ScoredVolume:
    """An anomaly map and what it cost.

    Parameters
    ----------
    map : float32 (X, Y, Z)
        Higher = more anomalous, 0 outside the brain, finite.
    seconds : float
        Wall-clock time of the scoring.
    network_calls : int
        Slices given to the network, each pass counted.
    slices : int
        Non-empty slices of the volume.
    """

    map: NDArray[np.float32]
    seconds: float
    network_calls: int
    slices: int


def score_volume(detector: AnomalyDetector, volume: Volume, engine: ScoreEngine) -> ScoredVolume:
    """Score one volume and check what the detector returns.

    Raises
    ------
    UserError
        When the map has another shape than the volume, or non-finite values in the brain; names the method, the
        subject and the count.
    """
    counter = CallCounter()
    started = time.perf_counter()
    with counter.counting(getattr(detector, "net", None)):
        scores = np.asarray(detector.score(volume, engine))
    if engine.device.type == "cuda":
        torch.cuda.synchronize(engine.device)
    seconds = time.perf_counter() - started
    if scores.shape != volume.shape:
        raise UserError(
            f"method '{detector.name}', subject {volume.subject}: "
            f"map of shape {scores.shape}, {volume.shape} wanted"
        )
    out = np.where(volume.brain, scores, 0).astype(np.float32)
    bad = int(np.count_nonzero(~np.isfinite(out)))
    if bad:
        raise UserError(
            f"method '{detector.name}', subject {volume.subject}: "
            f"{bad} non-finite scores in the brain, finite ones wanted"
        )
    slices = int(np.count_nonzero(volume.brain.any(axis=(0, 1))))
    return ScoredVolume(out, seconds, counter.slices, slices)
