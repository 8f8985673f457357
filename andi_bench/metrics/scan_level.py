"""Scans, not voxels: whether a map tells people with a lesion from people without one.

A scan's score is the mean of the highest millilitre of its processed map in the brain. The AUROC of these scores is the
share of pairs, one subject with a lesion and one without, in which the former's is higher, ties counting half. Its standard
error is that of DeLong, DeLong and Clarke-Pearson (Biometrics 1988), from midranks (Sun and Xu, IEEE Signal Processing
Letters 2014); on it stands Student's t on the logit of the AUROC, with Welch's degrees of freedom, as the two kinds of
subjects are two samples. With several trainings their variance counts too, as in :mod:`andi_bench.metrics.mean_intervals`.

In simulations (``tests/andi_bench/metrics/test_scan_level.py``) that holds the truth in .94 to .99 of cases from 3 subjects of
either kind on, too wide rather than too narrow where they are few; but .88 at an AUROC of .95 with 200 against 10, .93 with 200 against 50.

DeLong's variance says nothing where one kind has fewer than :data:`FEWEST_OF_A_KIND` subjects, and it is 0 where the scores
are told apart without a fault, though a few subjects prove little. There the interval is that of Hoeffding (1963): of
k = min(m, n) pairs that share no subject each one is won with a probability of the AUROC, and so the figure U is with
probability 95 % where k KL(U, AUROC) <= ln 40. At U = 1 that is the exact bound 0.025^(1/k). It holds for all scores, and is wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.case import Case
from andi_bench.metrics.mean_intervals import FEWEST, LEVEL, TwoWay, logit_limits, two_way

HIGHEST_ML = 1.0
"""Volume of a map's highest scores whose mean is the scan's score, ml."""

FEWEST_OF_A_KIND = FEWEST
"""With fewer subjects with a lesion, or without one, the interval is Hoeffding's."""

_NO_VARIANCE = 1e-12


@dataclass(frozen=True)
class ScanAuroc:
    """How well scans with a lesion are told from scans without one.

    Parameters
    ----------
    value : float
        AUROC, in [0, 1]; of several trainings their mean.
    low, high : float
        95 % interval.
    lesion, lesion_free : int
        Subjects of either kind.
    """

    value: float
    low: float
    high: float
    lesion: int
    lesion_free: int


def scan_score(case: Case) -> float | None:
    """Return the mean of the highest :data:`HIGHEST_ML` of the map in the brain; None without a brain voxel.

    Of so many voxels as make up that volume, one at least; of a smaller brain all.
    """
    scores = case.scores[case.brain]
    if not scores.size:
        return None
    count = min(max(round(HIGHEST_ML / case.voxel_ml), 1), scores.size)
    return float(np.partition(scores, scores.size - count)[-count:].mean(dtype=np.float64))


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, equal values sharing their mean rank, float64 (N,)."""
    distinct, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: NDArray[np.float64] = (last - (count - 1) / 2)[place.reshape(-1)]
    return ranks if len(distinct) else np.empty(0)


def placements(
    lesion: NDArray[np.float64], lesion_free: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return DeLong's components: of each subject the share of the other kind that it is on the right side of.

    Parameters
    ----------
    lesion, lesion_free : float64 (M,), (N,)
        Scores of the scans with a lesion and without one; M, N >= 1.

    Returns
    -------
    float64 (M,), (N,)
        In [0, 1], ties counting half; the mean of either is the AUROC.
    """
    m, n = len(lesion), len(lesion_free)
    together = midranks(np.concatenate([lesion, lesion_free]))
    of_lesion = (together[:m] - midranks(lesion)) / n
    of_free = 1 - (together[m:] - midranks(lesion_free)) / m
    return of_lesion, of_free


def scan_auroc(lesion: NDArray[np.float64], lesion_free: NDArray[np.float64]) -> ScanAuroc | None:
    """Return the AUROC of scans with its interval.

    Parameters
    ----------
    lesion, lesion_free : float64 (M, T), (N, T)
        Scores by subject and training.

    Returns
    -------
    ScanAuroc or None
        None without both kinds of subjects.
    """
    m, n, trainings = len(lesion), len(lesion_free), lesion.shape[1]
    if not m or not n:
        return None
    pairs = [placements(lesion[:, k], lesion_free[:, k]) for k in range(trainings)]
    by_kind = [np.stack(columns, axis=1) for columns in zip(*pairs, strict=True)]
    areas = by_kind[0].mean(axis=0)
    value = float(areas.mean())
    if min(m, n) >= FEWEST_OF_A_KIND and 0 < value < 1:
        variance, degrees = _variance(two_way(by_kind[0]), two_way(by_kind[1]), areas)
        if variance > _NO_VARIANCE:
            return ScanAuroc(value, *logit_limits(value, variance, degrees), m, n)
    return ScanAuroc(value, *hoeffding_limits(value, min(m, n)), m, n)


def _variance(one: TwoWay, other: TwoWay, areas: NDArray[np.float64]) -> tuple[float, float]:
    """Return the variance of the mean AUROC over subjects and trainings, and its degrees of freedom."""
    trainings = len(areas)
    kinds = [part.of_subjects / (part.subjects * trainings) for part in (one, other)]
    below = sum(part**2 / (k.subjects - 1) for part, k in zip(kinds, (one, other), strict=True))
    total = sum(kinds)
    if trainings > 1:
        # two trainings' figures differ by chance of their own, and by that of subject x training
        rest = one.of_rest / one.subjects + other.of_rest / other.subjects
        between = float(areas.var(ddof=1))
        if between > rest:
            total += (between - rest) / trainings
            below += ((between - rest) / trainings) ** 2 / (trainings - 1)
    return total, total**2 / below if below > 0 else 1.0


def hoeffding_limits(value: float, pairs: int) -> tuple[float, float]:
    """Return the interval of an AUROC that holds whatever the scores: Hoeffding's bound on pairs that share no subject.

    Parameters
    ----------
    value : float
        AUROC, in [0, 1].
    pairs : int
        Such pairs: the number of subjects of the rarer kind, >= 1.
    """
    allowed = math.log(2 / (1 - LEVEL)) / pairs
    return _edge(value, 0.0, allowed), _edge(value, 1.0, allowed)


def _edge(value: float, end: float, allowed: float) -> float:
    """Return where the divergence from a figure reaches what is allowed, between it and an end, by bisection."""
    inner, outer = value, end
    for _ in range(60):
        middle = (inner + outer) / 2
        if _divergence(value, middle) <= allowed:
            inner = middle
        else:
            outer = middle
    return inner


def _divergence(found: float, true: float) -> float:
    """Return the Kullback-Leibler divergence of two yes-or-no trials."""
    if found == true:
        return 0.0
    if not 0 < true < 1:
        return math.inf
    total = found * math.log(found / true) if found > 0 else 0.0
    return total + ((1 - found) * math.log((1 - found) / (1 - true)) if found < 1 else 0.0)
