"""The leaderboard on a terminal: a table that fits, and what had to be left out of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from leaderboard.compare import Comparison
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.across_text import (
    CROSSED,
    NOT_CARRIED,
    RANKS_MEAN,
    Listing,
    agreement_sentence,
    cross_listing,
    ranks_listing,
)
from leaderboard.words.differences import RANK_NUMBERS, rank_cells, rank_heads
from leaderboard.words.group_text import (
    FREE_HEADS,
    FREE_NUMBERS,
    GROUP_HEADS,
    GROUP_NUMBERS,
    PAPER_HEADS,
    PAPER_NUMBERS,
    contrast_sentences,
    free_cells,
    group_cells,
    paper_cells,
)
from leaderboard.words.headline import headline
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.pipeline_text import (
    pipeline_cells,
    pipeline_heads,
    pipeline_note,
    title_in_words,
)
from leaderboard.words.verdicts import sentences

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

WIDTH = 100
LONGEST_LABEL = 30
_GAP = 2


def print_comparison(
    comparison: Comparison, file: IO[str] | None = None, *, pipelines: bool = False
) -> None:
    """Print tables, notes and what was skipped, as wide as the terminal; :data:`WIDTH` columns where there is none.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    file : text stream, optional
        Standard output unless given.
    pipelines : bool
        Show both pipelines of every method too, and which one validation chose.
    """
    from rich.console import Console
    from rich.markup import escape

    stream = file if file is not None else sys.stdout
    console = Console(file=stream, highlight=False, emoji=False, soft_wrap=False)
    # off a terminal rich guesses 80 columns; a log or a pipe has room for the whole width
    console.width = console.width if console.is_terminal else WIDTH
    for table in comparison.tables:
        statistics = comparison.statistics_of(table)
        _print_table(console, table, headline(table, statistics))
        both = pipeline_cells(table) if pipelines else []
        if both:
            heads = pipeline_heads(table)
            console.print("\nBoth pipelines of every method", style="bold")
            console.print(_grid(heads, both, heads[2:-1]))
            console.print(f"  {escape(pipeline_note())}", style="dim")
        _print_statistics(console, statistics)
        for part, tests in comparison.groups_of(table):
            console.print(escape(_printable(f"\nBy {part.by}")), style="bold")
            console.print(_grid(GROUP_HEADS, group_cells(part), GROUP_NUMBERS))
            free = free_cells(part)
            if free:
                title = f"\nBy {part.by}, subjects without a lesion"
                console.print(escape(_printable(title)), style="bold")
                console.print(_grid(FREE_HEADS, free, FREE_NUMBERS))
            for sentence in contrast_sentences(tests):
                console.print(f"  {escape(_printable(sentence))}", style="dim")
    _print_across(console, comparison)
    if comparison.skipped:
        console.print(f"\nLeft out, {len(comparison.skipped)}:", style="bold")
        for reason in comparison.skipped:
            console.print(f"  {escape(_printable(reason))}", soft_wrap=True)


def _print_across(console: Console, comparison: Comparison) -> None:
    """Print what is said of several data sets together."""
    from rich.markup import escape

    def listed(found: Listing) -> None:
        console.print()
        console.print(escape(_printable(found.title)), style="bold")
        console.print(_grid(found.heads, found.cells, found.numbers))

    for ranks in comparison.mean_ranks:
        listed(ranks_listing(ranks))
    if comparison.mean_ranks:
        console.print(f"  {RANKS_MEAN}", style="dim")
    if comparison.agreements:
        console.print("\nKendall's tau between data sets", style="bold")
        for one in comparison.agreements:
            console.print(f"  {escape(_printable(agreement_sentence(one)))}")
    for table in comparison.crossed:
        listed(cross_listing(table))
    if comparison.crossed:
        console.print(f"  {CROSSED}", style="dim")
        if not any(line.threshold_from for table in comparison.crossed for line in table.lines):
            console.print(f"  {NOT_CARRIED}", style="dim")


def _print_statistics(console: Console, statistics: TableStatistics) -> None:
    """Print ranks, groups, verdicts and warnings; pairs are left to the exports."""
    from rich.markup import escape

    family = statistics.family
    if family is not None:
        if family.rankings:
            console.print()
            console.print(escape(_printable(f"Ranks of {family.name}")), style="bold")
            cells = [[*line[:-1], _shortened(line[-1])] for line in rank_cells(family)]
            console.print(_grid(rank_heads(family), cells, RANK_NUMBERS))
            for sentence in sentences(family):
                console.print(f"  {escape(_printable(sentence))}", style="dim")
        for warning in family.warnings:
            console.print(f"  {escape(_printable(warning))}.", style="yellow")
    for warning in statistics.warnings:
        console.print(f"  {escape(_printable(warning))}.", style="yellow")
    if family is not None and family.rankings:
        text = (
            "Rank by the mean, in brackets 95 % over bootstraps of subjects and seeds. Rows that share a letter are not told "
            "apart (mean differences, sign flips, 5 % within the family). All pairs, sources of variance and how it is tested: "
            "--markdown, --json."
        )
        console.print(escape(text), style="dim")


def _shortened(names: str) -> str:
    room = 36
    return names if len(names) <= room else names[: room - 1].rpartition(", ")[0] + ", …"


def fitting(columns: list[Column], table: Table, width: int) -> list[Column]:
    """Columns that fit side by side, the important ones first; those of first priority always stay."""
    room, kept = width + _GAP, []  # the last column needs no gap after it
    for column in sorted(columns, key=lambda column: column.priority):
        needed = _width(column, table) + _GAP
        if column.priority == 0 or needed <= room:
            kept.append(column)
            room -= needed
    return [column for column in columns if column in kept]


def _width(column: Column, table: Table) -> int:
    from rich.cells import cell_len

    heads = (column.narrow or column.header).splitlines()
    return max(map(cell_len, [*heads, *(_cell(column, row) for row in table.shown)]))


def _cell(column: Column, row: Row) -> str:
    text = _printable(column.cell(row).text)
    if column.names and len(text) > LONGEST_LABEL:
        return text[: LONGEST_LABEL - 1] + "…"
    return text


def _printable(text: str) -> str:
    """Take out what would steer the terminal: records may come from elsewhere."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def _grid(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> RichTable:
    """Return cells as a table without lines; long cells are folded."""
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(
        box=None, padding=(0, _GAP, 0, 0), show_edge=False, pad_edge=False, header_style="bold"
    )
    for head in heads:
        grid.add_column(head, justify="right" if head in numbers else "left")
    for line in cells:
        grid.add_row(*(Text(_printable(cell)) for cell in line))
    return grid


