"""Tables on a terminal: as wide as it is, a row in one line or in two, and what had to be left out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import Column
from leaderboard.tables.parts import NAMING, size_of_column
from leaderboard.tables.table import Table
from leaderboard.words.main_table import MainColumn, main_columns
from leaderboard.words.run_facts import plain

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

LONGEST_LABEL = 30
SHORT_LABEL = 22
"""Longest name in one line where a row has two."""

GAP, NARROW_GAP = 2, 1
_MOST_LINES = 4
BAR = 10
"""Cells of the bar from 0 to 1."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class _Laid:
    """A column as it is laid out: lines of its head, and of each cell; ``bar``: shares that are drawn, not written."""

    column: MainColumn
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    bar: tuple[float | None, ...] = ()

    @property
    def width(self) -> int:
        from rich.cells import cell_len

        if self.bar:
            return BAR
        return max(cell_len(line) for cell in (self.head, *self.cells) for line in cell or ("",))


def main_grid(
    table: Table, statistics: TableStatistics, width: int, *, bars: bool
) -> tuple[RichTable, list[str]]:
    """Return the table of the first screen, and the heads that were left out to fit.

    Every column in one line a row where there is room; else in two, with the interval below its number; else without
    the least important columns.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    statistics : TableStatistics
        The table's.
    width : int
        Columns of the terminal.
    bars : bool
        Whether to draw what ranks as a bar where there is room: on a terminal with colours.
    """
    columns = [one for column in main_columns(table, statistics) for one in column.apart()]
    laid, gap = [_in_one_line(column) for column in columns], GAP
    if _total(laid, gap) > width:
        laid = [_in_two_lines(column) for column in columns]
    if _total(laid, gap) > width:
        gap = NARROW_GAP
    kept = _fitting(laid, gap, width)
    if bars and len(kept) == len(laid):
        kept = _with_bar(kept, gap, width)
    left = [one.column.head for one in laid if one not in kept]
    return _grid(kept, table, gap), left


def _in_one_line(column: MainColumn) -> _Laid:
    if column.kind == "method":
        names = (", ".join(filter(None, (one.text, one.limits))) for (one,) in column.cells)
        return _headed(column, tuple(_folded(name, LONGEST_LABEL) for name in names))
    return _headed(column, tuple((plain(one.whole),) for (one,) in column.cells))


def _in_two_lines(column: MainColumn) -> _Laid:
    if column.kind == "method":
        cells = tuple(
            (*_folded(one.text, SHORT_LABEL), *filter(None, (one.limits,)))
            for (one,) in column.cells
        )
        return _headed(column, cells)
    texts = ((one.text, one.limits) for (one,) in column.cells)
    return _headed(column, tuple(tuple(plain(text) for text in both if text) for both in texts))


def _folded(name: str, width: int) -> tuple[str, ...]:
    """Fold a name, for names that are cut may look alike; what is longer than any name is cut."""
    return tuple(textwrap.wrap(_cut(plain(name), _MOST_LINES * width), width)) or ("",)


def _headed(column: MainColumn, cells: tuple[tuple[str, ...], ...]) -> _Laid:
    """Break the head into lines that are no wider than the cells, as far as its words allow."""
    room = max((len(line) for cell in cells for line in cell), default=0)
    words = column.head.replace("@", " @").replace("s/volume", "s/ volume")
    room = max(room, *map(len, words.split()))
    wrapped = textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)
    lines = [line.replace(" @", "@").replace("s/ volume", "s/volume") for line in wrapped]
    if column.size:
        lines += [column.size]
    return _Laid(column, tuple(lines), cells)


def _total(laid: Sequence[_Laid], gap: int) -> int:
    return sum(one.width + gap for one in laid) - gap


