"""Compare the runs of a folder: the one call behind ``python -m benchmark compare``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UserError, unknown_name
from benchmark.records import find_records
from leaderboard.statistics import Agreement, TableStatistics, between_datasets, table_statistics
from leaderboard.subgroups import GroupTable, group_tables
from leaderboard.table import Table, build_tables, with_limits


@dataclass(frozen=True)
class Comparison:
    """Tables of comparable runs, data set by data set, and what was left out.

    Parameters
    ----------
    tables : tuple of Table
        Per data set the main table first, then those measured differently.
    skipped : tuple of str
        A line for each folder that could not be used: which, and why.
    groups : tuple of GroupTable
        The tables by sub-group, where that was asked for.
    statistics : tuple of TableStatistics
        One a table, in the same order.
    agreements : tuple of Agreement
        Between the rankings of the data sets.
    """

    tables: tuple[Table, ...]
    skipped: tuple[str, ...] = ()
    groups: tuple[GroupTable, ...] = ()
    statistics: tuple[TableStatistics, ...] = ()
    agreements: tuple[Agreement, ...] = ()

    def statistics_of(self, table: Table) -> TableStatistics:
        """Return the statistics of one of the tables; empty where they were not asked for."""
        for own, found in zip(self.tables, self.statistics, strict=False):
            if own is table:
                return found
        return TableStatistics()


def compare(
    records_dir: Path,
    dataset: str | None = None,
    runs: str = "*",
    chain: str | None = None,
    by: str | None = None,
) -> Comparison:
    """Read the run records of a folder and rank them. No volume is read.

    Parameters
    ----------
    records_dir : Path
        Folder of the records.
    dataset : str, optional
        This data set alone; all that are found, if not given.
    runs : str
        Pattern for the names of the records' folders.
    chain : str, optional
        This post-processing alone.
    by : str, optional
        Also by sub-group: a column of the split's CSV, or ``lesion-size``.

    Raises
    ------
    UserError
        When there is no such folder, no usable record in it, or none of that data set, chain or sub-group.
    """
    found = find_records(records_dir, runs)
    skipped = tuple(reason.replace(f"{records_dir}/", "") for _, reason in found.skipped)
    if not found.records:
        more = f"; {len(skipped)} skipped, the first: {skipped[0]}" if skipped else ""
        which = "" if runs == "*" else f" whose name matches '{runs}'"
        raise UserError(f"{records_dir}: no run record{which}, at least one wanted{more}")
    records = found.records
    if dataset is not None:
        records = [record for record in records if record.run.dataset == dataset]
        if not records:
            names = {record.run.dataset for record in found.records}
            raise unknown_name("dataset among the records", dataset, names)
    built = build_tables(records, chain)
    statistics = tuple(map(table_statistics, built))
    tables = tuple(
        with_limits(table, found.pooled_intervals)
        for table, found in zip(built, statistics, strict=True)
    )
    groups = group_tables(tables, by) if by is not None else ()
    return Comparison(tables, skipped, groups, statistics, between_datasets(tables, statistics))
