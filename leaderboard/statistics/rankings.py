"""Rankings of methods under three schemes, and how stable the one that ranks is over subjects and seeds.

The schemes are those of challengeR (Wiesenfarth et al., Scientific Reports 2021); equal results share the better rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.resampling import DRAW_SEED
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.statistics.signed_ranks import mean_ranks

BY_MEAN, BY_MEAN_RANK, BY_TESTS = "by mean", "by mean rank", "by tests"
ALPHA = 0.05
_DIGITS = 12


@dataclass(frozen=True)
class Ranking:
    """Methods ranked under one scheme, in the order of the family's keys.

    Parameters
    ----------
    scheme : str
        ``by mean`` over subjects, which ranks; ``by mean rank`` within each subject; ``by tests``: by how many methods
        are significantly worse.
    scores : tuple of float
        What was ranked.
    ranks : tuple of int
        1 is best.
    low, high : tuple of int
        95 % of the ranks in bootstraps of subjects and seeds; () where a scheme is not resampled, or there are too few
        subjects to be.
    frequencies : tuple of tuple of float
        Per method the share of the bootstraps in which it had rank 1, 2, ...; () likewise.
    """

    scheme: str
    scores: tuple[float, ...]
    ranks: tuple[int, ...]
    low: tuple[int, ...] = ()
    high: tuple[int, ...] = ()
    frequencies: tuple[tuple[float, ...], ...] = ()


def ranks_of(scores: NDArray[np.float64], higher_is_better: bool) -> NDArray[np.int64]:
    """Rank along the last axis, 1 best, equal scores sharing the better rank, int64 of the same shape."""
    worth = np.round(scores if higher_is_better else -np.asarray(scores), _DIGITS)
    better = worth[..., None, :] > worth[..., :, None]
    result: NDArray[np.int64] = 1 + better.sum(axis=-1)
    return result


def ranking_by_mean(values: Sequence[NDArray[np.float64]], draws: NDArray[np.int64]) -> Ranking:
    """Rank methods by their mean, and say how often each has which rank with other subjects and seeds.

    Of fewer than :data:`~andi_bench.records.schema.SMALLEST_GROUP` subjects nothing is said: a few hundred of their resamples are the
    same two or three subjects again, and ranks seem firm between methods that no test can tell apart.

    Parameters
    ----------
    values : sequence of float64 (S, T)
        Of every method by subject and seed, higher = better; T may differ.
    draws : int (R, S)
        Resamples of the subjects; the seeds of each method are drawn anew in each.
    """
    scores = np.array([own.mean() for own in values])
    if len(values[0]) < SMALLEST_GROUP:
        return _plain(BY_MEAN, scores, True)
    resampled = resampled_means(values, draws, np.random.default_rng(DRAW_SEED))
    again = ranks_of(resampled, True)
    low, high = np.percentile(again, [2.5, 97.5], axis=0, method="inverted_cdf").astype(int)
    shares = np.stack([(again == rank).mean(axis=0) for rank in range(1, len(values) + 1)], axis=1)
    return Ranking(
        BY_MEAN,
        tuple(scores.tolist()),
        tuple(ranks_of(scores, True).tolist()),
        tuple(low.tolist()),
        tuple(high.tolist()),
        tuple(tuple(line) for line in shares.tolist()),
    )


def resampled_means(
    values: Sequence[NDArray[np.float64]], draws: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the methods' means with other subjects and seeds, float64 (R, K).

    Parameters
    ----------
    values : sequence of float64 (S, T)
        Of every method by subject and seed; T may differ.
    draws : int (R, S)
        Resamples of the subjects.
    rng : numpy.random.Generator
        Draws the seeds of each method anew.
    """
    drawn = draws.astype(np.float64) @ np.hstack(values) / len(values[0])
    resampled = np.empty((len(draws), len(values)))
    begin = 0
    for method, own in enumerate(values):
        seeds = own.shape[1]
        again = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=len(draws)) / seeds
        resampled[:, method] = (drawn[:, begin : begin + seeds] * again).sum(axis=1)
        begin += seeds
    return resampled


def other_rankings(values: NDArray[np.float64], worse: NDArray[np.int64]) -> tuple[Ranking, ...]:
    """Rank methods by the mean of their ranks within subjects, and by tests where any is significant.

    Parameters
    ----------
    values : float64 (S, K)
        A value per subject and method, higher = better.
    worse : int (K,)
        For each method how many are significantly worse.
    """
    within = np.array([mean_ranks(-line) for line in np.round(values, _DIGITS)]).mean(axis=0)
    found = [_plain(BY_MEAN_RANK, within, False)]
    if worse.any():
        found.append(_plain(BY_TESTS, worse.astype(np.float64), True))
    return tuple(found)


def kendall_tau(
    first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Return Kendall's tau-b of two rankings of the same methods, and its p against none; None where one of them ties all.

    p is exact without ties.
    """
    from scipy import stats

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None, None
    found = stats.kendalltau(first, second, variant="b")
    return float(found.statistic), float(found.pvalue)


def _plain(scheme: str, scores: NDArray[np.float64], higher: bool) -> Ranking:
    return Ranking(scheme, tuple(scores.tolist()), tuple(ranks_of(scores, higher).tolist()))
