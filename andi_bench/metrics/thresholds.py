"""Thresholds: where a method's maps become detections.

A voxel is detected when score > threshold, everywhere in this project.

- the highest mean per-subject Dice over the subjects with a lesion (:func:`best_dice`);
- the lowest threshold that at most a share of the lesion-free voxels exceeds (:func:`false_positive_thresholds`);
- Yen's threshold of each volume, then one dilation (:func:`yen_detection`).

Which of them make an operating point, and under what name: :mod:`andi_bench.metrics.points`. The first two are found
from score histograms, over all scores rather than in a window: at every edge between
their bins the counts, and so the Dice, are exact, and what lies inside bins is bounded (``slack``). Where that bound
exceeds :data:`TOLERANCE`, as it may where one subject's scores all lie within a bin of another's, the scores inside
the bins concerned are read and searched one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import (
    Region,
    as_scores,
    key_scores,
    same_shape,
    score_keys,
)

Read = Callable[[], Iterable[tuple[NDArray[Any], NDArray[np.bool_]]]]
"""Reads the subjects of some histograms again, in their order: scores of the region's voxels, and which are lesion."""

TOLERANCE = 5e-4
"""A bin that may hide a mean Dice higher by more is searched score by score. Bins alone, without subjects of very
different scales, stay below it."""

_SHARE = 0.01
"""The same for a false-positive rate: the largest part of the rate that the bin below the threshold may hold."""

_TIE = 1e-12
_LOWEST_KEY = score_keys(np.array([np.finfo(np.float32).min]))[0]


@dataclass(frozen=True)
class FoundThreshold:
    """A threshold and how it was found.

    Parameters
    ----------
    threshold : float
        A float32 value; detected is score > threshold.
    value : float
        What it reaches on the subjects it was found on: mean Dice, or false-positive rate, in [0, 1].
    slack : float
        How much better any other threshold could be there: the mean Dice of none exceeds ``value + slack``; for a
        rate, the share that lies in the bin below the threshold, which was not split.
    at_edge : bool
        Whether it lies at an end of the search: it detects nothing at all, or everything.
    subjects : int
        Number of subjects it was found on; of Dice those with a lesion.
    """

    threshold: float
    value: float
    slack: float
    at_edge: bool
    subjects: int


@dataclass(frozen=True)
class DiceCurve:
    """Mean per-subject Dice against the threshold, over subjects with a lesion.

    Parameters
    ----------
    threshold : float32 (E,)
        Ascending; from one that detects everything to one that detects nothing.
    dice : float64 (E,)
        Exact mean over subjects at each threshold, in [0, 1].
    most : float64 (E,)
        No threshold from ``threshold[i]`` up to ``threshold[i + 1]`` has a higher mean Dice than ``most[i]``; equal
        to ``dice[i]`` where one score alone lies between them.
    first : uint32 (E,)
        Key of the lowest score above each threshold.
    counted : tuple of bool
        Which of the subjects have a lesion.
    """

    threshold: NDArray[np.float32]
    dice: NDArray[np.float64]
    most: NDArray[np.float64]
    first: NDArray[np.uint32]
    counted: tuple[bool, ...]


def dice_curve(histograms: Sequence[ScoreHistogram], region: Region = "brain") -> DiceCurve:
    """Sweep a threshold over all scores of a set of subjects.

    Dice of a subject is 2 |P and T| / (|P| + |T|), 0 where nothing is detected. Subjects without a lesion are left out: a
    mean over them too would reward silence. Where nobody has one there is no Dice, and the curve is 1 where nothing is
    detected in a subject, else 0: its best threshold lies above all scores.

    Parameters
    ----------
    histograms : sequence of ScoreHistogram
        One a subject.
    region : {"brain", "all"}
        Where voxels count.

    Raises
    ------
    ValueError
        For no subject, or subjects without a voxel in the region.
    """
    counted: list[bool] = []

    def with_lesion() -> Iterator[ScoreHistogram]:
        for histogram in histograms:
            counted.append(histogram.totals(region)[0] > 0)
            if counted[-1]:
                yield histogram.in_region(region)

    merged = ScoreHistogram.merge(with_lesion())
    nobody = not any(counted)
    if nobody:
        merged = ScoreHistogram.merge(histogram.in_region(region) for histogram in histograms)
    keys = edge_keys(merged)
    dice, most = np.zeros(len(keys)), np.zeros(len(keys))
    for histogram, one in zip(histograms, counted, strict=True):
        if not (one or nobody):
            continue
        hits, misses = histogram.counts_from(keys, region)
        lesion = histogram.totals(region)[0]
        detected = hits + misses
        dice += dice_of(hits, detected, lesion)
        # Within a bin, at best the lesion voxels of its lower edge with the detection of its upper one.
        after = np.append(detected[1:], detected[-1])
        most += dice_of(hits, np.maximum(after, hits) if lesion else after, lesion)
    threshold = merged.thresholds(keys)
    one_score = np.append(score_keys(threshold[1:]) == keys[:-1], True)
    most = np.where(one_score, dice, np.maximum(most, dice))
    total = sum(counted) or len(counted)
    return DiceCurve(threshold, dice / total, most / total, keys, tuple(counted))