def _print_table(console: Console, table: Table, result: str) -> None:
    from rich.markup import escape
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = columns_of(table)
    shown = fitting(columns, table, console.width)
    grid = RichTable(
        box=None, padding=(0, _GAP, 0, 0), show_edge=False, pad_edge=False, header_style="bold"
    )
    for column in shown:
        grid.add_column(
            column.narrow or column.header,
            justify="right" if column.number else "left",
            no_wrap=True,
        )
    for row in table.shown:
        style = "dim" if row.rank is None else ""
        grid.add_row(*(Text(_cell(column, row)) for column in shown), style=style)
    console.print()
    console.print(escape(_printable(title_in_words(table))), style="bold")
    console.print(escape(_printable(f"{result}.")), style="bold")
    console.print(escape(_printable(heading_of(table))), style="dim")
    if table.differs:
        console.print(
            escape(_printable(f"Shown apart, {'; '.join(table.differs)}")), style="yellow"
        )
    console.print(grid)
    for note in notes_of(table, brief=True):
        console.print(f"  {escape(_printable(note))}", style="dim")
    paper = paper_cells(table)
    if paper:
        console.print("\nBy the paper's protocol (never ranks)", style="bold")
        console.print(_grid(PAPER_HEADS, paper, PAPER_NUMBERS))
    left = [column.header for column in columns if column not in shown]
    if left:
        text = f"Left out to fit {console.width} columns: {', '.join(left)}. --markdown, --csv and --json have all."
        console.print(escape(text), style="dim")
