"""What the page says, as plain values: everything that comes from a record is text or number here, never markup."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.compared import compared_per_subject, title_of
from andi_bench.metrics.froc import RATES
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import POINTS, RANKING_POINT, UPPER_BOUND, points_from, rates
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.exports.page.figure_content import crossed_content, froc_content, shares_content
from leaderboard.exports.page.main_content import main_content
from leaderboard.exports.page.recall_curves import recall_curve
from leaderboard.exports.page.side_tables import (
    across_content,
    groups_content,
    guards_content,
    paper_content,
    pipelines_content,
    thresholds_content,
)
from leaderboard.exports.page.tests_and_ranks import statistics_content
from leaderboard.statistics.family import TableStatistics
from leaderboard.statistics.pair_tests import Key
from leaderboard.tables.cells import Column
from leaderboard.tables.columns import columns_of
from leaderboard.tables.parts import size_of_column
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate
from leaderboard.tables.table import Table
from leaderboard.words.across_text import agreement_sentence
from leaderboard.words.headline import headline
from leaderboard.words.how import how_tested
from leaderboard.words.main_table import FALSE_ML
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.pipeline_text import region_text, title_in_words, view_text
from leaderboard.words.run_facts import facts_of, guards_of, plain, points_of


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
        "rates": rates(),
        "froc_rates": list(RATES),
        "upper_bounds": [point.name for point in points_from("test")],
        "subject_columns": _subject_columns(),
        "bases": [_base(base, _found(comparison, base), places) for base in comparison.base],
        "tables": [
            {
                **_table(k, table, comparison.statistics_of(table), places),
                "base": next(
                    b for b, base in enumerate(comparison.base) if base.runs is table.runs
                ),
                "groups": [
                    found for pair in comparison.groups_of(table) for found in groups_content(*pair)
                ],
            }
            for k, table in enumerate(comparison.tables)
        ],
        "agreements": [plain(agreement_sentence(one)) for one in comparison.agreements],
        "across": across_content(comparison),
        "crossed": crossed_content(comparison),
        "carried": comparison.extra.carry_thresholds,
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


_TEXTS = ("main", "notes", "paper", "guards", "groups", "heading", "pipelines")


def _found(comparison: Comparison, base: Table) -> dict[Key, Row]:
    """Return the rows of a table's views, which have the intervals that its statistics found."""
    views = (table for table in comparison.tables if table.runs is base.runs)
    return {row.key: row for table in views for row in table.rows}


def _base(base: Table, found: dict[Key, Row], places: dict[str, int]) -> dict[str, Any]:
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
        "rows": [_row(found[row.key], subjects, places) for row in base.every],
    }


def _subjects(base: Table) -> list[str]:
    scored = {name for row in base.every for found in row.values.values() for name in found}
    return sorted(scored.union(*(run.data.test for run in base.runs)))


def _table(
    number: int, table: Table, statistics: TableStatistics, places: dict[str, int]
) -> dict[str, Any]:
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
        "region": plain(region_text(table)),
        "grid": plain(table.protocol.grid),
        "protocol": plain(table.protocol.name),
        "heading": plain(heading_of(table)),
        "differs": [plain(text) for text in table.differs],
        "main": main_content(table, statistics),
        "validation": table.protocol.subjects.get("val", 0),
        "columns": [_column(column, table) for column in columns],
        "notes": [plain(note) for note in notes_of(table)],
        "pipelines": pipelines_content(table),
        "paper": paper_content(table),
        "thresholds": thresholds_content(table),
        "guards": guards_content(table.runs),
        "statistics": statistics_content(table, statistics),
        "rows": [
            {
                "of": of[row.key],
                "label": plain(row.label),
                "chain": plain(row.chain),
                "rank": row.rank,
                "reason": plain(row.reason) if row.reason is not None else None,
                "cells": _cells(row, columns),
            }
            for row in table.rows
        ],
        "references": [
            {
                "cells": _cells(row, columns),
                "run": places[row.runs[0].run.folder_name] if row.runs else None,
            }
            for row in table.references
        ],
    }


def _column(column: Column, table: Table) -> dict[str, Any]:
    return {
        "header": column.header,
        "size": size_of_column(table, column),
        "definition": column.definition,
        "number": column.number,
        "points": list(column.points),
        "main": column.main,
        "names": column.names,
        "ranks": column.metric == table.metric,
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
        "false_ml": _apart(row, subjects),
        "curve": recall_curve(row.runs[0], row.chain),
        "froc": froc_content(row),
        "shares": shares_content(row),
        "thresholds": [
            {
                name: point.threshold
                for name, point in run.operating_points.get(row.chain, {}).items()
                if point.threshold is not None
            }
            for run in row.runs
        ],
    }


def _apart(row: Row, subjects: Sequence[str]) -> list[float | None]:
    """Return what is falsely detected in each subject without a lesion, ml; [] where there is none, or nobody says."""
    found = row.values.get(FALSE_ML, {})
    return [_short(found.get(name)) for name in subjects] if found else []


def _cells(row: Row, columns: Sequence[Column]) -> list[dict[str, Any]]:
    cells = [column.cell(row) for column in columns]
    return [{"text": plain(cell.text), "value": cell.value} for cell in cells]


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


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "folder": plain(run.run.folder_name),
        "dataset": plain(run.run.dataset),
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
