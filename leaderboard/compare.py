"""Compare the runs of a folder: the one call behind ``python -m benchmark compare``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from threadpoolctl import threadpool_limits

from andi_bench.errors import UserError, unknown_name
from andi_bench.metrics.compared import ranking_metric
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import RunRecord
from andi_bench.records.search import find_records
from andi_bench.records.states import superseded, why_older
from leaderboard.statistics.across import MeanRanks, between_datasets, mean_ranks
from leaderboard.statistics.families import table_statistics
from leaderboard.statistics.family import NOTHING_MORE, Agreement, Extra, TableStatistics
from leaderboard.statistics.group_tests import GroupTests, group_tests
from leaderboard.tables.crossing import CrossTable, cross_tables
from leaderboard.tables.pipelines import ALL, RAW, VALIDATED, View
from leaderboard.tables.subgroups import GroupTable, group_tables
from leaderboard.tables.table import Table, build_tables, with_findings


@dataclass(frozen=True)
class Comparison:
    """Tables of comparable runs, data set by data set, and what was left out.

    Parameters
    ----------
    tables : tuple of Table
        Per data set the main table first, then those measured differently; where several views were asked for, those of
        one table follow each other.
    skipped : tuple of str
        A line for each folder that could not be used: which, and why.
    groups : tuple of GroupTable
        The tables by sub-group, where that was asked for.
    statistics : tuple of TableStatistics
        One a table, in the same order.
    agreements : tuple of Agreement
        Between the rankings of the data sets.
    mean_ranks : tuple of MeanRanks
        Over the data sets, one for each view.
    group_tests : tuple of GroupTests
        One a table by sub-group, in the same order.
    crossed : tuple of CrossTable
        Trained on one data set, tested on another, one for each view.
    base : tuple of Table
        What the tables are views of, each once.
    by : str or None
        The grouping that was asked for.
    extra : Extra
        What was asked for beside.
    """

    tables: tuple[Table, ...]
    skipped: tuple[str, ...] = ()
    groups: tuple[GroupTable, ...] = ()
    statistics: tuple[TableStatistics, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    mean_ranks: tuple[MeanRanks, ...] = ()
    crossed: tuple[CrossTable, ...] = ()
    group_tests: tuple[GroupTests, ...] = ()
    base: tuple[Table, ...] = field(default=(), repr=False)
    by: str | None = None
    extra: Extra = NOTHING_MORE

    def groups_of(self, table: Table) -> list[tuple[GroupTable, GroupTests]]:
        """Return a table by sub-group, with its tests; [] where that was not asked for."""
        pairs = zip(self.groups, self.group_tests, strict=True)
        return [(part, tests) for part, tests in pairs if part.table is table]

    def statistics_of(self, table: Table) -> TableStatistics:
        """Return the statistics of one of the tables; empty where they were not asked for."""
        for own, found in zip(self.tables, self.statistics, strict=False):
            if own is table:
                return found
        return TableStatistics()

    @property
    def main_tables(self) -> tuple[Table, ...]:
        """What a first page shows: each data set's main table in each view, or its first one where that has no such view."""
        firsts: dict[tuple[str, View], Table] = {}
        for table in self.tables:
            firsts.setdefault((table.dataset, table.view), table)
        return tuple(firsts.values())

    @cached_property
    def with_every_view(self) -> Comparison:
        """The comparison with all views of each table: the pipeline that validation chose, raw maps, filtered maps."""
        known = {
            (place, table.view): (table, found)
            for place, base in enumerate(self.base)
            for table, found in zip(self.tables, self.statistics, strict=True)
            if table.runs is base.runs
        }
        pairs = [
            known.get((place, view)) or _tested(base.seen_as(view), self.extra)
            for place, base in enumerate(self.base)
            for view in base.views
        ]
        return _compared(self.base, pairs, self.skipped, self.by, self.extra)


