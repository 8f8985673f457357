"""A comparison as GitHub Markdown. The same records give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from andi_bench.files import write_atomically
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.exports.markdown_differences import method_parts, statistics_parts
from leaderboard.statistics.group_tests import GroupTests
from leaderboard.statistics.pair_tests import Key
from leaderboard.tables.cells import Column
from leaderboard.tables.columns import columns_of
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
from leaderboard.words.threshold_text import THRESHOLD_HEADS, THRESHOLD_NUMBERS, threshold_cells
from leaderboard.words.verdicts import bold_rows

_NAMING = ("#", "Method", "Pipeline")
"""Columns that name a row, and so stand in every part of a table."""


def write_markdown(comparison: Comparison, path: Path, drawn: Sequence[Path] = ()) -> None:
    """Write the comparison as Markdown, with the figures that were drawn of it.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    path : Path
        File to write.
    drawn : sequence of Path
        From :func:`leaderboard.figures.write_figures`.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    links = None
    if drawn:
        from leaderboard.figures import figure_links

        links = figure_links(comparison, drawn, path)
    write_atomically(path, to_markdown(comparison, links))


def to_markdown(
    comparison: Comparison, links: Sequence[Sequence[tuple[str, str]]] | None = None
) -> str:
    """Return the comparison as GitHub Markdown, every column defined, every run's origin said.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    links : sequence of sequences of (str, str), optional
        For every table what its figures show, and their files as seen from the page
        (:func:`leaderboard.figures.figure_links`).
    """
    parts = ["# Leaderboard"]
    for place, table in enumerate(comparison.tables):
        parts += _table_parts(comparison, table, links[place] if links else ())
        for group, tests in comparison.groups_of(table):
            parts += _groups(group, tests)
    parts += method_parts(comparison, plain_table, _escaped)
    if comparison.tables:
        parts.append(_definitions(comparison))
    if comparison.skipped:
        parts.append("## Left out\n\n" + _list(comparison.skipped))
    return "\n\n".join(parts) + "\n"


def _table_parts(
    comparison: Comparison, table: Table, links: Sequence[tuple[str, str]]
) -> list[str]:
    statistics = comparison.statistics_of(table)
    columns = columns_of(table)
    heading = f"## {_escaped(title_in_words(table))}" + (
        ", measured differently" if table.differs else ""
    )
    parts = [
        heading,
        f"**{_escaped(headline(table, statistics))}.**",
        f"`{table.dataset}`: {_escaped(heading_of(table))}.",
    ]
    if table.differs:
        parts.append(f"Not comparable with the table above: {_escaped('; '.join(table.differs))}.")
    strong = bold_rows(table.metric, statistics)
    named = [column for column in columns if column.header in _NAMING]
    further = [column for column in columns if not column.main]
    parts.append(_of_columns(table, [column for column in columns if column.main], strong))
    if further:
        parts.append(_opened("Details", _of_columns(table, [*named, *further], strong)))
    pipelines = pipeline_cells(table)
    if pipelines:
        heads = pipeline_heads(table)
        shown = plain_table(heads, pipelines, heads[2:-1])
        parts.append(_opened("Both pipelines of every method", f"{pipeline_note()}\n\n{shown}"))
    notes = notes_of(table)
    if notes:
        parts.append("Notes\n\n" + _list(notes))
    parts += [f"![{_escaped(caption)}]({quote(file)})" for caption, file in links]
    parts += statistics_parts(statistics, plain_table, _escaped)
    thresholds = threshold_cells(table)
    if thresholds:
        parts += [
            "<details><summary>How far the thresholds hang on the validation subjects</summary>",
            plain_table(THRESHOLD_HEADS, thresholds, THRESHOLD_NUMBERS),
            "</details>",
        ]
    paper = paper_cells(table)
    if paper:
        parts += [
            "By the paper's protocol",
            plain_table(PAPER_HEADS, paper, PAPER_NUMBERS),
            PAPER_NOTE,
        ]
    return [
        *parts,
        "Guards\n\n" + _guards(table),
        "Runs\n\n" + _list(map(_origin, table.runs), raw=True),
    ]


