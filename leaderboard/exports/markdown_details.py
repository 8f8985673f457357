"""Everything of a comparison that its first page leaves out, as GitHub Markdown: all columns, tests, definitions, guards, runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from andi_bench.names import counted, part_of
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.exports.markdown_cells import aligned, escaped, listed, opened, plain_table
from leaderboard.exports.markdown_differences import method_parts, statistics_parts
from leaderboard.statistics.group_tests import GroupTests
from leaderboard.statistics.pair_tests import Key
from leaderboard.tables.cells import Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.parts import parts_of, size_of_column
from leaderboard.tables.row import Row
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table
from leaderboard.words.group_text import (
    CONTRAST_HEADS,
    CONTRAST_NUMBERS,
    FREE_HEADS,
    FREE_NUMBERS,
    GROUP_HEADS,
    GROUP_NUMBERS,
    PAPER_HEADS,
    PAPER_NOTE,
    PAPER_NUMBERS,
    contrast_cells,
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
from leaderboard.words.provenance import origins_of
from leaderboard.words.threshold_text import THRESHOLD_HEADS, THRESHOLD_NUMBERS, threshold_cells
from leaderboard.words.verdicts import bold_rows


def to_details(
    comparison: Comparison,
    links: Sequence[Sequence[tuple[str, str]]] | None = None,
    elsewhere: Sequence[str] = (),
    page: str = "",
    head: Sequence[str] = ("# Leaderboard: details",),
    across: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the details: per table all columns in named groups, both pipelines, tests, thresholds, guards, origins.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    links : sequence of sequences of (str, str), optional
        For every table what its figures show, and their files as seen from the page
        (:func:`leaderboard.figures.figure_links`).
    elsewhere : sequence of str
        Ends of the names of figures that the first page shows: of tables that stand there they are left out here.
    page : str
        The first page's file, as seen from this one; "" for none.
    head : sequence of str
        Paragraphs on top, Markdown.
    across : sequence of (str, str)
        What the figures across data sets show, and their files (:func:`leaderboard.figures.crossed_links`).
    """
    parts = [*head]
    if page:
        parts.append(f"Of [{escaped(page)}]({quote(page)}).")
    shown = comparison.main_tables
    for place, table in enumerate(comparison.tables):
        figures = [
            (caption, file)
            for caption, file in (links[place] if links else ())
            if all(table is not one for one in shown)
            or not Path(file).stem.endswith(tuple(elsewhere))
        ]
        parts += _table_parts(comparison, table, figures)
        for group, tests in comparison.groups_of(table):
            parts += _groups(group, tests)
    parts += method_parts(comparison, plain_table, escaped, [_image(*link) for link in across])
    if comparison.tables:
        parts.append(_definitions(comparison))
    if comparison.skipped:
        parts.append("## Left out\n\n" + listed(comparison.skipped))
    return "\n\n".join(parts) + "\n"


def _table_parts(
    comparison: Comparison, table: Table, figures: Sequence[tuple[str, str]]
) -> list[str]:
    statistics = comparison.statistics_of(table)
    heading = f"## {escaped(title_in_words(table))}" + (
        ", measured differently" if table.differs else ""
    )
    parts = [
        heading,
        f"**{escaped(headline(table, statistics))}.**",
        f"`{table.dataset}`: {escaped(heading_of(table))}.",
    ]
    if table.differs:
        parts.append(f"Not comparable with the table above: {escaped('; '.join(table.differs))}.")
    strong = bold_rows(table.metric, statistics)
    for number, (name, columns) in enumerate(parts_of(table)):
        shown = _of_columns(table, columns, strong)
        parts.append(f"### {name}\n\n{shown}" if number == 0 else opened(name, shown))
    pipelines = pipeline_cells(table)
    if pipelines:
        heads = pipeline_heads(table)
        shown = plain_table(heads, pipelines, heads[2:-1])
        parts.append(opened("Both pipelines of every method", f"{pipeline_note()}\n\n{shown}"))
    thresholds = threshold_cells(table)
    if thresholds:
        shown = plain_table(THRESHOLD_HEADS, thresholds, THRESHOLD_NUMBERS)
        parts.append(opened("How far the thresholds hang on the validation subjects", shown))
    paper = paper_cells(table)
    if paper:
        shown = plain_table(PAPER_HEADS, paper, PAPER_NUMBERS)
        parts.append(opened("By the paper's protocol", f"{shown}\n\n{PAPER_NOTE}"))
    notes = notes_of(table)
    if notes:
        parts.append("### Notes\n\n" + listed(notes))
    parts += [_image(caption, file) for caption, file in figures]
    parts += statistics_parts(statistics, plain_table, escaped)
    return [
        *parts,
        "### Guards\n\n" + _guards(table),
        "### Where the rows come from\n\n" + listed(map(_origin, origins_of(table)), raw=True),
    ]


