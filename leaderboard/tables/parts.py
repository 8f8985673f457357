"""The columns of a leaderboard in named groups, in a fixed order, and how many subjects each column is over."""

from __future__ import annotations

from collections.abc import Iterable

from andi_bench.metrics.compared import metric_at
from andi_bench.metrics.points import RANKING, RANKING_POINT, UPPER_BOUND
from andi_bench.records.schema import LESION_ML
from leaderboard.tables.cells import DASH, Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.table import Table

NAMING = ("#", "Method", "Pipeline")
"""Heads of the columns that name a row, and so stand in every group."""

RANKED, THRESHOLDS, LESIONS, SURFACES, LESION_FREE, SCANS, COSTS = (
    "What ranks, and average precision",
    f"Thresholds: other ones, and the best one of the test split ({UPPER_BOUND.name})",
    "Lesions",
    "Surfaces",
    "Subjects without a lesion",
    "Scans as wholes",
    "Costs",
)
PARTS = (RANKED, THRESHOLDS, LESIONS, SURFACES, LESION_FREE, SCANS, COSTS)
"""The groups, in order."""

_OF_KEYS = {
    "lesion": LESIONS,
    "matched": LESIONS,
    "unmatched": LESIONS,
    "hd95": SURFACES,
    "assd": SURFACES,
    "nsd": SURFACES,
}
_OF_WHOM = {"lesion-free": LESION_FREE, "scans": SCANS, "lesions": LESIONS}


def parts_of(table: Table) -> list[tuple[str, list[Column]]]:
    """Return the groups in which a table has anything to say; the columns that name a row stand in each of them."""
    columns = columns_of(table)
    naming = [column for column in columns if column.header in NAMING]
    groups: dict[str, list[Column]] = {name: [] for name in PARTS}
    for column in columns:
        if column.header not in NAMING:
            groups[_part(column, table.metric)].append(column)
    told = [(name, own) for name, own in groups.items() if any(_tells(table, one) for one in own)]
    return [(name, [*naming, *own]) for name, own in told]


def _tells(table: Table, column: Column) -> bool:
    return any(column.cell(row).text != DASH for row in table.shown)


def _part(column: Column, ranks: str) -> str:
    key = column.metric
    if key == ranks:
        return RANKED
    if not key:
        others = set(column.points) - {RANKING_POINT.name}
        return COSTS if column.cost else THRESHOLDS if others else RANKED
    found = metric_at(key)
    if found.metric.over in _OF_WHOM:
        return _OF_WHOM[found.metric.over]
    for head, part in _OF_KEYS.items():
        if key.startswith(head):
            return part
    return RANKED if found.point in (None, RANKING_POINT) else THRESHOLDS


def size_of_column(table: Table, column: Column) -> str:
    """Return how many subjects a column is over, as :func:`size_of` does; "" for words and costs."""
    if column.cost or not column.number or column.header in NAMING:
        return ""
    return size_of(table, column.metric or RANKING)


def size_of(table: Table, key: str) -> str:
    """Return how many subjects a figure of the rows is over: ``n = 45``, ``n = 41 to 45``; "" where nothing tells.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    key : str
        Of what tables compare.
    """
    metric = metric_at(key).metric
    if metric.of_subjects and metric.ratio is None:
        return _span(len(row.values.get(key, {})) for row in table.rows)
    volumes = volumes_of(table)
    ill = sum(volume > 0 for volume in volumes.values())
    if not volumes:
        return ""
    if metric.over == "scans":
        return f"n = {ill} + {len(volumes) - ill}"
    return f"n = {len(volumes)}" if metric.over in ("pooled", "lesions") else f"n = {ill}"


def volumes_of(table: Table) -> dict[str, float]:
    """Return the lesion volume, ml, of every subject that some row was measured on; {} where records do not say."""
    found: dict[str, float] = {}
    for row in table.rows:
        found |= row.values.get(LESION_ML, {})
    return found


def _span(counts: Iterable[int]) -> str:
    known = {count for count in counts if count}
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"n = {low}" if low == high else f"n = {low} to {high}"
