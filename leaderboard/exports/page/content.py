"""What the page says, as plain values: everything that comes from a record is text or number here, never markup."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.compared import compared_per_subject, title_of
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import POINTS, RANKING_POINT, UPPER_BOUND, points_from
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.exports.page.recall_curves import recall_curve
from leaderboard.exports.page.tests_and_ranks import statistics_content
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table
from leaderboard.words.group_text import (
    GROUP_HEADS,
    PAPER_HEADS,
    PAPER_NOTE,
    group_cells,
    paper_cells,
)
from leaderboard.words.headline import headline
from leaderboard.words.how import how_tested
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.pipeline_text import (
    pipeline_cells,
    pipeline_heads,
    pipeline_note,
    title_in_words,
    view_text,
)
from leaderboard.words.run_facts import facts_of, guards_of, plain, points_of
from leaderboard.words.verdicts import between_datasets_text


def page_content(comparison: Comparison) -> dict[str, Any]:
    """Return all that the page shows but the viewers' images.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.

    Returns
    -------
    dict
        ``tables`` (all views of each, those of one base behind each other), ``bases`` (what the views of a table share: its
        subjects, and every method with every pipeline), ``runs`` (one entry a record, however many tables it stands in),
        ``points``, ``subject_columns``, ``skipped``; strings, numbers, lists and mappings, ready for JSON.

    Raises
    ------
    UserError
        When a table of subjects or a file of histograms cannot be read.
    """
    comparison = comparison.with_every_view
    runs: dict[str, RunRecord] = {}
    for table in comparison.tables:
        for run in table.runs:
            runs.setdefault(run.run.folder_name, run)
    places = {name: k for k, name in enumerate(runs)}
    return {
        "points": {name: point.definition for name, point in POINTS.items()},
        "ranking_point": RANKING_POINT.name,
        "upper_bound": UPPER_BOUND.name,
        "upper_bounds": [point.name for point in points_from("test")],
        "subject_columns": _subject_columns(),
        "bases": [_base(base, places) for base in comparison.base],
        "tables": [
            {
                **_table(k, table, comparison.statistics_of(table)),
                "base": next(
                    b for b, base in enumerate(comparison.base) if base.runs is table.runs
                ),
                "groups": [_groups(part) for part in comparison.groups if part.table is table],
            }
            for k, table in enumerate(comparison.tables)
        ],
        "agreements": [
            plain(f"{name}: {text}") for name, text in between_datasets_text(comparison.agreements)
        ],
        "how": list(how_tested()),
        "runs": [_run(run) for run in runs.values()],
        "skipped": [plain(reason) for reason in comparison.skipped],
    }


def _subject_columns() -> list[dict[str, Any]]:
    """Return what the table of subjects shows: key, head, decimals, and at which operating point."""
    return [
        {
            "key": metric.key,
            "head": metric.name if metric.at_every_point else _head(metric),
            "digits": metric.digits,
            "at": "map" if metric.at == "map" else "point" if _follows(metric) else "ranking",
            "named": metric.at_every_point,
        }
        for metric in per_subject()
        if "subjects" in metric.shown
    ]


def _follows(metric: Metric) -> bool:
    """Whether a metric is shown at the operating point that is chosen, not at the one that ranks alone."""
    return metric.at in ("every", "reachable")


def _head(metric: Metric) -> str:
    return f"{metric.name} ({metric.unit})" if metric.unit else metric.name


def without_texts(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a page without what its templates alone show: the page's scripts need not hold it twice."""
    tables = [
        {
            **{key: value for key, value in table.items() if key not in _TEXTS},
            "rows": [{key: row[key] for key in ("of", "rank", "reason")} for row in table["rows"]],
        }
        for table in content["tables"]
    ]
    return {**content, "tables": tables}


_TEXTS = ("notes", "paper", "guards", "groups", "heading", "pipelines")


def _base(base: Table, places: dict[str, int]) -> dict[str, Any]:
    """Return what the views of a table share."""
    subjects = _subjects(base)
    sites = _sites(base.runs)
    volumes: dict[str, float] = {}
    for row in base.every:
        volumes |= row.values.get(LESION_ML, {})
    return {
        "subjects": [plain(name) for name in subjects],
        "sites": [sites.get(name, "") for name in subjects],
        "lesion_ml": [_short(volumes.get(name)) for name in subjects],
        "methods": [plain(label) for label in dict.fromkeys(row.label for row in base.every)],
        "chains": [plain(chain) for chain in base.protocol.chains],
        "rows": [_row(row, subjects, places) for row in base.every],
    }


def _subjects(base: Table) -> list[str]:
    scored = {name for row in base.every for found in row.values.values() for name in found}
    return sorted(scored.union(*(run.data.test for run in base.runs)))


