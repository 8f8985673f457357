"""The leaderboard on a terminal: the result, one row a method, and what a reader must know beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from leaderboard.compare import Comparison
from leaderboard.exports.terminal_rows import main_grid, part_grids, text_grid
from leaderboard.statistics.family import Family
from leaderboard.tables.parts import parts_of
from leaderboard.tables.table import Table
from leaderboard.words.across_text import (
    CROSSED,
    NOT_CARRIED,
    RANKS_MEAN,
    Listing,
    agreement_sentence,
    cross_listing,
    cross_notes,
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
from leaderboard.words.main_table import CLEAN
from leaderboard.words.methods_text import dated
from leaderboard.words.notes import first_notes, heading_of, in_short, notes_of
from leaderboard.words.pipeline_text import (
    pipeline_cells,
    pipeline_heads,
    pipeline_note,
    title_in_words,
)
from leaderboard.words.run_facts import plain
from leaderboard.words.verdicts import power_sentences, sentences

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 100


def print_comparison(
    comparison: Comparison,
    file: IO[str] | None = None,
    *,
    pipelines: bool = False,
    details: bool = False,
) -> None:
    """Print results, tables, notes and what was skipped, as wide as the terminal; :data:`WIDTH` columns where there is none.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    file : text stream, optional
        Standard output unless given.
    pipelines : bool
        Show both pipelines of every method too, and which one validation chose.
    details : bool
        Show all columns in named groups too, ranks, all notes, and what the tests say beside.
    """
    from rich.console import Console, ConsoleDimensions

    stream = file if file is not None else sys.stdout
    console = Console(file=stream, highlight=False, emoji=False, soft_wrap=False)
    columns = os.environ.get("COLUMNS", "")
    if console.is_terminal and columns.isdecimal() and int(columns):
        # rich before 15 takes a terminal without a cursor for 80 columns of 25 lines, whatever COLUMNS says
        console.size = ConsoleDimensions(int(columns), console.height)
    # off a terminal rich guesses 80 columns; a log or a pipe has room for the whole width
    console.width = console.width if console.is_terminal else WIDTH
    said: set[str] = set()
    for table in comparison.tables:
        _print_table(console, comparison, table, said)
        if details:
            _print_details(console, comparison, table)
        if pipelines or details:
            _print_pipelines(console, table)
        _print_groups(console, comparison, table)
    _print_across(console, comparison)
    if comparison.tables:
        _print_legend(console, comparison, details)
    if comparison.skipped:
        console.print(f"\nLeft out, {len(comparison.skipped)}:", style="bold")
        for reason in comparison.skipped:
            _say(console, f"  {reason}", soft_wrap=True)


def _say(console: Console, text: str, style: str = "", *, soft_wrap: bool = False) -> None:
    from rich.markup import escape

    console.print(escape(plain(text)), style=style, soft_wrap=soft_wrap)


def _print_table(console: Console, comparison: Comparison, table: Table, said: set[str]) -> None:
    """Print the first screen of a table; a warning that stands above already is not repeated."""
    statistics = comparison.statistics_of(table)
    console.print()
    _say(console, title_in_words(table), "bold")
    _say(console, f"{headline(table, statistics)}.", "bold")
    _say(console, dated(table), "dim")
    if table.differs:
        _say(console, f"Shown apart, {in_short(table)}", "yellow")
    bars = console.is_terminal and console.color_system is not None
    grid, left = main_grid(table, statistics, console.width, bars=bars)
    console.print(grid)
    if left:
        _say(console, f"Left out to fit {console.width} columns: {', '.join(left)}.", "dim")
    family = statistics.family
    warnings = [*(family.warnings if family else ()), *statistics.warnings]
    _say_once(console, [f"{text}." for text in warnings], "yellow", table, said)
    power = power_sentences(family)[:1] if family else []
    _say_once(console, [*first_notes(table), *power], "dim", table, said)
    paper = paper_cells(table)
    if paper:
        console.print("\nBy the paper's protocol (never ranks)", style="bold")
        console.print(text_grid(PAPER_HEADS, paper, PAPER_NUMBERS))


def _say_once(
    console: Console, lines: Sequence[str], style: str, table: Table, said: set[str]
) -> None:
    """Print what does not stand above already; below the main table also what was said there of other rows."""
    for line in lines:
        kind = line.partition(": ")[2] or line
        if line not in said and not (table.differs and kind in said):
            _say(console, f"  {line}", style)
        said |= {line, kind}


def _print_details(console: Console, comparison: Comparison, table: Table) -> None:
    """Print all columns in named groups, ranks, all notes, and what the tests say beside."""
    console.print()
    _say(console, heading_of(table), "dim")
    for name, columns in parts_of(table):
        for number, grid in enumerate(part_grids(table, columns, console.width)):
            console.print()
            if number == 0:
                console.print(name, style="bold")
            console.print(grid)
    family = comparison.statistics_of(table).family
    if family is not None:
        _print_ranks(console, family)
    console.print("\nNotes", style="bold")
    for note in notes_of(table, brief=True):
        _say(console, f"  {note}", "dim")


def _print_ranks(console: Console, family: Family) -> None:
    """Print ranks, groups and what the tests say; pairs are left to the exports."""
    if family.rankings:
        console.print()
        _say(console, f"Ranks of {family.name}", "bold")
        cells = [[*line[:-1], _shortened(line[-1])] for line in rank_cells(family)]
        console.print(text_grid(rank_heads(family), cells, RANK_NUMBERS))
    for sentence in sentences(family):
        _say(console, f"  {sentence}", "dim")


def _shortened(names: str) -> str:
    room = 36
    return names if len(names) <= room else names[: room - 1].rpartition(", ")[0] + ", …"


def _print_pipelines(console: Console, table: Table) -> None:
    both = pipeline_cells(table)
    if both:
        heads = pipeline_heads(table)
        console.print("\nBoth pipelines of every method", style="bold")
        console.print(text_grid(heads, both, heads[2:-1]))
        _say(console, f"  {pipeline_note()}", "dim")


def _print_groups(console: Console, comparison: Comparison, table: Table) -> None:
    for part, tests in comparison.groups_of(table):
        console.print()
        _say(console, f"By {part.by}", "bold")
        console.print(text_grid(GROUP_HEADS, group_cells(part), GROUP_NUMBERS))
        free = free_cells(part)
        if free:
            console.print()
            _say(console, f"By {part.by}, subjects without a lesion", "bold")
            console.print(text_grid(FREE_HEADS, free, FREE_NUMBERS))
        for sentence in contrast_sentences(tests):
            _say(console, f"  {sentence}", "dim")


def _print_across(console: Console, comparison: Comparison) -> None:
    """Print what is said of several data sets together."""

    def listed(found: Listing) -> None:
        console.print()
        _say(console, found.title, "bold")
        console.print(text_grid(found.heads, found.cells, found.numbers))

    for ranks in comparison.mean_ranks:
        listed(ranks_listing(ranks))
    if comparison.mean_ranks:
        _say(console, f"  {RANKS_MEAN}", "dim")
    if comparison.agreements:
        console.print("\nKendall's tau between data sets", style="bold")
        for one in comparison.agreements:
            _say(console, f"  {agreement_sentence(one)}")
    for table in comparison.crossed:
        listed(cross_listing(table))
        for note in cross_notes(table):
            _say(console, f"  {note}", "dim")
    if comparison.crossed:
        _say(console, f"  {CROSSED}", "dim")
        if not any(line.threshold_from for table in comparison.crossed for line in table.lines):
            _say(console, f"  {NOT_CARRIED}", "dim")


def _print_legend(console: Console, comparison: Comparison, details: bool) -> None:
    """Say once, below all tables, how to read them."""
    parts = ["Brackets: 95 %."]
    if any(found.family and found.family.tests for found in comparison.statistics):
        parts.append(
            "Rows that share a letter are not told apart (sign flips, 5 % within the family), which is no proof that they are equal; "
            "difference: of the means, the interval that of one pair."
        )
    if _any_row(comparison.tables, CLEAN):
        parts.append(
            "Clean: share of the lesion-free subjects in whom nothing is detected; FP: what is detected in them."
        )
    more = "" if details else "All columns, ranks, all notes: --details. "
    parts.append(f"{more}All pairs, and how it is tested: --markdown, --html, --json.")
    console.print()
    _say(console, " ".join(parts), "dim")


def _any_row(tables: Iterable[Table], key: str) -> bool:
    return any(row.values.get(key) for table in tables for row in table.rows)