def compare(
    records_dir: Path | Sequence[Path],
    dataset: str | None = None,
    runs: str = "*",
    pipeline: View | Literal["all"] = VALIDATED,
    by: str | None = None,
    metric: str = RANKING,
    seeds: Collection[int] | None = None,
    extra: Extra = NOTHING_MORE,
) -> Comparison:
    """Read the run records of a folder, or of several, and rank them. No volume is read.

    Parameters
    ----------
    records_dir : Path or sequence of Path
        Folders of the records.
    dataset : str, optional
        This data set alone; all that are found, if not given.
    runs : str
        Pattern for the names of the records' folders.
    pipeline : {"validated", "raw", "filtered", "all"}
        Which rows rank among each other: every method with the pipeline that validation chose, with raw maps, or with
        filtered ones; ``all``: a table of each.
    by : str, optional
        Also by sub-group: a column of the split's CSV, or ``lesion-size``.
    metric : str
        What ranks; see :func:`andi_bench.metrics.compared.ranking_metric`.
    seeds : collection of int, optional
        Runs of these seeds alone.
    extra : Extra
        What is shown on demand: among it the records of a run that a later one stands for, because the data were
        corrected meanwhile (:mod:`andi_bench.records.states`).

    Raises
    ------
    UserError
        When there is no such folder, no usable record in it, or none of that data set, seed, pipeline or sub-group;
        for a metric that is unknown or never ranks.
    """
    ranking_metric(metric)
    folders = [records_dir] if isinstance(records_dir, Path) else list(records_dir)
    # carried thresholds are read off the histograms themselves
    found = find_records(folders, runs, whole=extra.carry_thresholds)
    named = ", ".join(map(str, folders))
    skipped = tuple(_short(reason, folders) for _, reason in found.skipped)
    if not found.records:
        more = f"; {len(skipped)} skipped, the first: {skipped[0]}" if skipped else ""
        which = "" if runs == "*" else f" whose name matches '{runs}'"
        raise UserError(f"{named}: no run record{which}, at least one wanted{more}")
    records = _chosen(found.records, dataset, seeds)
    if not extra.older:
        records, left_out = _standing(records)
        skipped += tuple(_short(line, folders) for line in left_out)
    base = build_tables(records, metric, older=extra.older)
    chosen = [table.seen_as(view) for table in base for view in _views(table, pipeline)]
    if not chosen:
        raise UserError(
            f"{named}: no {pipeline} maps in these records, runs with evaluation.median above 1 wanted"
        )
    return _compared(base, [_tested(table, extra) for table in chosen], skipped, by, extra)


def _compared(
    base: Sequence[Table],
    pairs: Sequence[tuple[Table, TableStatistics]],
    skipped: tuple[str, ...],
    by: str | None,
    extra: Extra,
) -> Comparison:
    tables, statistics = tuple(table for table, _ in pairs), tuple(found for _, found in pairs)
    groups = group_tables(tables, by) if by is not None else ()
    agreements, ranks, crossed = _across(tables, extra)
    return Comparison(
        tables,
        skipped,
        groups,
        statistics,
        agreements,
        ranks,
        crossed,
        tuple(group_tests(part.table, part.by, part.members) for part in groups),
        tuple(base),
        by,
        extra,
    )


def _across(
    tables: Sequence[Table], extra: Extra
) -> tuple[tuple[Agreement, ...], tuple[MeanRanks, ...], tuple[CrossTable, ...]]:
    with threadpool_limits(1, "blas"):
        agreements, ranks = between_datasets(tables), mean_ranks(tables)
    return agreements, ranks, cross_tables(tables, carried=extra.carry_thresholds)


def _views(table: Table, pipeline: str) -> tuple[View, ...]:
    """Return the views of a table that are asked for; raw maps that are all there is are those validation "chose"."""
    if pipeline == ALL:
        return table.views
    if pipeline == RAW and len(table.views) == 1:
        return table.views
    return tuple(view for view in table.views if view == pipeline)


def _tested(table: Table, extra: Extra) -> tuple[Table, TableStatistics]:
    # The products are small: a second thread would mostly wait, and rounds sums in another order.
    with threadpool_limits(1, "blas"):
        found = table_statistics(table, extra)
    return with_findings(table, found.pooled_intervals, found.letters), found


def _chosen(
    records: Sequence[RunRecord], dataset: str | None, seeds: Collection[int] | None
) -> list[RunRecord]:
    """Return the records of a data set and of some seeds; all, where none is asked for."""
    chosen = [record for record in records if dataset in (None, record.run.dataset)]
    if dataset is not None and not chosen:
        names = {record.run.dataset for record in records}
        raise unknown_name("dataset among the records", dataset, names)
    if seeds is None:
        return chosen
    known = sorted({record.run.seed for record in chosen})
    for seed in seeds:
        if seed not in known:
            raise UserError(
                f"seed {seed}: no such run, there are those of {', '.join(map(str, known))}"
            )
    return [record for record in chosen if record.run.seed in seeds]


def _standing(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """Return the records that stand, and a line for each that is of an earlier state of the data."""
    gone = superseded(records)
    kept = [record for record in records if record.run.identity not in gone]
    return kept, [
        f"{record.folder}: {why_older(record, gone[record.run.identity])} (--older shows both)"
        for record in records
        if record.run.identity in gone
    ]


def _short(reason: str, folders: Sequence[Path]) -> str:
    """Leave out the folder of the records where there is but one: exports then tell nothing of the machine."""
    return reason.replace(f"{folders[0]}/", "") if len(folders) == 1 else reason
