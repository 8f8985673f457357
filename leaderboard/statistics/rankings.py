"""Rankings of methods under three schemes, how stable they are over subjects, and Friedman's test of the blocks.

The schemes are those of challengeR (Wiesenfarth et al., Scientific Reports 2021); equal results share the better rank.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.signed_ranks import holm, mean_ranks, resampled_wilcoxon

SCHEMES = ("aggregate-then-rank", "rank-then-aggregate", "test-then-rank")
ALPHA = 0.05
_DIGITS = 12


@dataclass(frozen=True)
class Ranking:
    """Methods ranked under one scheme, in the order of the family's keys.

    Parameters
    ----------
    scheme : str
        One of :data:`SCHEMES`.
    scores : tuple of float
        What was ranked: the mean over subjects; the mean of the ranks within each subject; how many methods are
        significantly worse.
    ranks : tuple of int
        1 is best.
    low, high : tuple of int
        95 % of the ranks in bootstraps of the subjects.
    frequencies : tuple of tuple of float
        Per method the share of the bootstraps in which it had rank 1, 2, ...
    """

    scheme: str
    scores: tuple[float, ...]
    ranks: tuple[int, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    frequencies: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of several methods with subjects as blocks, and Nemenyi's critical difference.

    Parameters
    ----------
    subjects : int
        Blocks, N.
    average_ranks : tuple of float
        Mean over subjects of the ranks, 1 best, ties sharing their mean rank.
    chi2, p : float
        Friedman's statistic, corrected for ties, against chi-squared with k - 1 degrees of freedom.
    f, f_p : float or None
        Iman and Davenport's F, with k - 1 and (k - 1)(N - 1) degrees of freedom; None where it is infinite.
    critical_difference : float
        Of average ranks, at 5 % (Nemenyi): q sqrt(k (k + 1) / 6 N).
    """

    subjects: int
    average_ranks: tuple[float, ...]
    chi2: float
    p: float
    f: float | None
    f_p: float | None
    critical_difference: float


def ranks_of(scores: NDArray[np.float64], higher_is_better: bool) -> NDArray[np.int64]:
    """Rank along the last axis, 1 best, equal scores sharing the better rank, int64 of the same shape."""
    worth = np.round(scores if higher_is_better else -np.asarray(scores), _DIGITS)
    better = worth[..., None, :] > worth[..., :, None]
    result: NDArray[np.int64] = 1 + better.sum(axis=-1)
    return result


def rankings(
    values: NDArray[np.float64], worse: NDArray[np.int64], draws: NDArray[np.int64]
) -> tuple[Ranking, ...]:
    """Rank methods under all schemes.

    Parameters
    ----------
    values : float64 (S, K)
        A value per subject and method, higher = better.
    worse : int (K,)
        For each method how many are significantly worse.
    draws : int (R, S)
        Resamples of the subjects, for the intervals.
    """
    subjects = len(values)
    within = ranks_of(values, True).astype(np.float64)
    drawn = draws.astype(np.float64) / subjects
    scores = (values.mean(axis=0), within.mean(axis=0), np.asarray(worse, dtype=np.float64))
    resampled = (drawn @ values, drawn @ within, _resampled_wins(values, draws))
    return tuple(
        _ranking(scheme, score, again, higher)
        for scheme, score, again, higher in zip(
            SCHEMES, scores, resampled, (True, False, True), strict=True
        )
    )


def wins(p: NDArray[np.float64], signs: NDArray[np.float64], methods: int) -> NDArray[np.int64]:
    """Count for each method those that it is significantly better than.

    Parameters
    ----------
    p, signs : float64 (..., M)
        Adjusted p and the direction (1: the first is better) of every pair, in the order of ``combinations``.
    methods : int
        How many, K.

    Returns
    -------
    int64 (..., K)
    """
    out = np.zeros((*p.shape[:-1], methods), dtype=np.int64)
    for pair, (first, second) in enumerate(itertools.combinations(range(methods), 2)):
        found = p[..., pair] < ALPHA
        out[..., first] += found & (signs[..., pair] > 0)
        out[..., second] += found & (signs[..., pair] < 0)
    return out


def friedman(values: NDArray[np.float64]) -> Friedman | None:
    """Test methods with subjects as blocks; None for fewer than three methods or two subjects, or where all tie.

    Parameters
    ----------
    values : float64 (S, K)
        Higher = better.
    """
    subjects, methods = values.shape
    if methods < 3 or subjects < 2:
        return None
    from scipy import stats

    rounded = np.round(values, _DIGITS)
    average = np.array([mean_ranks(-line) for line in rounded]).mean(axis=0)
    if all(len(set(line)) == 1 for line in rounded):
        return None
    chi2, p = stats.friedmanchisquare(*rounded.T)
    rest = subjects * (methods - 1) - chi2
    f = (subjects - 1) * chi2 / rest if rest > 1e-9 else None
    degrees = methods - 1, (methods - 1) * (subjects - 1)
    return Friedman(
        subjects,
        tuple(average.tolist()),
        float(chi2),
        float(p),
        None if f is None else float(f),
        None if f is None else float(stats.f.sf(f, *degrees)),
        critical_difference(methods, subjects),
    )


def critical_difference(methods: int, subjects: int, alpha: float = ALPHA) -> float:
    """Return Nemenyi's critical difference of average ranks (Demsar, 2006)."""
    from scipy import stats

    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * subjects))


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b of two rankings of the same methods; None where one of them ties all."""
    from scipy import stats

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(stats.kendalltau(first, second, variant="b").statistic)


def _resampled_wins(values: NDArray[np.float64], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    methods = values.shape[1]
    tests = [
        resampled_wilcoxon(values[:, first] - values[:, second], draws)
        for first, second in itertools.combinations(range(methods), 2)
    ]
    p = holm(np.stack([p for p, _ in tests], axis=1))
    signs = np.stack([sign for _, sign in tests], axis=1)
    return wins(p, signs, methods).astype(np.float64)


def _ranking(
    scheme: str, scores: NDArray[np.float64], resampled: NDArray[np.float64], higher: bool
) -> Ranking:
    again = ranks_of(resampled, higher)
    methods = len(scores)
    low, high = np.percentile(again, [2.5, 97.5], axis=0, method="inverted_cdf").astype(int)
    shares = [(again == rank).mean(axis=0) for rank in range(1, methods + 1)]
    return Ranking(
        scheme,
        tuple(float(score) for score in scores),
        tuple(int(rank) for rank in ranks_of(scores, higher)),
        tuple(int(rank) for rank in low),
        tuple(int(rank) for rank in high),
        tuple(tuple(float(share[k]) for share in shares) for k in range(methods)),
    )