def _fitting(laid: Sequence[_Laid], gap: int, width: int) -> list[_Laid]:
    """Return the columns that fit, the important ones first; those of first priority always stay."""
    room, kept = width + gap, []
    for one in sorted(laid, key=lambda one: one.column.priority):
        if one.column.priority == 0 or one.width + gap <= room:
            kept.append(one)
            room -= one.width + gap
    return [one for one in laid if one in kept]


def _with_bar(laid: list[_Laid], gap: int, width: int) -> list[_Laid]:
    """Put a bar behind what ranks, where that is a share and there is room."""
    place = next((k for k, one in enumerate(laid) if one.column.ranks), None)
    if place is None or _total(laid, gap) + gap + BAR > width:
        return laid
    shares = tuple(cell[0].share for cell in laid[place].column.cells)
    if all(share is None for share in shares):
        return laid
    drawn = replace(laid[place], head=("",), cells=(), bar=shares)
    return [*laid[: place + 1], drawn, *laid[place + 1 :]]


def _bar(share: float | None) -> Text:
    from rich.text import Text

    if share is None:
        return Text("")
    eighths = round(min(max(share, 0.0), 1.0) * BAR * 8)
    full, rest = divmod(eighths, 8)
    return Text("█" * full + (_EIGHTHS[rest] if rest else ""), style="cyan")


def _grid(laid: Sequence[_Laid], table: Table, gap: int) -> RichTable:
    from rich.text import Text

    grid = _empty(gap)
    for one in laid:
        right = one.column.number and not one.bar
        grid.add_column("\n".join(one.head), justify="right" if right else "left", no_wrap=True)
    for place, row in enumerate(table.shown):
        cells = [
            _bar(one.bar[place]) if one.bar else Text("\n".join(one.cells[place])) for one in laid
        ]
        grid.add_row(*cells, style="dim" if row.rank is None else "")
    return grid


def part_grids(table: Table, columns: Sequence[Column], width: int) -> list[RichTable]:
    """Return the columns of a named group as tables that fit, each with the columns that name a row."""
    from rich.text import Text

    naming = [column for column in columns if column.header in NAMING]
    chunks: list[list[Column]] = []
    room = 0
    for column in columns[len(naming) :]:
        needed = _column_width(table, column) + GAP
        if not chunks or needed > room:
            chunks.append([])
            room = width + GAP - sum(_column_width(table, one) + GAP for one in naming)
        chunks[-1].append(column)
        room -= needed
    grids = []
    for chunk in chunks:
        grid = _empty(GAP)
        for column in (*naming, *chunk):
            head = "\n".join(_head_lines(table, column))
            grid.add_column(head, justify="right" if column.number else "left", no_wrap=True)
        for row in table.shown:
            cells = (
                Text(_cell_text(column, column.cell(row).text)) for column in (*naming, *chunk)
            )
            grid.add_row(*cells, style="dim" if row.rank is None else "")
        grids.append(grid)
    return grids


def _head_lines(table: Table, column: Column) -> list[str]:
    lines = (column.narrow or column.header).splitlines()
    size = size_of_column(table, column)
    return [*lines, size] if size else lines


def _column_width(table: Table, column: Column) -> int:
    from rich.cells import cell_len

    cells = (_cell_text(column, column.cell(row).text) for row in table.shown)
    return max(map(cell_len, (*_head_lines(table, column), *cells)))


def _cell_text(column: Column, text: str) -> str:
    return _cut(plain(text), LONGEST_LABEL) if column.names else plain(text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def text_grid(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> RichTable:
    """Return texts as a table without lines; long cells are folded."""
    from rich.text import Text

    grid = _empty(GAP)
    for head in heads:
        grid.add_column(head, justify="right" if head in numbers else "left")
    for line in cells:
        grid.add_row(*(Text(plain(cell)) for cell in line))
    return grid


def _empty(gap: int) -> RichTable:
    from rich.table import Table as RichTable

    return RichTable(
        box=None, padding=(0, gap, 0, 0), show_edge=False, pad_edge=False, header_style="bold"
    )