def best_dice(
    histograms: Sequence[ScoreHistogram],
    region: Region = "brain",
    read: Read | None = None,
) -> FoundThreshold:
    """Return the threshold of the highest mean per-subject Dice; of several, the highest one.

    Parameters and errors as for :func:`dice_curve`. With ``read``, bins that may hide
    a Dice higher by more than :data:`TOLERANCE` are searched score by score.
    """
    curve = dice_curve(histograms, region)
    best = float(curve.dice.max())
    index = int(np.flatnonzero(curve.dice >= best - _TIE)[-1])
    threshold, value, at_edge = curve.threshold[index], float(curve.dice[index]), False
    hidden = curve.most > value + TOLERANCE
    if read is not None and hidden.any():
        inner, dice = _dice_inside(curve, np.flatnonzero(hidden), histograms, region, read)
        highest = float(dice.max())
        at = int(np.flatnonzero(dice >= highest - _TIE)[-1])
        if highest > value + _TIE or (highest >= value - _TIE and inner[at] > threshold):
            threshold, value = inner[at], float(dice[at])
        left = float(curve.most[~hidden].max(initial=0.0))
    else:
        left = float(curve.most.max())
    at_edge = bool(threshold in (curve.threshold[0], curve.threshold[-1]))
    subjects = sum(curve.counted)
    return FoundThreshold(float(threshold), value, max(0.0, left - value), at_edge, subjects)