def _table(number: int, table: Table, statistics: TableStatistics) -> dict[str, Any]:
    columns = columns_of(table)
    of = {row.key: k for k, row in enumerate(table.every)}
    return {
        "id": number,
        "dataset": plain(table.dataset),
        "split": plain(table.split),
        "title": plain(title_in_words(table)),
        "view": table.view,
        "shows": plain(view_text(table)),
        "result": plain(headline(table, statistics)),
        "metric": table.metric,
        "ranked_by": title_of(table.metric),
        "region": plain(table.protocol.region),
        "grid": plain(table.protocol.grid),
        "protocol": plain(table.protocol.name),
        "heading": plain(heading_of(table)),
        "differs": [plain(text) for text in table.differs],
        "columns": [_column(column, table.metric) for column in columns],
        "notes": [plain(note) for note in notes_of(table)],
        "pipelines": _pipelines(table),
        "paper": _paper(table),
        "guards": _guards(table.runs),
        "statistics": statistics_content(table, statistics),
        "rows": [
            {
                "of": of[row.key],
                "label": plain(row.label),
                "chain": plain(row.chain),
                "rank": row.rank,
                "reason": plain(row.reason) if row.reason is not None else None,
                "cells": [_cell(column, row) for column in columns],
            }
            for row in table.rows
        ],
    }


def _cell(column: Column, row: Row) -> dict[str, Any]:
    cell = column.cell(row)
    return {"text": plain(cell.text), "value": cell.value}


def _pipelines(table: Table) -> dict[str, Any] | None:
    lines = pipeline_cells(table)
    if not lines:
        return None
    return {
        "heads": [plain(head) for head in pipeline_heads(table)],
        "note": pipeline_note(),
        "lines": [[plain(cell) for cell in line] for line in lines],
    }


def _column(column: Column, metric: str) -> dict[str, Any]:
    return {
        "header": column.header,
        "definition": column.definition,
        "number": column.number,
        "points": list(column.points),
        "main": column.main,
        "names": column.names,
        "ranks": column.metric == metric,
    }


def _row(row: Row, subjects: Sequence[str], places: dict[str, int]) -> dict[str, Any]:
    names = [run.run.folder_name for run in row.runs]
    return {
        "label": plain(row.label),
        "chain": plain(row.chain),
        "runs": [places[name] for name in names],
        "seeds": list(row.seeds),
        "estimates": {key: _estimate(figure) for key, figure in row.figures.items()},
        "seconds": row.costs["seconds_per_volume"],
        "subjects": {
            key: [_short(row.values[key].get(name)) for name in subjects]
            for key in _subject_keys()
            if row.values.get(key)
        },
        "curve": recall_curve(row.runs[0], row.chain),
        "thresholds": [
            {
                name: point.threshold
                for name, point in run.operating_points.get(row.chain, {}).items()
                if point.threshold is not None
            }
            for run in row.runs
        ],
    }


def _subject_keys() -> list[str]:
    """Return the keys of everything that the page shows of single subjects."""
    return [found.key for found in compared_per_subject() if "subjects" in found.metric.shown]


def _estimate(figure: Estimate) -> list[float | None]:
    return [_short(v) for v in (figure.value, figure.low, figure.high, figure.seed_sd)]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def _sites(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Return the site of each subject, where the runs tell sites apart."""
    return {
        name: plain(group.name)
        for run in runs
        for group in run.groups.get("site", ())
        for name in group.subjects
    }


def _guards(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return each guard with the runs that passed it, and those that did not by name."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        for guard in run.guards:
            entry = found.setdefault(
                guard.name, {"name": plain(guard.name), "passed": 0, "of": 0, "others": []}
            )
            entry["of"] += 1
            if guard.passed is True:
                entry["passed"] += 1
            else:
                entry["others"].append(
                    {
                        "run": plain(f"{run.run.label}, seed {run.run.seed}"),
                        "failed": guard.passed is False,
                        "detail": plain(guard.detail),
                    }
                )
    return list(found.values())


def _groups(part: GroupTable) -> dict[str, Any]:
    lines = [[plain(cell) for cell in line] for line in group_cells(part)]
    return {"by": plain(part.by), "heads": list(GROUP_HEADS), "lines": lines}


def _paper(table: Table) -> dict[str, Any] | None:
    lines = paper_cells(table)
    if not lines:
        return None
    return {
        "heads": list(PAPER_HEADS),
        "note": PAPER_NOTE,
        "lines": [[plain(cell) for cell in line] for line in lines],
    }


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "folder": plain(run.run.folder_name),
        "label": plain(run.run.label),
        "seed": run.run.seed,
        "facts": facts_of(run),
        "points": points_of(run),
        "guards": guards_of(run),
        "notes": [plain(note) for note in run.notes],
        "unranked": plain(run.unranked) if run.unranked else None,
        "config": _lines(json.dumps(run.config, indent=1, ensure_ascii=False)),
    }


def _lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.splitlines())
