"""Rows of a listing, printed as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

WIDTH = 100
_UNBROKEN = ("method", "dataset", "option", "subject")
"""Columns of names, which are for copying."""


def print_rows(title: str, rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows on standard output.

    Parameters
    ----------
    title : str
        Stands above the table.
    rows : sequence of dict
        All with the same keys; a column that is empty in every row is left out of the table.
    as_json : bool
        Print them as JSON, empty columns too.
    """
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    empty = (None, "")
    columns = [k for k in (rows[0] if rows else {}) if any(row[k] not in empty for row in rows)]
    table = Table(title=title)
    for column in columns:
        table.add_column(column, no_wrap=column in _UNBROKEN)
    for row in rows:
        table.add_row(*(escape("" if row[c] is None else str(row[c])) for c in columns))
    Console(width=None if Console().is_terminal else WIDTH).print(table)