def _image(caption: str, file: str) -> str:
    return f"![{escaped(caption)}]({quote(file)})"


def _of_columns(table: Table, columns: Sequence[Column], strong: dict[str, set[Key]]) -> str:
    cells = [
        [_cell(column, row, row.key in strong.get(column.metric, ())) for column in columns]
        for row in table.shown
    ]
    heads = [
        "<br>".join(filter(None, (column.header, size_of_column(table, column))))
        for column in columns
    ]
    return aligned(heads, cells, [column.number for column in columns])


def _cell(column: Column, row: Row, strong: bool) -> str:
    """Return a cell as Markdown; its value, but not its interval, in bold where that is earned."""
    text = column.cell(row).text
    if not column.number:
        return escaped(text)
    text = text.replace("<", "&lt;")
    head, space, rest = text.partition(" ")
    return f"**{head}**{space}{rest}" if strong else text


def _groups(part: GroupTable, tests: GroupTests) -> list[str]:
    heading = f"### {escaped(title_in_words(part.table))} by {escaped(part.by)}"
    parts = [heading, plain_table(GROUP_HEADS, group_cells(part), GROUP_NUMBERS)]
    free = free_cells(part)
    if free:
        parts += [
            f"{heading}: subjects without a lesion",
            plain_table(FREE_HEADS, free, FREE_NUMBERS),
        ]
    parts.append(listed(contrast_sentences(tests)))
    if tests.contrasts:
        shown = plain_table(CONTRAST_HEADS, contrast_cells(tests), CONTRAST_NUMBERS)
        parts.append(opened(f"All {counted(len(tests.contrasts), 'statement')}", shown))
    return parts


def _definitions(comparison: Comparison) -> str:
    known = {
        column.header: column.definition
        for table in comparison.tables
        for column in columns_of(table)
    }
    lines = [f"- **{escaped(header)}**: {escaped(text)}" for header, text in known.items()]
    return "## What the columns mean\n\n" + "\n".join([*lines, "- –: undefined, or not measured."])


def _guards(table: Table) -> str:
    """Guards of all runs together: passed by how many, failed or unknown where."""
    by_name: dict[str, list[tuple[RunRecord, bool | None, str]]] = {}
    for run in table.runs:
        for guard in run.guards:
            by_name.setdefault(guard.name, []).append((run, guard.passed, guard.detail))
    lines = []
    for name, results in by_name.items():
        passed = sum(result is True for _, result, _ in results)
        line = f"{name}: passed by {part_of(passed, len(results), 'run')}"
        if len(results) < len(table.runs):
            line += f" that it applies to (of {len(table.runs)})"
        for run, result, detail in results:
            if result is not True:
                word = "FAILED" if result is False else "not known"
                line += f"; {word} for {run.run.label}, seed {run.run.seed} ({detail})"
        lines.append(line)
    return listed(lines or ["none recorded"])


def _origin(origin: tuple[str, str, tuple[str, ...]]) -> str:
    name, facts, folders = origin
    return (
        f"**{escaped(name)}**: {escaped(facts)}; {', '.join(f'`{folder}`' for folder in folders)}"
    )