def _of_columns(table: Table, columns: Sequence[Column], strong: dict[str, set[Key]]) -> str:
    cells = [
        [_cell(column, row, row.key in strong.get(column.metric, ())) for column in columns]
        for row in table.shown
    ]
    heads = [column.header for column in columns]
    return _aligned(heads, cells, [column.header for column in columns if column.number])


def _opened(summary: str, text: str) -> str:
    """Return a part that a reader opens."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _cell(column: Column, row: Row, strong: bool) -> str:
    """Return a cell as Markdown; its value, but not its interval, in bold where that is earned."""
    text = column.cell(row).text
    if not column.number:
        return _escaped(text)
    text = text.replace("<", "&lt;")
    head, space, rest = text.partition(" ")
    return f"**{head}**{space}{rest}" if strong else text


def _groups(part: GroupTable, tests: GroupTests) -> list[str]:
    heading = f"### {_escaped(title_in_words(part.table))} by {_escaped(part.by)}"
    parts = [heading, plain_table(GROUP_HEADS, group_cells(part), GROUP_NUMBERS)]
    free = free_cells(part)
    if free:
        parts += [
            f"{heading}: subjects without a lesion",
            plain_table(FREE_HEADS, free, FREE_NUMBERS),
        ]
    parts.append(_list(contrast_sentences(tests)))
    if tests.contrasts:
        parts += [
            f"<details><summary>All {len(tests.contrasts)} statements</summary>",
            plain_table(CONTRAST_HEADS, contrast_cells(tests), CONTRAST_NUMBERS),
            "</details>",
        ]
    return parts


def plain_table(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> str:
    """Return a Markdown table of plain text; ``numbers``: heads of the columns that are aligned to the right."""
    shown = [
        [
            cell.replace("<", "&lt;") if head in numbers else _escaped(cell)
            for head, cell in zip(heads, line, strict=True)
        ]
        for line in cells
    ]
    return _aligned(heads, shown, numbers)


def _aligned(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> str:
    from tabulate import tabulate

    align = ["right" if head in numbers else "left" for head in heads]
    return tabulate(
        cells,
        list(heads),
        tablefmt="github",
        colalign=align if cells else None,
        disable_numparse=True,
    )


def _definitions(comparison: Comparison) -> str:
    known = {
        column.header: column.definition
        for table in comparison.tables
        for column in columns_of(table)
    }
    lines = [f"- **{_escaped(header)}**: {_escaped(text)}" for header, text in known.items()]
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
        line = f"{name}: passed by {passed} of {len(results)} runs"
        if len(results) < len(table.runs):
            line += f" that it applies to (of {len(table.runs)})"
        for run, result, detail in results:
            if result is not True:
                word = "FAILED" if result is False else "not known"
                line += f"; {word} for {run.run.label}, seed {run.run.seed} ({detail})"
        lines.append(line)
    return _list(lines or ["none recorded"])


def _origin(run: RunRecord) -> str:
    info, source = run.run, run.provenance
    git = source.get("git")
    revision = None
    if isinstance(git, dict) and git.get("commit"):
        revision = f"commit {str(git['commit'])[:12]}" + (
            " with changes" if git.get("changed") else ""
        )
    packages = source.get("packages")
    torch = packages.get("torch") if isinstance(packages, dict) else None
    parts = [
        f"{info.label}, seed {info.seed}" + (f", preset {info.preset}" if info.preset else ""),
        f"created {info.created}" if info.created else None,
        f"andi-bench {source['andi_bench']}" if source.get("andi_bench") else None,
        revision,
        f"Python {source['python']}" if source.get("python") else None,
        f"torch {torch}" if torch else None,
        str(source["system"]) if source.get("system") else None,
        run.costs.device or None,
        run.method.paper or None,
    ]
    return f"`{info.folder_name}`: " + _escaped("; ".join(part for part in parts if part))


def _list(lines: Any, raw: bool = False) -> str:
    return "\n".join(f"- {line if raw else _escaped(line)}" for line in lines)


def _escaped(text: str) -> str:
    """Keep a name with markup from becoming markup, and a bar from ending a cell."""
    for mark in "\\`*_|[]":
        text = text.replace(mark, f"\\{mark}")
    text = " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").split())
    return f"\\{text}" if text[:1] in {"#", "-", "+", "~"} else text
