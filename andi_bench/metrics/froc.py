"""FROC: the share of all lesions that is found, against false-positive lesions per scan, over all thresholds.

Free-response receiver operating characteristic (Bunch et al. 1977; Chakraborty 1989): at each threshold the detections of
all subjects are matched with their lesions one to one (:mod:`andi_bench.metrics.lesionwise`). Sensitivity: lesions matched /
lesions, of all subjects together. False positives per scan: detections that match no lesion / subjects, those without a
lesion among them. What is reported at r false positives per scan is the highest sensitivity of any threshold that has no more.

A threshold more costs a labelling of every map, so :data:`THRESHOLDS` of them are tried, equal steps along the pooled
ranking of all subjects' brain voxels, half of them in recall, half in the logarithm of the rank. A threshold between two of
them may be better, so the figure is at most that of all thresholds; of maps drawn in tests it lacked one lesion of thirty at the most.
Cost on one core, raw map: 0.4 s at 64x64x155 voxels, 3.2 s at 240x240x155; filtered maps less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import along_ranking
from andi_bench.metrics.lesionwise import LesionLabels, components
from andi_bench.metrics.mean_intervals import FEWEST, logit_limits
from andi_bench.metrics.resampling import stratified_draws

RATES = (0.5, 1.0, 2.0, 4.0)
"""False-positive lesions per scan at which the sensitivity is reported."""

THRESHOLDS = 192

Clean = Callable[[NDArray[np.bool_]], NDArray[np.bool_]]


@dataclass(frozen=True)
class FrocPoint:
    """The sensitivity at one rate of false positives.

    Parameters
    ----------
    rate : float
        False-positive lesions per scan, at most.
    sensitivity : float
        Share of all lesions matched, in [0, 1].
    error : float
        Standard error over subjects, from a bootstrap of them with all their lesions, within those with a lesion and those
        without.
    low, high : float or None
        95 % interval: Student's t on the logit, with that error; None where nothing varies.
    """

    rate: float
    sensitivity: float
    error: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Froc:
    """The whole curve.

    Parameters
    ----------
    false_positives, sensitivity : float64 (E,)
        Its corners, both rising: so many false positives per scan buy so much.
    points : tuple of FrocPoint
        At :data:`RATES`.
    lesions, with_lesion, scans : int
        Over which it is: lesions, subjects that have one, all subjects.
    """

    false_positives: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    points: tuple[FrocPoint, ...]
    lesions: int
    with_lesion: int
    scans: int


def froc_thresholds(merged: ScoreHistogram, count: int = THRESHOLDS) -> NDArray[np.float32]:
    """Choose the thresholds, float32 (G,), G <= ``count``, falling: equal steps along the ranking of all subjects.

    Parameters
    ----------
    merged : ScoreHistogram
        Of all subjects together.
    count : int
        As many at the most; fewer where scores repeat.
    """
    edges = merged.edges()
    positives, negatives = merged.counts_from(edges)
    marked = positives + negatives
    kept = marked > 0
    edges, positives, marked = edges[kept][::-1], positives[kept][::-1], marked[kept][::-1]
    if not len(edges):
        return np.empty(0, dtype=np.float32)
    travelled = along_ranking(positives, marked)
    steps = np.linspace(travelled[0], travelled[-1], count)
    chosen = np.unique(np.clip(np.searchsorted(travelled, steps), 0, len(edges) - 1))
    return merged.thresholds(edges[chosen])


def froc_counts(
    scores: NDArray[np.float32],
    brain: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    thresholds: NDArray[np.float32],
    clean: Clean | None = None,
) -> NDArray[np.uint32]:
    """Count one subject's matches and false positives at every threshold, uint32 (G, 2).

    Parameters
    ----------
    scores : float32 (X, Y, Z)
        Post-processed map.
    brain, lesion : bool (X, Y, Z)
        Where voxels count; the lesion in it.
    thresholds : float32 (G,)
        Falling; detected is score > threshold.
    clean : callable, optional
        Takes small detections out of a detection, bool (X, Y, Z).
    """
    out = np.zeros((len(thresholds), 2), dtype=np.uint32)
    known = LesionLabels(lesion)
    # below all scores, so that what lies outside is never detected
    cut = np.where(brain, scores, np.float32(-np.inf))
    seen = -1
    for place, threshold in enumerate(thresholds):
        detection = cut > threshold
        voxels = int(np.count_nonzero(detection))
        if voxels == seen:  # the same voxels as at the threshold before
            out[place] = out[place - 1]
            continue
        seen = voxels
        labels, detections = components(detection if clean is None else clean(detection))
        matches = known.matches(labels, detections) if len(known.size) else 0
        out[place] = matches, detections - matches
    return out


def froc_of(
    counts: Sequence[NDArray[np.uint32]], lesions: Sequence[int], resamples: int
) -> Froc | None:
    """Put the subjects' counts together to the curve; None without a lesion.

    Parameters
    ----------
    counts : sequence of uint32 (G, 2)
        Of every subject; see :func:`froc_counts`.
    lesions : sequence of int
        Lesions of every subject, 0 for those without one.
    resamples : int
        Bootstraps of the subjects; 0: no intervals.
    """
    number, scans = np.asarray(lesions, dtype=np.float64), len(lesions)
    if not number.sum():
        return None
    table = np.stack(list(counts)).astype(np.float64).reshape(scans, -1)
    once = np.ones((1, scans))
    reached, paid = _curves(once, table, number)
    points = [_best(reached, paid, rate) for rate in RATES]
    spread = np.zeros(len(RATES))
    ill = int(np.count_nonzero(number))
    if resamples and ill > 1:
        draws = stratified_draws(number > 0, resamples).astype(np.float64)
        again = _curves(draws, table, number)
        spread = np.array([_best(*again, rate).std(ddof=1) for rate in RATES])
        spread *= math.sqrt(ill / (ill - 1))
    found = tuple(
        _point(rate, float(value[0]), float(error), ill)
        for rate, value, error in zip(RATES, points, spread, strict=True)
    )
    return Froc(*_corners(reached[0], paid[0]), found, int(number.sum()), ill, scans)


def _curves(
    draws: NDArray[np.float64], table: NDArray[np.float64], lesions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sensitivity and false positives per scan at every threshold, float64 (R, G) each, of resamples (R, S)."""
    sums = (draws @ table).reshape(len(draws), -1, 2)
    return sums[..., 0] / (draws @ lesions)[:, None], sums[..., 1] / len(lesions)


def _best(
    reached: NDArray[np.float64], paid: NDArray[np.float64], rate: float
) -> NDArray[np.float64]:
    """Return the highest sensitivity at no more than so many false positives, float64 (R,); 0 where none has so few."""
    best: NDArray[np.float64] = np.where(paid <= rate, reached, 0.0).max(axis=1, initial=0.0)
    return best


def _corners(
    reached: NDArray[np.float64], paid: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the curve: false positives at which the highest sensitivity so far rises, and that."""
    order = np.lexsort((-reached, paid))
    paid, highest = paid[order], np.maximum.accumulate(reached[order])
    rises = np.diff(highest, prepend=0.0) > 0
    return paid[rises], highest[rises]


def _point(rate: float, value: float, error: float, ill: int) -> FrocPoint:
    if ill < FEWEST or error <= 0 or not 0 < value < 1:
        return FrocPoint(rate, value, error, None, None)
    return FrocPoint(rate, value, error, *logit_limits(value, error**2, ill - 1))
