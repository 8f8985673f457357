"""The page's first table, as plain values: one row a method, with a bar beside what ranks."""

from __future__ import annotations

import re
from typing import Any

from leaderboard.exports.page.in_short import in_short, memory_text
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.table import Table
from leaderboard.words.main_table import BEST, Figure, main_columns
from leaderboard.words.methods_text import dated, methods_paragraph
from leaderboard.words.run_facts import plain

_BAR = 100
"""Units from 0 to 1."""


def main_content(table: Table, statistics: TableStatistics) -> dict[str, Any]:
    """Return heads and cells of the first screen; a cell has the lines of its figures and what it is sorted by."""
    columns = main_columns(table, statistics)
    return {
        "dated": plain(dated(table)),
        "short": [
            [_unbroken(plain(part)) for part in pair] for pair in in_short(table, statistics)
        ],
        "paragraph": plain(methods_paragraph(table, statistics)),
        "heads": [
            {
                "kind": column.kind,
                "text": f"{column.whole_head}, memory"
                if column.kind == "seconds"
                else column.whole_head,
                "size": column.size,
                "number": column.number,
                "ranks": column.ranks,
            }
            for column in columns
        ],
        "lines": [
            [
                _cell(column.cells[place], ranks=column.ranks)
                | {"beside": plain(memory_text(row)) if column.kind == "seconds" else ""}
                for column in columns
            ]
            for place, row in enumerate(table.shown)
        ],
    }


def _cell(figures: tuple[Figure, ...], *, ranks: bool) -> dict[str, Any]:
    share = figures[0].share if ranks else None
    return {
        "figures": [[plain(one.text), plain(one.limits)] for one in figures],
        "value": _value(figures[0].text),
        "bar": None if share is None else round(_BAR * min(max(share, 0.0), 1.0), 1),
    }


def _unbroken(text: str) -> str:
    """Return text in which no line ends within an interval, or between it and its number."""
    return re.sub(r" \[[^\]]*\]", lambda found: found[0].replace(" ", "\u00a0"), text)


def _value(text: str) -> float | None:
    """Return what a cell is sorted by; None for words."""
    if text == BEST:
        return 0.0
    found = re.fullmatch(r"<?([+-]?[\d,]*\.?\d+)", text)
    return float(found[1].replace(",", "")) if found else None
