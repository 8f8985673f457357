"""The evaluation protocol of the ANDi publication's code, for comparison with it (``--protocol paper``).

Every voxel of the grid counts. All maps of the test set are scaled together by one minimum and one maximum. A Dice per
volume, 2 |P and T| / (|P| + |T|), is averaged over the volumes at every threshold of a fixed window, P being the voxels
strictly above it; then at Yen's threshold of each volume, followed by one dilation; then average precision is pooled over
all voxels. One departure: where P and T are both empty, Dice is 1, where the published code gives NaN.

The median-filtered row takes maps filtered by :func:`andi_bench.metrics.median.median_filter` over the whole grid,
and is scaled on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.exact import PooledPasses
from andi_bench.metrics.histograms.scores import as_scores, same_shape
from andi_bench.metrics.overlap import overlap
from andi_bench.metrics.thresholds import yen_detection

WINDOW = (0.01, 0.3)
"""The window of most published configurations; the upper end is left out."""

MEDIAN = 5
"""Edge of the published median filter, voxels, whatever the grid."""

_STEP = 0.001


@dataclass(frozen=True)
class PaperResult:
    """What the paper's protocol gives for one set of maps.

    Parameters
    ----------
    thresholds : tuple of float
        Ascending, on the scaled maps.
    dice : tuple of float
        Mean Dice over volumes at each threshold, in [0, 1].
    yen_thresholds : tuple of float or None
        Of each volume; None for a constant map.
    yen_dice : float
        Mean Dice over volumes at Yen's thresholds after one dilation.
    auprc : float or None
        Average precision pooled over all voxels; None without lesion voxels.
    """

    thresholds: tuple[float, ...]
    dice: tuple[float, ...]
    yen_thresholds: tuple[float | None, ...]
    yen_dice: float
    auprc: float | None

    @property
    def best(self) -> tuple[float, float]:
        """The threshold of the highest Dice in the window, the lowest of several, and that Dice."""
        index = int(np.argmax(self.dice))
        return self.thresholds[index], self.dice[index]

    @property
    def at_edge(self) -> bool:
        """Whether that threshold is an end of the window, so that a better one may lie outside."""
        return self.best[0] in (self.thresholds[0], self.thresholds[-1])

    def rows(self) -> list[tuple[float | str, float | None]]:
        """Return the rows ``thr, value`` of the published table: the thresholds, ``yen``, ``AUPRC``."""
        rows: list[tuple[float | str, float | None]] = list(
            zip(self.thresholds, self.dice, strict=True)
        )
        return [*rows, ("yen", self.yen_dice), ("AUPRC", self.auprc)]

    def csv(self) -> str:
        """Return the published CSV file: header ``thr,value``, one line a row; an undefined value is left empty."""
        lines = [f"{thr},{'' if value is None else value}" for thr, value in self.rows()]
        return "\n".join(["thr,value", *lines]) + "\n"


def sweep_thresholds(window: tuple[float, float] = WINDOW) -> NDArray[np.float64]:
    """Return the thresholds of a window at steps of 0.001, the upper end left out.

    Raises
    ------
    ValueError
        For a window that holds no threshold.
    """
    low, high = window
    count = round((high - low) / _STEP)
    if count < 1:
        raise ValueError(f"window {window}: (low, high) with high at least low + {_STEP} wanted")
    return np.round(low + _STEP * np.arange(count), 9)


def paper_protocol(
    subjects: Iterable[tuple[NDArray[Any], NDArray[np.bool_]]],
    window: tuple[float, float] = WINDOW,
    min_max: bool = True,
) -> PaperResult:
    """Evaluate the maps of a test set as the publication's code does, one volume in memory at a time.

    Parameters
    ----------
    subjects : iterable of (map, lesion)
        Anomaly maps (X, Y, Z) and lesion masks of the same shapes. Read twice: a list, or an object whose
        ``__iter__`` reads from disk, not a generator.
    window : (float, float)
        Sweep of the published configuration: (0.01, 0.3); for DAE (0.01, 0.4), for thresholding (0.8, 1.0).
    min_max : bool
        Scale all maps together to [0, 1]; False for thresholding.

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For no subjects, arrays of different shapes, or an iterable that can be read only once.
    """
    if iter(subjects) is subjects:
        raise ValueError("an iterable that can be read twice wanted, an iterator found")
    thresholds = sweep_thresholds(window)
    passes = PooledPasses()
    low, high, volumes = np.inf, -np.inf, 0
    for given, lesion in subjects:
        scores = as_scores(given)
        same_shape(scores=scores, lesion=np.asarray(lesion))
        passes.first(scores, lesion)
        low, high = min(low, float(scores.min())), max(high, float(scores.max()))
        volumes += 1
    if not volumes:
        raise ValueError("no subjects")
    dice = np.zeros(len(thresholds))
    yen: list[tuple[float | None, float]] = []
    for given, mask in subjects:
        scores, lesion = as_scores(given), np.asarray(mask, dtype=bool)
        passes.second(scores, lesion)  # scaling keeps the order
        if min_max:
            scores = _scaled(scores, low, high)
        dice += _sweep(scores, lesion, thresholds)
        detection, threshold = yen_detection(scores)
        yen.append((threshold, overlap(detection, lesion).dice))
    return PaperResult(
        tuple(thresholds.tolist()),
        tuple((dice / volumes).tolist()),
        tuple(threshold for threshold, _ in yen),
        float(np.mean([value for _, value in yen])),
        passes.ranking().average_precision,
    )


def _scaled(scores: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Bring scores from [low, high] to [0, 1]; where all are equal, to 0."""
    span = high - low
    if span == 0:
        return np.zeros_like(scores)
    if span > np.finfo(np.float32).max or span < np.finfo(np.float32).tiny:
        return ((scores.astype(np.float64) - low) / span).astype(np.float32)
    # In float32, as published: the last bits decide on which side of a threshold a score falls.
    return (scores - np.float32(low)) / np.float32(span)


def _sweep(
    scores: NDArray[np.float32], lesion: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return one volume's Dice at every threshold, by one sort instead of one comparison a threshold."""
    # float32 against float32, as the published comparison: a score equal to a rounded threshold is not above it.
    limits = thresholds.astype(np.float32)
    everywhere = np.sort(scores[scores > limits[0]])
    within = np.sort(scores[lesion])
    detected = len(everywhere) - np.searchsorted(everywhere, limits, side="right")
    hits = len(within) - np.searchsorted(within, limits, side="right")
    both = detected + len(within)
    return np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0)
