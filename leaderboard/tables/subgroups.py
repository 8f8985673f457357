"""The leaderboard by sub-group: by site, age, sex, any other column of the split, or by lesion size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from andi_bench.errors import unknown_name
from andi_bench.metrics.compared import compared_in_groups, compared_pooled
from andi_bench.records.schema import LESION_ML, NOT_KNOWN, SMALLEST_GROUP
from andi_bench.records.store import Group, Pooled, RunRecord
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate, pooled_estimate, subject_estimates
from leaderboard.tables.subject_values import SubjectTable, subject_tables
from leaderboard.tables.table import Table

LESION_SIZE = "lesion-size"
"""Name of the grouping by quartiles of the lesion volume."""


@dataclass(frozen=True)
class GroupRow:
    """One method on the subjects of one sub-group.

    Parameters
    ----------
    group : str
        Name of the sub-group.
    subjects, lesion_free : int
        How many subjects it has, and how many of them have no lesion.
    label, chain : str
        As in the leaderboard.
    figures : dict of Estimate
        By the keys of :func:`andi_bench.metrics.compared.compared_in_groups`, and pooled ones, which have no limits here; without a
        value where fewer than :data:`~andi_bench.records.schema.SMALLEST_GROUP` subjects are behind it.
    counts : dict of int
        By the same keys, how many subjects are behind a figure; of pooled ones, those with a lesion.
    """

    group: str
    subjects: int
    label: str
    chain: str
    figures: dict[str, Estimate]
    counts: dict[str, int] = field(default_factory=dict)
    lesion_free: int = 0


@dataclass(frozen=True)
class GroupTable:
    """A table of the leaderboard, taken apart by one grouping: group by group, methods in the table's order.

    ``members``: the subjects of each group whose column is filled in, as the newest run has them.
    """

    by: str
    table: Table
    rows: tuple[GroupRow, ...]
    members: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)


def group_tables(tables: Sequence[Table], by: str) -> tuple[GroupTable, ...]:
    """Take the leaderboard's tables apart by a grouping of their subjects.

    Parameters
    ----------
    tables : sequence of Table
        From :func:`leaderboard.tables.table.build_tables`.
    by : str
        Name of the grouping, as in the records: a column of the split's CSV, or ``lesion-size``.

    Raises
    ------
    UserError
        For a grouping that no record has, with the nearest one; or a table of subjects that cannot be read.
    """
    known = {name for table in tables for run in table.runs for name in run.groups}
    if by not in known:
        raise unknown_name("sub-group among the records", by, known)
    return tuple(
        GroupTable(by, table, tuple(_rows(table, by)), _known(table, by))
        for table in tables
        if any(by in run.groups for run in table.runs)
    )


def _known(table: Table, by: str) -> dict[str, frozenset[str]]:
    newest = max((run for run in table.runs if by in run.groups), key=lambda run: run.run.created)
    return {g.name: _members(g) for g in newest.groups[by] if g.name != NOT_KNOWN}


def _rows(table: Table, by: str) -> list[GroupRow]:
    # The columns may have been corrected between two runs: a group is its members, and the newest run's has the name.
    newest_first = sorted(table.runs, key=lambda run: run.run.created, reverse=True)
    groups_of = [group for run in newest_first for group in run.groups.get(by, ())]
    newest = {group.name: _members(group) for group in reversed(groups_of)}
    in_order = [group for run in table.runs for group in run.groups.get(by, ())]
    names = dict.fromkeys((group.name, _members(group)) for group in in_order)
    # rows of one method share its runs, whose tables of subjects are then read once
    read: dict[tuple[str, ...], list[SubjectTable]] = {}
    out = []
    for name in names:
        for row in table.rows:
            parts = [_part(run, by, *name) for run in row.runs]
            if any(part is None for part in parts):
                continue
            groups = [part for part in parts if part is not None]
            key = tuple(run.run.identity for run in row.runs)
            if key not in read:
                read[key] = subject_tables(row.runs)
            found = _row(row, groups, read[key])
            same = newest[name[0]] == name[1]
            out.append(found if same else replace(found, group=f"{found.group} (earlier columns)"))
    return out


def _members(group: Group) -> frozenset[str]:
    return frozenset(group.subjects)


def _part(run: RunRecord, by: str, name: str, members: frozenset[str]) -> Group | None:
    groups = run.groups.get(by, ())
    return next((g for g in groups if g.name == name and _members(g) == members), None)


def _row(row: Row, groups: Sequence[Group], tables: Sequence[SubjectTable]) -> GroupRow:
    """Estimate as the leaderboard does, on the records cut down to the group."""
    members = groups[0].subjects
    runs = [
        run.model_copy(update={"summary": group.results})
        for run, group in zip(row.runs, groups, strict=True)
    ]
    lines = [table.only(members) for table in tables]
    figures = subject_estimates(runs, lines, row.chain, compared_in_groups())
    counts = {
        found.key: min((len(line.values(row.chain, found)) for line in lines), default=0)
        for found in compared_in_groups()
    }
    ill = min((_with_lesion(line, row.chain, members) for line in lines), default=0)
    pooled = [
        group.results[row.chain].pooled if row.chain in group.results else Pooled()
        for group in groups
    ]
    for found in compared_pooled():
        if "groups" in found.metric.shown:
            figures[found.key] = pooled_estimate(pooled, found.metric.field)
            counts[found.key] = ill
    # older records have figures of single subjects too
    figures = {
        key: own if counts[key] >= SMALLEST_GROUP else Estimate(undefined=own.undefined)
        for key, own in figures.items()
    }
    volumes = lines[0].column(row.chain, LESION_ML) if lines else {}
    free = sum(volume == 0 for volume in volumes.values())
    return GroupRow(groups[0].name, len(members), row.label, row.chain, figures, counts, free)


def _with_lesion(lines: SubjectTable, chain: str, members: Sequence[str]) -> int:
    """Count the subjects with a lesion; all, where the table does not say."""
    volumes = lines.column(chain, LESION_ML)
    return sum(volumes.get(name, 1.0) > 0 for name in members)
