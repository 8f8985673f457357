"""What is said of reference rows, and of methods that do not leave them behind."""

from __future__ import annotations

from andi_bench.metrics.compared import title_of
from leaderboard.tables.references import FAMILY, below_references, no_better
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table


def reference_notes(table: Table) -> list[str]:
    """Return what the references are, and a line for each row that is no better than one of them."""
    if not table.references:
        return []
    return [
        "Reference rows are no entrants: they never rank and are in no test. 'nothing' detects nothing, 'everything' the whole "
        "brain; their AP is the share of lesion voxels.",
        *no_better_notes(table),
        *below_notes(table),
    ]


def no_better_notes(table: Table) -> list[str]:
    """Return a line for each row that is no better than a reference."""
    lines = []
    for row in table.rows:
        found = no_better(row, table.references)
        if found:
            text = ", ".join(_said(row, key, other) for key, other in found)
            lines.append(f"{row.label} ({row.chain}) is no better than a reference: {text}.")
    return lines


def below_notes(table: Table) -> list[str]:
    """Return a line for each reference that looks at scans, with the methods whose mean Dice lies below its own; nothing is tested."""
    lines = []
    for name, value, below in below_references(table.rows, table.references):
        who = ", ".join(below)
        lines.append(f"Below {name} ({FAMILY}; Dice {value:.3f}), by the mean, not tested: {who}.")
    return lines


def _said(row: Row, key: str, other: Row) -> str:
    own, best = row.figures[key].value, other.figures[key].value
    return f"{title_of(key)} {own:.3f}, {other.label} {best:.3f}"
