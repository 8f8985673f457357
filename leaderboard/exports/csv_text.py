"""A comparison as CSV. The same records give the same bytes."""

from __future__ import annotations

import csv
import io

from leaderboard.compare import Comparison
from leaderboard.exports.plain_rows import flat, flat_groups


def to_csv(comparison: Comparison) -> str:
    """Return all rows as CSV, or all rows by sub-group where the comparison has them.

    An empty cell is an undefined value, lists are joined by blanks.
    """
    rows = [flat(table, row) for table in comparison.tables for row in table.shown]
    if comparison.groups:
        rows = [line for part in comparison.groups for line in flat_groups(part)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in row.items()}
        )
    return out.getvalue()
