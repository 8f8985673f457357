"""Average precision and AUROC pooled over subjects, from merged score histograms, each with a proven error bound.

What a histogram leaves open is the order of scores that lie in one bin, or in bins nested in each other. Over every
order that is possible, the metric lies in an interval that is computed here; the value reported is the middle of
this interval and the error is half its length. Bins of one float value (width one) are exact, ties included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import Region


@dataclass(frozen=True)
class Bounded:
    """A metric and how far it can be from exact.

    Parameters
    ----------
    value : float
        In [0, 1].
    error : float
        The exact value lies within ``value - error`` and ``value + error``; 0 up to rounding where every bin holds
        one distinct score.
    """

    value: float
    error: float


class _Sums:
    """Numbers of voxels that certainly, or possibly, score at least as high as a key."""

    def __init__(self, histogram: ScoreHistogram, voxels: NDArray[np.int64]) -> None:
        self._start = histogram.start
        self._by_start = np.concatenate([[0], np.cumsum(voxels)])
        last = histogram.last
        order = np.argsort(last, kind="stable")
        self._last = last[order]
        self._by_last = np.concatenate([[0], np.cumsum(voxels[order])])

    def certain(self, keys: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Voxels of the bins that begin at or above each key."""
        return self._by_start[-1] - self._by_start[np.searchsorted(self._start, keys, side="left")]

    def possible(self, keys: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Voxels of the bins that end at or above each key."""
        return self._by_last[-1] - self._by_last[np.searchsorted(self._last, keys, side="left")]


def pooled_average_precision(histogram: ScoreHistogram, region: Region = "brain") -> Bounded | None:
    """Average precision over all voxels of a region, step-wise: AP = sum over thresholds of (R_n - R_(n-1)) P_n.

    The definition is that of ``sklearn.metrics.average_precision_score``: equal scores enter together. It is the mean,
    over lesion voxels, of the precision at the voxel's own score, and that precision lies between two bounds. With
    TP and FP the voxels above: at best all lesion voxels that may score as high do and enter as one tie, and only the
    lesion-free voxels that must; at worst the i-th lesion voxel of a bin comes after every lesion-free voxel that may
    come before it, sum_i (TP + i) / (TP + i + FP), for which a lower bound in closed form is taken.

    Returns
    -------
    Bounded or None
        None where there is no lesion voxel.
    """
    positives, negatives = histogram.labels(region)
    total = int(positives.sum())
    if not total:
        return None
    lesion, healthy = _Sums(histogram, positives), _Sums(histogram, negatives)
    kept = positives > 0
    count = positives[kept].astype(np.float64)
    first, last = histogram.start[kept], histogram.last[kept]
    alone = first == last
    # Possible lesion voxels include the bin's own; certain lesion-free ones include its own only if width is one.
    hits = lesion.possible(first).astype(np.float64)
    upper = count * hits / (hits + healthy.certain(last))
    hits = lesion.certain(last).astype(np.float64)
    misses = healthy.possible(first).astype(np.float64)
    lower = ranked_precision(count, np.where(alone, 0.0, hits), misses)
    lower = np.where(alone, count * hits / np.maximum(hits + misses, 1.0), lower)
    return _middle(float(lower.sum()) / total, float(upper.sum()) / total)


def ranked_precision(
    count: NDArray[np.float64], hits: NDArray[np.float64], misses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bound from below sum_{i=1..count} (hits + i) / (hits + i + misses); equal to it where count is 1.

    The sum is count - misses * sum 1 / (a + i), a = hits + misses; as 1/x is convex, each term is at most its
    mean over [i - 1/2, i + 1/2], which integrates to a logarithm.
    """
    a = hits + misses
    with np.errstate(divide="ignore"):
        many = count - misses * np.log1p(count / (a + 0.5))
    return np.where(count == 1, (hits + 1) / (a + 1), many)


def pooled_auroc(histogram: ScoreHistogram, region: Region = "brain") -> Bounded | None:
    """Area under the ROC curve: the share of (lesion, lesion-free) pairs in the right order, ties counting half.

    Pairs whose bins overlap are all in order at best, and none of them is at worst.

    Returns
    -------
    Bounded or None
        None where there is no lesion voxel or no lesion-free voxel.
    """
    positives, negatives = histogram.labels(region)
    total_positives, total_negatives = int(positives.sum()), int(negatives.sum())
    if not total_positives or not total_negatives:
        return None
    healthy = _Sums(histogram, negatives)
    kept = positives > 0
    count = positives[kept].astype(np.float64) / total_positives
    first, last = histogram.start[kept], histogram.last[kept]
    ties = np.where(first == last, negatives[kept], 0)
    # Below at worst: the bins that end below. At best: those that do not begin above, less half of what is surely tied.
    worst = total_negatives - healthy.possible(first) + 0.5 * ties
    best = total_negatives - healthy.certain(last + np.uint32(1)) - 0.5 * ties
    return _middle(
        float((count * worst).sum()) / total_negatives,
        float((count * best).sum()) / total_negatives,
    )


def _middle(lower: float, upper: float) -> Bounded:
    lower, upper = max(lower, 0.0), min(max(upper, lower), 1.0)
    return Bounded((lower + upper) / 2, (upper - lower) / 2)


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Points of a precision-recall curve, from the highest threshold down.

    Parameters
    ----------
    threshold : float32 (E,)
        Positive is score > threshold.
    precision, recall : float64 (E,)
        In [0, 1]; exact at their thresholds.
    """

    threshold: NDArray[np.float32]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def precision_recall_curve(
    histogram: ScoreHistogram, region: Region = "brain", points: int = 1000
) -> PrecisionRecallCurve | None:
    """Precision and recall pooled over all voxels of a region, at about ``points`` thresholds.

    The thresholds are edges of the histogram, chosen at equal steps of recall and of log rank together, so that both
    ends of the curve are drawn.

    Returns
    -------
    PrecisionRecallCurve or None
        None where there is no lesion voxel.
    """
    histogram = histogram.in_region(region)
    edges = histogram.edges()[::-1]
    positives, negatives = histogram.counts_from(edges, region)
    total = int(histogram.labels(region)[0].sum())
    if not total:
        return None
    marked = positives + negatives
    travelled = positives / total + np.log(marked) / max(np.log(marked[-1]), 1.0)
    picked = np.unique(np.searchsorted(travelled, np.linspace(travelled[0], travelled[-1], points)))
    picked = picked[picked < len(edges)]
    return PrecisionRecallCurve(
        histogram.thresholds(edges[picked]),
        positives[picked] / marked[picked],
        positives[picked] / total,
    )


def along_ranking(hits: NDArray[np.int64], detected: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far down a pooled ranking thresholds lie, 0 to 2: recall, and the logarithm of the rank, each from 0 to 1.

    Equal steps of it are as fine where few voxels are detected as where the last lesion voxels are found.

    Parameters
    ----------
    hits, detected : int64 (E,)
        Lesion voxels and all voxels above each threshold, those of the lowest one among them.
    """
    return hits / max(int(hits.max()), 1) + np.log1p(detected) / np.log1p(detected.max())
