"""What the differences between the rows of a leaderboard are worth: tests, rankings and their stability.

All of it from run records alone. Subjects are the blocks; several seeds of a method are averaged within each subject
first. A family is the set of comparisons among which Holm's method corrects for their number. A table has

- one family for each chain of post-processing: all pairs of the ranked rows with that chain;
- one family across chains, where there are several: each method's chains against each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import metric_at, tested_metric, title_of
from andi_bench.metrics.points import RANKING
from andi_bench.metrics.resampling import PAIR_RESAMPLES, RANK_RESAMPLES, draws_of
from leaderboard.statistics.pair_tests import (
    FEW_SUBJECTS,
    Key,
    PairTest,
    bootstrap_tests,
    wilcoxon_tests,
)
from leaderboard.statistics.pooled_resamples import resampled
from leaderboard.statistics.rankings import (
    ALPHA,
    Friedman,
    Ranking,
    friedman,
    kendall_tau,
    rankings,
    wins,
)
from leaderboard.statistics.signed_ranks import smallest_adjusted
from leaderboard.tables.table import Row, Table

BETWEEN_METHODS, BETWEEN_CHAINS = "methods", "chains"


@dataclass(frozen=True)
class Agreement:
    """How far two rankings of the same methods agree: Kendall's tau-b, None where one of them ties all.

    ``first`` and ``second`` name the schemes, chains or data sets; ``chain`` the post-processing, "" for several.
    """

    first: str
    second: str
    chain: str
    methods: int
    tau: float | None


@dataclass(frozen=True)
class Family:
    """Comparisons that are corrected together.

    Parameters
    ----------
    kind : str
        ``methods`` (rows of one chain, all pairs) or ``chains`` (each method's chains against each other).
    name : str
        In words.
    chain : str
        The chain; "" across chains.
    metric : str
        Per-subject metric of the tests.
    keys : tuple of (str, str)
        Rows, in the order of the table.
    subjects : tuple of str
        Subjects for which every row has a value: the blocks.
    left_out : int
        Subjects for which some row has none.
    wilcoxon, pooled : tuple of PairTest
        Paired Wilcoxon tests of the metric, and paired bootstraps of pooled average precision; () where a record has no
        histograms.
    rankings : tuple of Ranking
        One a scheme; () across chains.
    agreements : tuple of Agreement
        Between the schemes.
    friedman : Friedman or None
        With three methods or more.
    warnings : tuple of str
        What a reader must know before believing it.
    """

    kind: str
    name: str
    chain: str
    metric: str
    keys: tuple[Key, ...]
    subjects: tuple[str, ...]
    left_out: int
    wilcoxon: tuple[PairTest, ...]
    pooled: tuple[PairTest, ...]
    rankings: tuple[Ranking, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    friedman: Friedman | None = None
    warnings: tuple[str, ...] = ()

    def test(self, first: Key, second: Key, pooled: bool = False) -> PairTest | None:
        """Return the test of two rows, in whatever order; None where there is none."""
        for test in self.pooled if pooled else self.wilcoxon:
            if {test.first, test.second} == {first, second}:
                return test
        return None

    @property
    def significantly_best(self) -> Key | None:
        """The row that is significantly better than every other of a family of methods, where there is one."""
        if self.kind != BETWEEN_METHODS:
            return None
        for key in self.keys:
            if all(
                test.better == key for test in self.wilcoxon if key in (test.first, test.second)
            ):
                return key
        return None


@dataclass(frozen=True)
class TableStatistics:
    """The statistics of one table.

    Parameters
    ----------
    families : tuple of Family
        In the order of the chains, the one across chains last.
    agreements : tuple of Agreement
        Between the chains' rankings (aggregate-then-rank) of the methods that they share.
    pooled_intervals : dict
        By row: the 95 % bootstrap limits of pooled average precision over subjects, all seeds together.
    warnings : tuple of str
        Of the table as a whole.
    """

    families: tuple[Family, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    pooled_intervals: dict[Key, tuple[float, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def family(self, chain: str) -> Family | None:
        """Return the family of the methods of a chain."""
        return next(
            (one for one in self.families if one.kind == BETWEEN_METHODS and one.chain == chain),
            None,
        )


def table_statistics(table: Table, resamples: int = PAIR_RESAMPLES) -> TableStatistics:
    """Compare the rows of a table.

    Parameters
    ----------
    table : Table
        From :func:`leaderboard.tables.table.build_tables`.
    resamples : int
        Draws of the subjects for the intervals of differences.

    Raises
    ------
    UserError
        When the histograms of a record cannot be read.
    """
    rows = [row for row in table.rows if row.rank is not None]
    if len(rows) < 2:
        return TableStatistics()
    pooled = _pooled(rows, resamples)
    families = []
    for chain in table.protocol.chains:
        part = [row for row in rows if row.chain == chain]
        if len(part) > 1:
            pairs = list(itertools.combinations(range(len(part)), 2))
            name = f"all methods with {chain} maps"
            families.append(
                _family(table, BETWEEN_METHODS, name, chain, part, pairs, pooled, resamples)
            )
    across = [
        (first, second)
        for first, second in itertools.combinations(range(len(rows)), 2)
        if rows[first].label == rows[second].label
    ]
    if across:
        name = f"chains of each method against each other ({', '.join(table.protocol.chains)})"
        families.append(_family(table, BETWEEN_CHAINS, name, "", rows, across, pooled, resamples))
    limits = {
        key: tuple(np.percentile(values[np.isfinite(values)], [2.5, 97.5]).tolist())
        for key, values in pooled.items()
        if np.isfinite(values).any()
    }
    return TableStatistics(tuple(families), _between_chains(families), limits, _unequal(rows))


def between_datasets(
    tables: Sequence[Table], statistics: Sequence[TableStatistics]
) -> tuple[Agreement, ...]:
    """Compare the rankings (aggregate-then-rank) of the data sets' main tables, chain by chain.

    Only the methods that two data sets share count, three at least.
    """
    found = []
    main = [
        (table, part) for table, part in zip(tables, statistics, strict=True) if not table.differs
    ]
    for (first, one), (second, other) in itertools.combinations(main, 2):
        for chain in first.protocol.chains:
            pair = one.family(chain), other.family(chain)
            if pair[0] is None or pair[1] is None:
                continue
            agreement = _agreement(first.dataset, second.dataset, chain, pair[0], pair[1])
            if agreement is not None:
                found.append(agreement)
    return tuple(found)


def values_of(rows: Sequence[Row], metric: str) -> tuple[tuple[str, ...], NDArray[np.float64], int]:
    """Return the subjects for which every row has a value, the values (S, K), and how many subjects lack one."""
    sets = [set(row.values.get(metric, {})) for row in rows]
    subjects = tuple(sorted(set.intersection(*sets))) if sets else ()
    values = np.array([[row.values[metric][subject] for row in rows] for subject in subjects])
    return (
        subjects,
        values.reshape(len(subjects), len(rows)),
        len(set().union(*sets)) - len(subjects),
    )


def _pooled(rows: Sequence[Row], resamples: int) -> dict[Key, NDArray[np.float64]]:
    """Resample the pooled average precision of all rows on the same draws."""
    subjects = _all_subjects(rows)
    if len(subjects) < 2:
        return {}
    draws = draws_of(len(subjects), resamples)
    found = {row.key: resampled(row, subjects, draws) for row in rows}
    return {key: values for key, values in found.items() if values is not None}


def _all_subjects(rows: Sequence[Row]) -> list[str]:
    return sorted(rows[0].values.get(RANKING, {}))


def _family(
    table: Table,
    kind: str,
    name: str,
    chain: str,
    rows: Sequence[Row],
    pairs: Sequence[tuple[int, int]],
    pooled: dict[Key, NDArray[np.float64]],
    resamples: int,
) -> Family:
    metric = tested_metric(table.metric)
    subjects, values, left_out = values_of(rows, metric)
    keys = tuple(row.key for row in rows)
    family = Family(kind, name, chain, metric, keys, subjects, left_out, (), ())
    warnings = []
    tests: tuple[PairTest, ...] = ()
    extra: dict[str, object] = {}
    if len(subjects) > 1:
        worth = values * metric_at(metric).sign
        draws = draws_of(len(subjects), resamples)
        tests = wilcoxon_tests(keys, values, worth, pairs, draws)
        differing = max(test.subjects - test.zeros for test in tests)
        warnings += _power(len(subjects), differing, len(pairs))
        if kind == BETWEEN_METHODS:
            signs = np.sign([test.effect or 0.0 for test in tests])
            worse = wins(np.array([test.adjusted for test in tests]), signs, len(rows))
            ranked = rankings(worth, worse, draws[:RANK_RESAMPLES])
            extra = {
                "rankings": ranked,
                "agreements": _between_schemes(ranked, chain),
                "friedman": friedman(worth),
            }
    else:
        warnings.append(f"fewer than two subjects have {title_of(metric)} for every row: no test")
    if left_out:
        warnings.append(
            f"{left_out} subjects have no {title_of(metric)} for some row and are left out of the tests"
        )
    lacking = [key for key in keys if key not in pooled]
    if lacking and len(_all_subjects(rows)) > 1:
        named = ", ".join(f"{label} ({own})" for label, own in lacking)
        warnings.append(f"no test of pooled average precision: no score histograms of {named}")
    return replace(
        family,
        wilcoxon=tests,
        pooled=() if lacking else bootstrap_tests(rows, pairs, pooled, len(_all_subjects(rows))),
        warnings=tuple(warnings),
        **extra,  # type: ignore[arg-type]
    )


def _power(subjects: int, differing: int, pairs: int) -> list[str]:
    """Say so where there are too few subjects; ``differing``: the most that any two rows differ on."""
    best = smallest_adjusted(differing, pairs)
    if best >= ALPHA:
        apart = "" if differing == subjects else f" ({differing} of them with a difference at most)"
        return [
            f"{subjects} subjects{apart} and {pairs} comparisons: the smallest p that a Wilcoxon test can reach here is "
            f"{best:.2g} after Holm's correction, so no difference can be significant, however large"
        ]
    if subjects < FEW_SUBJECTS:
        return [
            f"{subjects} subjects are few: only large and consistent differences can be found, and 95 % intervals are "
            "too narrow (with ten subjects they cover the truth 9 times in 10)"
        ]
    return []


def _unequal(rows: Sequence[Row]) -> tuple[str, ...]:
    counts = {len(row.runs) for row in rows}
    if len(counts) < 2:
        return ()
    return (
        f"rows rest on different numbers of seeds ({min(counts)} to {max(counts)}): a mean over more seeds is steadier",
    )


def _between_schemes(ranked: Sequence[Ranking], chain: str) -> tuple[Agreement, ...]:
    return tuple(
        Agreement(
            one.scheme, other.scheme, chain, len(one.ranks), kendall_tau(one.ranks, other.ranks)
        )
        for one, other in itertools.combinations(ranked, 2)
    )


def _between_chains(families: Sequence[Family]) -> tuple[Agreement, ...]:
    ranked = [family for family in families if family.rankings]
    found = [
        _agreement(one.chain, other.chain, "", one, other)
        for one, other in itertools.combinations(ranked, 2)
    ]
    return tuple(agreement for agreement in found if agreement is not None)


def _agreement(first: str, second: str, chain: str, one: Family, other: Family) -> Agreement | None:
    """Compare two families' rankings of the methods that they share; None for fewer than three."""
    if not one.rankings or not other.rankings:
        return None
    scores = [
        dict(zip((label for label, _ in family.keys), family.rankings[0].scores, strict=True))
        for family in (one, other)
    ]
    shared = [label for label in scores[0] if label in scores[1]]
    if len(shared) < 3:
        return None
    tau = kendall_tau(*([part[label] for label in shared] for part in scores))
    return Agreement(first, second, chain, len(shared), tau)
