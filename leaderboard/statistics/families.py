"""What the differences between the rows of a leaderboard are worth: tests, groups, ranks and their stability, power.

All of it from run records alone. Subjects are the blocks; with several seeds the trainings' variance counts too. A family
is a set of comparisons that are corrected for their number together. A table has one: all pairs of its ranked rows, of
which each is another method.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import metric_at, tested_metric, title_of
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.mean_intervals import share_interval, two_way
from andi_bench.metrics.points import RANKING
from andi_bench.metrics.resampling import MEAN_RESAMPLES, RANK_RESAMPLES, draws_of
from andi_bench.names import counted
from andi_bench.records.schema import LESION_ML
from leaderboard.statistics.family import (
    NOTHING_MORE,
    Agreement,
    Extra,
    Family,
    TableStatistics,
)
from leaderboard.statistics.letters import letters_of
from leaderboard.statistics.pair_tests import Key, PairTest, mean_pair_tests, pooled_pair_tests
from leaderboard.statistics.pooled_counts import counts_of, degrees_of, pseudo_values
from leaderboard.statistics.pooled_swaps import on_common_grid
from leaderboard.statistics.power import WANTED, power_of
from leaderboard.statistics.rankings import (
    Ranking,
    kendall_tau,
    other_rankings,
    ranking_by_mean,
)
from leaderboard.tables.pipelines import View, view_in_words
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table

FEW_SUBJECTS = 20
"""With fewer, a reader is told that only large differences can be found."""


@dataclass(frozen=True)
class Pooled:
    """What the histograms of a row give of pooled average precision.

    Parameters
    ----------
    figure : float
        Mean over the seeds.
    pseudo : float64 (S, T)
        The jackknife's pseudo-values.
    table : float32 (S, 2, G)
        Counts on the common grid.
    among : float
        Degrees of freedom of subjects.
    """

    figure: float
    pseudo: NDArray[np.float64]
    table: NDArray[np.float32]
    among: float


def table_statistics(table: Table, extra: Extra = NOTHING_MORE) -> TableStatistics:
    """Compare the rows of a table.

    Parameters
    ----------
    table : Table
        From :func:`leaderboard.tables.table.build_tables`.
    extra : Extra
        What is asked for beside.

    Raises
    ------
    UserError
        When the histograms of a record cannot be read.
    """
    pooled = {key: found for key, found in map(_pooled, table.rows) if found is not None}
    limits = {key: share_interval(own.pseudo, own.figure, own.among) for key, own in pooled.items()}
    known = {key: own for key, own in limits.items() if own is not None}
    rows = [row for row in table.rows if row.rank is not None]
    family = _family(table, rows, pooled, extra) if len(rows) > 1 else None
    return TableStatistics(family, _between_pipelines(table), known, _seeds_said(rows))


def values_of(
    rows: Sequence[Row],
) -> tuple[tuple[str, ...], list[NDArray[np.float64]], int]:
    """Return the subjects for which every row and seed has a value, the values (S, T) of each row, and how many lack one."""
    sets = [set.intersection(*map(set, row.by_seed)) if row.by_seed else set() for row in rows]
    subjects = tuple(sorted(set.intersection(*sets))) if sets else ()
    values = [
        np.array([[seed[name] for seed in row.by_seed] for name in subjects]).reshape(
            len(subjects), len(row.by_seed)
        )
        for row in rows
    ]
    every = set().union(*(seed for row in rows for seed in row.by_seed))
    return subjects, values, len(every) - len(subjects)


def _pooled(row: Row) -> tuple[Key, Pooled | None]:
    """Take what is needed of a row's histograms; None where a record has none of the same subjects."""
    figure = row.figures["pooled_ap"].value
    # everybody's voxels are pooled, those of lesion-free subjects too
    subjects = sorted(row.values.get(LESION_ML) or row.values.get(RANKING, {}))
    counts: list[GroupedCounts] | None = None
    if figure is not None and len(subjects) > 1:
        counts = counts_of(row)
    if counts is None or figure is None:
        return row.key, None
    pseudo, table = pseudo_values(counts, subjects), on_common_grid(counts, subjects)
    if pseudo is None or table is None:
        return row.key, None
    return row.key, Pooled(figure, pseudo, table, degrees_of(counts[0]))


