"""Several data sets together: mean ranks of the methods that they share, and how far two data sets' rankings agree.

Data sets are independent samples of subjects: intervals are percentiles over bootstraps of the subjects (and seeds) within
each data set. How far a tau is from none is another question, of how few methods there are: its p-value counts the orders
of the methods that would agree as well (Kendall, *Biometrika* 1938).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import metric_at, tested_metric
from andi_bench.metrics.resampling import DRAW_SEED, RANK_RESAMPLES, draws_of
from leaderboard.statistics.families import values_of
from leaderboard.statistics.family import Agreement
from leaderboard.statistics.rankings import ALPHA, kendall_tau, ranks_of, resampled_means
from leaderboard.tables.crossing import by_method, main_by_view
from leaderboard.tables.pipelines import View
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.tables.trainings import differing

FEWEST_METHODS = 3
"""Of fewer, two rankings agree or not, and that is all."""


@dataclass(frozen=True)
class MeanRanks:
    """Mean ranks over data sets of the methods that all of them have.

    Parameters
    ----------
    view : {"validated", "raw", "filtered"}
        What the tables show of every method.
    datasets : tuple of str
        D of them.
    methods : tuple of str
        K, best mean rank first.
    ranks : tuple of tuple of int
        By method, its rank among the K in each data set; 1 is best, equal means share the better rank.
    mean, low, high : tuple of float
        By method: mean over the data sets, and 95 % of it with other subjects and seeds of the same data sets.
    """

    view: View
    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    ranks: tuple[tuple[int, ...], ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class _Board:
    """A data set's methods in one view, by name."""

    dataset: str
    rows: Mapping[str, Row]
    place: int
    sign: int

    def worth(self, methods: Sequence[str]) -> list[NDArray[np.float64]]:
        """Return the values (S, T) of some methods, higher = better, of the subjects that all of them have."""
        return [self.sign * own for own in values_of([self.rows[name] for name in methods])[1]]

    def draws(self, subjects: int) -> NDArray[np.int64]:
        """Return resamples of so many subjects, others in each data set."""
        return draws_of(subjects, RANK_RESAMPLES, DRAW_SEED + self.place)


def between_datasets(tables: Sequence[Table]) -> tuple[Agreement, ...]:
    """Compare the rankings (by mean) of each two data sets, view by view, over the methods that both have.

    Parameters
    ----------
    tables : sequence of Table
        Of which the main ones count; three shared methods at least.
    """
    found = []
    for view, boards in _boards(tables):
        for first, second in itertools.combinations(boards, 2):
            shared = [name for name in first.rows if name in second.rows]
            if len(shared) >= FEWEST_METHODS:
                agreement = _agreement(first, second, view, shared)
                found += [agreement] if agreement is not None else []
    return tuple(found)


def mean_ranks(tables: Sequence[Table]) -> tuple[MeanRanks, ...]:
    """Return the mean ranks over all data sets, view by view, of the methods that every one has; two at least."""
    found = []
    for view, boards in _boards(tables):
        shared = [name for name in boards[0].rows if all(name in board.rows for board in boards)]
        if len(boards) > 1 and len(shared) > 1:
            ranks = _mean_ranks(boards, view, shared)
            found += [ranks] if ranks is not None else []
    return tuple(found)


def tau_b(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Kendall's tau-b of many pairs of rankings, float64 (R,); NaN where one ties all.

    Parameters
    ----------
    first, second : float64 (R, K)
        Scores of K methods.
    """
    one, other = (_order(scores) for scores in (first, second))
    with np.errstate(invalid="ignore"):
        known = np.sqrt((one != 0).sum(axis=1) * (other != 0).sum(axis=1).astype(np.float64))
        return (one * other).sum(axis=1) / np.where(known > 0, known, np.nan)


def smallest_tau(methods: int) -> float | None:
    """Return the smallest tau of so many methods that can be told from 0 at 5 %; None where not even 1 can.

    Of all orders of K methods, those with each number of inversions are counted.
    """
    orders = np.ones(1)
    for size in range(2, methods + 1):
        orders = np.convolve(orders, np.ones(size))
    two_sided = 2 * np.cumsum(orders) / orders.sum()
    small = np.flatnonzero(two_sided <= ALPHA)
    if not len(small):
        return None
    return float(1 - 4 * small[-1] / (methods * (methods - 1)))


def _boards(tables: Sequence[Table]) -> list[tuple[View, list[_Board]]]:
    """Return, view by view, the data sets' main tables."""
    out = []
    for view, main in main_by_view(tables).items():
        boards = [
            _Board(table.dataset, rows, place, metric_at(tested_metric(table.metric)).sign)
            for place, table in enumerate(main)
            if (rows := by_method(table))
        ]
        if boards:
            out.append((view, boards))
    return out


def _resampled(
    boards: Sequence[_Board], methods: Sequence[str]
) -> list[NDArray[np.float64]] | None:
    """Return the methods' means in each data set, (1 + R, K), the first the data sets' own; None for too few subjects."""
    out = []
    for board in boards:
        values = board.worth(methods)
        if len(values[0]) < 2:
            return None
        rng = np.random.default_rng(DRAW_SEED + board.place)
        own = np.array([[one.mean() for one in values]])
        again = resampled_means(values, board.draws(len(values[0])), rng)
        out.append(np.vstack([own, again]))
    return out


def _agreement(
    first: _Board, second: _Board, view: View, methods: Sequence[str]
) -> Agreement | None:
    found = _resampled([first, second], methods)
    if found is None:
        return None
    tau, p = kendall_tau(found[0][0], found[1][0])
    low = high = None
    if tau is not None:
        drawn = tau_b(found[0][1:], found[1][1:])
        low, high = np.nanpercentile(drawn, [2.5, 97.5]).tolist()
    return Agreement(
        first.dataset,
        second.dataset,
        view,
        len(methods),
        tau,
        low=low,
        high=high,
        p=p,
        needed=smallest_tau(len(methods)),
        differing=_differing(first, second, methods),
    )


def _differing(
    first: _Board, second: _Board, methods: Sequence[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what else than the data differs between two data sets' runs, with the methods of which it does."""
    found = {name: differing(first.rows[name], second.rows[name]) for name in methods}
    kinds = dict.fromkeys(kind for own in found.values() for kind in own)
    named = {kind: tuple(name for name in methods if found[name][kind]) for kind in kinds}
    return tuple((kind, names) for kind, names in named.items() if names)


def _mean_ranks(boards: Sequence[_Board], view: View, methods: Sequence[str]) -> MeanRanks | None:
    found = _resampled(boards, methods)
    if found is None:
        return None
    ranks = np.stack([ranks_of(means, True) for means in found])  # (D, 1 + R, K)
    own, mean = ranks[:, 0], ranks.mean(axis=0)
    low, high = np.percentile(mean[1:], [2.5, 97.5], axis=0)
    order = sorted(range(len(methods)), key=lambda k: (mean[0, k], methods[k]))
    return MeanRanks(
        view,
        tuple(board.dataset for board in boards),
        tuple(methods[k] for k in order),
        tuple(tuple(own[:, k].tolist()) for k in order),
        tuple(float(mean[0, k]) for k in order),
        tuple(float(low[k]) for k in order),
        tuple(float(high[k]) for k in order),
    )


def _order(scores: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return which of each two methods is ahead, +1, -1 or 0, int8 (R, P)."""
    first, second = np.triu_indices(scores.shape[1], 1)
    difference = np.round(scores[:, first] - scores[:, second], 12)
    return np.sign(difference).astype(np.int8)
