"""The leaderboard as Markdown, CSV and JSON. The same records give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.exports.markdown_statistics import method_parts, statistics_parts
from leaderboard.exports.statistics_values import plain, statistics_content
from leaderboard.tables.columns import Column, columns_of
from leaderboard.tables.measures import SUBJECT_METRICS, TITLES
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Row, Table
from leaderboard.words.group_text import (
    GROUP_HEADS,
    GROUP_NUMBERS,
    PAPER_HEADS,
    PAPER_NOTE,
    PAPER_NUMBERS,
    group_cells,
    paper_cells,
)
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.statistics_text import bold_keys


def flat(table: Table, row: Row) -> dict[str, Any]:
    """Return a row as plain values by name, unrounded; None where undefined, seeds and runs as lists.

    A figure ``x`` comes as ``x``, ``x_low``, ``x_high`` (95 % over subjects), ``x_median``, ``x_seed_sd``,
    ``x_undefined`` (subjects).
    """
    out: dict[str, Any] = {
        "dataset": table.dataset,
        "split": table.split,
        "differs": "; ".join(table.differs),
        "rank": row.rank,
        "method": row.method,
        "label": row.label,
        "chain": row.chain,
        "preset": row.runs[0].run.preset,
        "seeds": list(row.seeds),
        "unranked": row.reason,
    }
    for name, figure in row.figures.items():
        out[name] = figure.value
        if name != "prevalence":
            out |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
        if name in SUBJECT_METRICS:
            out[f"{name}_median"] = figure.median
        out[f"{name}_seed_sd"] = figure.seed_sd
        if name in SUBJECT_METRICS:
            out[f"{name}_undefined"] = figure.undefined
    out["oracle_gap"] = row.oracle_gap
    return {**out, **row.costs, "runs": [run.run.folder_name for run in row.runs]}


def to_json(comparison: Comparison) -> str:
    """Return the comparison as JSON: tables with protocol, definitions, rows and statistics, sub-groups, what was skipped."""
    tables = [
        {
            "dataset": table.dataset,
            "title": table.title,
            "split": table.split,
            "differs": list(table.differs),
            "protocol": table.protocol.model_dump(),
            "definitions": {column.header: column.definition for column in columns_of(table)},
            "notes": notes_of(table),
            "metric": table.metric,
            "rows": [flat(table, row) for row in table.rows],
            "statistics": statistics_content(comparison.statistics_of(table)),
            "paper": {
                run.run.folder_name: run.paper.model_dump() for run in table.runs if run.paper
            },
        }
        for table in comparison.tables
    ]
    content: dict[str, Any] = {
        "schema": 1,
        "tables": tables,
        "groups": [line for part in comparison.groups for line in flat_groups(part)],
        "agreements": plain(comparison.agreements),
        "skipped": list(comparison.skipped),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(comparison: Comparison) -> str:
    """Return all rows as CSV, or all rows by sub-group where the comparison has them.

    An empty cell is an undefined value, lists are joined by blanks.
    """
    rows = [flat(table, row) for table in comparison.tables for row in table.rows]
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


def flat_groups(part: GroupTable) -> list[dict[str, Any]]:
    """Return the rows of a table by sub-group as plain values by name; figures as in :func:`flat`."""
    lines = []
    for row in part.rows:
        line: dict[str, Any] = {
            "dataset": part.table.dataset, "split": part.table.split,
            "grid": part.table.protocol.grid, "by": part.by, "group": row.group,
            "subjects": row.subjects, "label": row.label, "chain": row.chain,
        }  # fmt: skip
        for name, figure in row.figures.items():
            line |= {
                name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high,
                f"{name}_seed_sd": figure.seed_sd,
            }  # fmt: skip
        lines.append(line)
    return lines


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
        parts += [
            part for group in comparison.groups if group.table is table for part in _groups(group)
        ]
    parts += method_parts(comparison, _escaped)
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
    heading = f"## {_escaped(table.title)}" + (", measured differently" if table.differs else "")
    parts = [heading, f"`{table.dataset}`: {_escaped(heading_of(table))}."]
    if table.differs:
        parts.append(f"Not comparable with the table above: {_escaped('; '.join(table.differs))}.")
    by_metric, by_pooled = bold_keys(statistics)
    strong = {TITLES[table.metric]: by_metric, TITLES["pooled_ap"]: by_pooled}
    cells = [
        [_cell(column, row, row.key in strong.get(column.header, ())) for column in columns]
        for row in table.rows
    ]
    heads = [column.header for column in columns]
    parts.append(_aligned(heads, cells, [column.header for column in columns if column.number]))
    notes = notes_of(table)
    if notes:
        parts.append("Notes\n\n" + _list(notes))
    parts += [f"![{_escaped(caption)}]({quote(file)})" for caption, file in links]
    parts += statistics_parts(statistics, _plain_table, _escaped)
    paper = paper_cells(table)
    if paper:
        parts += [
            "By the paper's protocol",
            _plain_table(PAPER_HEADS, paper, PAPER_NUMBERS),
            PAPER_NOTE,
        ]
    return [
        *parts,
        "Guards\n\n" + _guards(table),
        "Runs\n\n" + _list(map(_origin, table.runs), raw=True),
    ]


def _cell(column: Column, row: Row, strong: bool) -> str:
    """Return a cell as Markdown; its value, but not its interval, in bold where that is earned."""
    if not column.number:
        return _escaped(column.cell(row))
    text = column.cell(row).replace("<", "&lt;")
    head, space, rest = text.partition(" ")
    return f"**{head}**{space}{rest}" if strong else text


def _groups(part: GroupTable) -> list[str]:
    heading = f"### {_escaped(part.table.title)} by {_escaped(part.by)}"
    return [heading, _plain_table(GROUP_HEADS, group_cells(part), GROUP_NUMBERS)]


def _plain_table(heads: Sequence[str], cells: list[list[str]], numbers: Sequence[str]) -> str:
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