def _family(
    table: Table,
    rows: Sequence[Row],
    pooled: dict[Key, Pooled],
    extra: Extra,
) -> Family:
    metric = tested_metric(table.metric)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    subjects, values, left_out = values_of(rows)
    keys = tuple(row.key for row in rows)
    warnings = []
    found: dict[str, Any] = {"tests": ()}
    if len(subjects) > 1:
        found = _tested(table.view, keys, values, pairs, metric, extra)
        warnings += _few(len(subjects))
    else:
        warnings.append(f"fewer than two subjects have {title_of(metric)} for every row: no test")
    if left_out:
        warnings.append(
            f"left out of the tests: {counted(left_out, 'subject')} without {title_of(metric)} for some row"
        )
    lacking = [key for key in keys if key not in pooled]
    if lacking and max(len(row.values.get(RANKING, {})) for row in rows) > 1:
        named = ", ".join(f"{label} ({own})" for label, own in lacking)
        warnings.append(f"no test of pooled average precision: no score histograms of {named}")
    own = [pooled[key] for key in keys if key in pooled]
    same = len({len(one.pseudo) for one in own}) == 1
    by_swaps: tuple[PairTest, ...] = ()
    if not lacking and same:
        by_swaps = pooled_pair_tests(
            keys,
            [one.figure for one in own],
            [one.table for one in own],
            [one.pseudo for one in own],
            pairs,
            min(one.among for one in own),
        )
    return Family(
        name=f"all methods, {view_in_words(table.view, table.protocol)}",
        view=table.view,
        metric=metric,
        keys=keys,
        subjects=subjects,
        left_out=left_out,
        pooled=by_swaps,
        chance=tuple(row.chance for row in rows),
        warnings=tuple(warnings),
        **found,
    )


def _tested(
    view: View,
    keys: tuple[Key, ...],
    values: Sequence[NDArray[np.float64]],
    pairs: Sequence[tuple[int, int]],
    metric: str,
    extra: Extra,
) -> dict[str, Any]:
    """Return the fields of a family that follow from the subjects' values."""
    found = metric_at(metric)
    draws = draws_of(len(values[0]), MEAN_RESAMPLES)
    bound = 1.0 if found.metric.share else math.inf
    tests, tested = mean_pair_tests(keys, values, found.sign, pairs, draws, extra.margin, bound)
    worth = [own * found.sign for own in values]
    ranked: tuple[Ranking, ...] = (ranking_by_mean(worth, draws[:RANK_RESAMPLES]),)
    place = {key: k for k, key in enumerate(keys)}
    apart = [(place[t.first], place[t.second]) for t in tests if t.better is not None]
    order = sorted(range(len(keys)), key=lambda k: (ranked[0].ranks[k], k))
    letters = letters_of(order, apart)
    if extra.schemes:
        worse = np.array([sum(test.better == key for test in tests) for key in keys])
        means = np.stack([own.mean(axis=1) for own in worth], axis=1)
        ranked += other_rankings(means, worse)
    wanted = WANTED if found.metric.share else ()
    return {
        "tests": tests,
        "spread": tuple(map(two_way, values)),
        "letters": tuple(letters[k] for k in range(len(keys))),
        "rankings": ranked,
        "agreements": _between_schemes(ranked, view),
        "power": power_of(values, pairs, tested.critical, wanted),
    }


def _few(subjects: int) -> list[str]:
    """Say so where there are few subjects."""
    if subjects >= FEW_SUBJECTS:
        return []
    return [
        f"{counted(subjects, 'subject is', 'subjects are')} few: only large and consistent differences can be found"
    ]


def _seeds_said(rows: Sequence[Row]) -> tuple[str, ...]:
    """Say what intervals and tests are about: methods, or single trainings."""
    single = [row for row in rows if row.chance and len(row.by_seed) == 1]
    if not single:
        return ()
    names = ", ".join(dict.fromkeys(row.label for row in single))
    if len(single) == len(rows):
        names = "all rows"
    return (
        f"one seed of {names}: intervals and tests are about that training, and another training of the same method "
        "may come out differently",
    )


def _between_schemes(ranked: Sequence[Ranking], view: View) -> tuple[Agreement, ...]:
    return tuple(
        Agreement(
            one.scheme, other.scheme, view, len(one.ranks), kendall_tau(one.ranks, other.ranks)[0]
        )
        for one, other in itertools.combinations(ranked, 2)
    )


def _between_pipelines(table: Table) -> tuple[Agreement, ...]:
    """Compare the rankings of raw and of filtered maps, whichever of them the table shows."""
    chains = table.protocol.chains
    if len(chains) == 1:
        return ()
    sign, ends = metric_at(table.metric).sign, (chains[0], chains[-1])
    scores = [
        {
            row.label: sign * (row.figures[table.metric].value or 0.0)
            for row in table.every
            if row.chain == chain
            and row.reason is None
            and row.figures[table.metric].value is not None
        }
        for chain in ends
    ]
    found = _agreement(ends, "", *scores)
    return () if found is None else (found,)


def _agreement(
    names: tuple[str, str],
    view: View | Literal[""],
    one: Mapping[str, float],
    other: Mapping[str, float],
) -> Agreement | None:
    """Compare two rankings of the methods that they share, by their scores; None for fewer than three."""
    shared = [label for label in one if label in other]
    if len(shared) < 3:
        return None
    tau, _ = kendall_tau(*([part[label] for label in shared] for part in (one, other)))
    return Agreement(*names, view, len(shared), tau)