def _dice_inside(
    curve: DiceCurve,
    bins: NDArray[np.intp],
    histograms: Sequence[ScoreHistogram],
    region: Region,
    read: Read,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the exact mean Dice at every score inside some bins of a curve: thresholds ascending, Dice."""
    first, last = curve.first[bins], score_keys(curve.threshold[bins + 1])
    counted = curve.counted if any(curve.counted) else (True,) * len(curve.counted)
    inside = [
        _keys_inside(scores, lesion, first, last)
        for (scores, lesion), one in zip(read(), counted, strict=True)
        if one
    ]
    keys = np.unique(np.concatenate([both for both, _ in inside]))
    end = last[np.searchsorted(first, keys, side="right") - 1]
    dice = np.zeros(len(keys))
    kept = (histogram for histogram, one in zip(histograms, counted, strict=True) if one)
    for histogram, (both, marked) in zip(kept, inside, strict=True):
        hits, misses = histogram.counts_from(end + np.uint32(1), region)
        detected = hits + misses + _between(both, keys, end)
        dice += dice_of(hits + _between(marked, keys, end), detected, histogram.totals(region)[0])
    return key_scores(keys), dice / len(inside)


def _keys_inside(
    scores: NDArray[Any],
    lesion: NDArray[np.bool_],
    first: NDArray[np.uint32],
    last: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the sorted keys of the voxels whose scores lie in some bins, and of the lesion voxels among them."""
    keys = score_keys(as_scores(scores))
    place = np.searchsorted(first, keys, side="right")
    within = (place > 0) & (keys <= last[np.maximum(place, 1) - 1])
    return np.sort(keys[within]), np.sort(keys[within & np.asarray(lesion, dtype=bool)])


def _between(
    found: NDArray[np.uint32], low: NDArray[np.uint32], high: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Count the sorted keys above each ``low`` that do not exceed its ``high``."""
    return np.searchsorted(found, high, side="right") - np.searchsorted(found, low, side="right")


def false_positive_thresholds(
    histograms: Sequence[ScoreHistogram],
    rates: Mapping[str, float],
    region: Region = "brain",
    read: Read | None = None,
) -> dict[str, FoundThreshold]:
    """Return, for each named rate, the lowest threshold that at most that share of all lesion-free voxels exceeds.

    The voxels of all subjects are pooled. Where scores repeat, the share reached may be well below the rate. With
    ``read``, the bin below a threshold is searched score by score where it holds more than a hundredth of the rate.

    Raises
    ------
    ValueError
        For no subject, no lesion-free voxel, or a rate outside [0, 1].
    """
    for rate in rates.values():
        if not 0 <= rate <= 1:
            raise ValueError(f"false-positive rate {rate}: a share in [0, 1] wanted")
    merged = ScoreHistogram.merge(_without_lesion(histogram, region) for histogram in histograms)
    keys = edge_keys(merged)
    total = merged.totals(region)[1]
    count = merged.counts_from(keys, region)[1]
    above = count / total
    limits = merged.thresholds(keys)
    points = {}
    for name, rate in rates.items():
        index = int(np.argmax(above <= rate))
        threshold, share = limits[index], float(above[index])
        below = float(above[index - 1]) - share if index else 0.0
        last = score_keys(limits[index : index + 1])
        if index and last[0] == keys[index - 1]:
            below = 0.0  # one repeated score: no threshold lies inside
        elif read is not None and below > _SHARE * rate:
            inside = np.sort(
                np.concatenate(
                    [
                        _keys_inside(scores, ~np.asarray(lesion), keys[index - 1 : index], last)[1]
                        for scores, lesion in read()
                    ]
                )
            )
            found = count[index] + len(inside) - np.searchsorted(inside, inside, side="right")
            at = int(np.argmax(found / total <= rate))
            threshold, share, below = key_scores(inside[at : at + 1])[0], found[at] / total, 0.0
        points[name] = FoundThreshold(
            float(threshold),
            float(share),
            below,
            index in (0, len(keys) - 1),
            len(histograms),
        )
    return points


def detect(
    scores: NDArray[Any], threshold: float, region: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return what is above a threshold, bool (X, Y, Z); inside ``region`` where one is given."""
    above = np.asarray(scores, dtype=np.float32) > np.float32(threshold)
    return above if region is None else above & np.asarray(region, dtype=bool)


def dilate_faces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the face neighbours of a mask's voxels, as ``scipy.ndimage.binary_dilation`` does, ten times faster."""
    grown = mask.copy()
    for axis in range(mask.ndim):
        source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return grown


def yen_threshold(scores: NDArray[Any]) -> float | None:
    """Return Yen's threshold of some scores, by scikit-image with 256 bins; None where they are all equal.

    Yen, Chang and Chang (1995), "A new criterion for automatic multilevel thresholding".

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    """
    from skimage.filters import threshold_yen

    scores = as_scores(scores)
    if not scores.size or scores.min() == scores.max():
        return None
    with np.errstate(all="ignore"):
        try:
            threshold = float(threshold_yen(scores))
        except (
            ValueError
        ):  # a range of few floats, or too wide for them, cannot be cut into 256 bins
            threshold = np.nan
        if np.isfinite(threshold):
            return threshold
        low, high = float(scores.min()), float(scores.max())
        unit = threshold_yen((scores.astype(np.float64) - low) / (high - low))
    return float(np.float32(low + float(unit) * (high - low)))


def yen_detection(
    scores: NDArray[Any], brain: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], float | None]:
    """Detect by Yen's threshold of the volume itself, then one binary dilation by the six face neighbours.

    Parameters
    ----------
    scores : array (X, Y, Z)
        Anomaly map.
    brain : bool (X, Y, Z), optional
        Voxels whose scores make the histogram, and to which the detection is kept. None: the whole grid, as in the
        paper's own protocol.

    Returns
    -------
    detection : bool (X, Y, Z)
        Empty where all scores are equal.
    threshold : float or None
        As :func:`yen_threshold`.

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For arrays of different shapes.
    """
    scores = as_scores(scores)
    if brain is not None:
        brain = np.asarray(brain, dtype=bool)
        same_shape(scores=scores, brain=brain)
    threshold = yen_threshold(scores if brain is None else scores[brain])
    if threshold is None:
        return np.zeros(scores.shape, dtype=bool), None
    dilated = dilate_faces(detect(scores, threshold, brain))
    return (dilated if brain is None else dilated & brain), threshold


def edge_keys(merged: ScoreHistogram) -> NDArray[np.uint32]:
    """Return the keys above which every subject's counts are exact, ascending, the last above all scores."""
    if not len(merged.start):
        raise ValueError("no voxels to find a threshold on")
    top = merged.last.max() + np.uint32(1)
    edges = merged.edges()
    # No finite threshold lies below the lowest float: what has this score cannot be detected.
    return np.append(edges[edges > _LOWEST_KEY], top)


def _without_lesion(histogram: ScoreHistogram, region: Region) -> ScoreHistogram:
    negatives = histogram.labels(region)[1]
    counts = np.zeros_like(histogram.counts)
    counts[:, 1] = negatives
    kept = negatives > 0
    return ScoreHistogram(histogram.start[kept], histogram.shift[kept], counts[kept])


def dice_of(
    hits: NDArray[np.int64], detected: NDArray[np.int64], lesion: int
) -> NDArray[np.float64]:
    """Return 2 ``hits`` / (``detected`` + ``lesion``), 1 where there is neither lesion nor detection."""
    both = detected + lesion
    return np.where(both > 0, 2 * hits / np.maximum(both, 1), 1.0)
