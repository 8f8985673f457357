"""What the page says, as plain values: everything that comes from a record is text or number here, never markup."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.records import RunRecord, read_subjects
from leaderboard.columns import Column, columns_of, heading_of, notes_of
from leaderboard.compare import Comparison
from leaderboard.group_text import PAPER_HEADS, PAPER_NOTE, paper_cells
from leaderboard.page.curves import recall_curve
from leaderboard.run_facts import facts_of, guards_of, plain, points_of
from leaderboard.seeds import Estimate
from leaderboard.table import Row, Table

if TYPE_CHECKING:
    import pandas as pd

POINTS = {
    "val-dice": "Threshold of the highest mean Dice over the validation subjects, then frozen. This one ranks.",
    "val-fpr1": "Threshold that 1 % of the lesion-free brain voxels of the validation split exceed, then frozen.",
    "val-fpr5": "Threshold that 5 % of the lesion-free brain voxels of the validation split exceed, then frozen.",
    "yen": "Yen's threshold of each volume's own scores, then one dilation by the 6 neighbours.",
    "oracle": "Threshold of the highest mean Dice over the test subjects themselves: an upper bound that nobody "
    "reaches without the answers. It never ranks.",
}
"""Operating points, in order, and what each one means."""

_AT_POINTS = ("dice", "sensitivity", "precision")
_ONCE = ("ap", "auroc")
_AT_PRIMARY = ("hd95", "lesion_f1", "false_positive_lesions")
_MAIN_PRIORITY = 3
"""Columns of a higher number stand in the page's table only when all columns are asked for."""
_LEADING = re.compile(r"[<(\[]*\s*([+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)


def page_content(comparison: Comparison) -> dict[str, Any]:
    """Return all that the page shows but the viewers' images.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.

    Returns
    -------
    dict
        ``tables``, ``runs`` (one entry a record, however many tables it stands in), ``points``, ``skipped``; strings,
        numbers, lists and mappings, ready for JSON.

    Raises
    ------
    UserError
        When a table of subjects or a file of histograms cannot be read.
    """
    runs: dict[str, RunRecord] = {}
    for table in comparison.tables:
        for run in table.runs:
            runs.setdefault(run.run.folder_name, run)
    places = {name: k for k, name in enumerate(runs)}
    return {
        "points": POINTS,
        "tables": [_table(k, table, places) for k, table in enumerate(comparison.tables)],
        "runs": [_run(run) for run in runs.values()],
        "skipped": [plain(reason) for reason in comparison.skipped],
    }


def leading_number(text: str) -> float | None:
    """Return the number that a cell begins with, for sorting by what is shown; None for none."""
    found = _LEADING.match(text)
    return float(found[1].replace(",", "")) if found else None


def _table(number: int, table: Table, places: dict[str, int]) -> dict[str, Any]:
    columns = columns_of(table)
    frames = {run.run.folder_name: _indexed(run) for run in table.runs}
    subjects, sites, volumes = _subjects(frames.values())
    return {
        "id": number,
        "dataset": plain(table.dataset),
        "split": plain(table.split),
        "title": plain(table.title),
        "region": plain(table.protocol.region),
        "grid": plain(table.protocol.grid),
        "protocol": plain(table.protocol.name),
        "heading": plain(heading_of(table)),
        "differs": [plain(text) for text in table.differs],
        "chains": [plain(chain) for chain in table.protocol.chains],
        "columns": [_column(column) for column in columns],
        "notes": [plain(note) for note in notes_of(table)],
        "paper": _paper(table),
        "guards": _guards(table.runs),
        "subjects": subjects,
        "sites": sites,
        "lesion_ml": volumes,
        "methods": [plain(label) for label in dict.fromkeys(row.label for row in table.rows)],
        "rows": [_row(row, columns, subjects, frames, places) for row in table.rows],
    }


def _column(column: Column) -> dict[str, Any]:
    points = [point for point in POINTS if f"@{point}" in column.header]
    if "oracle" in column.header:
        points = ["oracle", "val-dice"]
    if column.header in ("SD over seeds", "HD95 (mm)", "ASSD (mm)", "Lesion F1", "FP lesions"):
        points = ["val-dice"]
    if column.header.startswith("FPR on test"):
        points = ["val-fpr1", "val-fpr5"]
    return {
        "header": column.header,
        "definition": column.definition,
        "number": column.number,
        "points": points,
        "main": column.priority <= _MAIN_PRIORITY or column.header == "AUROC",
    }


def _row(
    row: Row,
    columns: Sequence[Column],
    subjects: Sequence[str],
    frames: dict[str, dict[tuple[str, str], pd.DataFrame]],
    places: dict[str, int],
) -> dict[str, Any]:
    names = [run.run.folder_name for run in row.runs]
    cells = [plain(column.cell(row)) for column in columns]
    per_subject: dict[str, list[float | None]] = {}
    for point in POINTS:
        for metric in _AT_POINTS:
            per_subject[f"{metric}@{point}"] = _values(
                frames, names, row.chain, point, metric, subjects
            )
    for metric in _AT_PRIMARY:
        key = f"{metric}@val-dice"
        per_subject[key] = _values(frames, names, row.chain, "val-dice", metric, subjects)
    for metric in _ONCE:
        per_subject[metric] = _values(frames, names, row.chain, None, metric, subjects)
    return {
        "label": plain(row.label),
        "chain": plain(row.chain),
        "rank": row.rank,
        "reason": plain(row.reason) if row.reason is not None else None,
        "runs": [places[name] for name in names],
        "seeds": list(row.seeds),
        "cells": [{"text": text, "value": leading_number(text)} for text in cells],
        "estimates": {key: _estimate(figure) for key, figure in row.figures.items()},
        "seconds": row.costs["seconds_per_volume"],
        "subjects": {
            key: values for key, values in per_subject.items() if any(v is not None for v in values)
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


def _estimate(figure: Estimate) -> list[float | None]:
    return [_short(v) for v in (figure.value, figure.low, figure.high, figure.seed_sd)]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.5g}")


def _indexed(run: RunRecord) -> dict[tuple[str, str], pd.DataFrame]:
    """Read a record's table of subjects, by chain and point, indexed by subject."""
    if run.folder is None:
        return {}
    lines = read_subjects(run.folder, run.protocol.grid)
    return {
        (str(chain), str(point)): part.drop_duplicates("subject").set_index("subject")
        for (chain, point), part in lines.groupby(["chain", "point"])
    }


def _subjects(
    frames: Iterable[dict[tuple[str, str], pd.DataFrame]],
) -> tuple[list[str], list[str], list[float | None]]:
    """Return the subjects of all runs, their sites, and lesion volumes where they are known."""
    sites: dict[str, str] = {}
    volumes: dict[str, float | None] = {}
    for frame in frames:
        part = next(
            iter(frame.values()), None
        )  # the lines of one chain and point name every subject
        if part is None:
            continue
        nothing = [None] * len(part)
        site = part["site"].tolist() if "site" in part.columns else nothing
        ml = part["lesion_ml"].tolist() if "lesion_ml" in part.columns else nothing
        for name, where, volume in zip(part.index.tolist(), site, ml, strict=True):
            sites[name] = sites.get(name) or plain(where or "")
            if volumes.get(name) is None:
                volumes[name] = _short(volume) if isinstance(volume, float) else None
    names = sorted(sites)
    return (
        [plain(name) for name in names],
        [sites[name] for name in names],
        [volumes[name] for name in names],
    )


def _values(
    frames: dict[str, dict[tuple[str, str], pd.DataFrame]],
    names: Sequence[str],
    chain: str,
    point: str | None,
    metric: str,
    subjects: Sequence[str],
) -> list[float | None]:
    """Return a figure subject by subject, averaged over the seeds; None as soon as one seed lacks it."""
    import numpy as np

    seeds = []
    for name in names:
        found = [
            part
            for (own, at), part in frames[name].items()
            if own == chain and at == (point or at) and metric in part.columns
        ]
        if not found or found[0][metric].dtype.kind != "f":
            return [None] * len(subjects)
        part = found[0]
        shown = {plain(key): value for key, value in zip(part.index, part[metric], strict=True)}
        seeds.append([shown.get(subject, math.nan) for subject in subjects])
    means = np.mean(np.array(seeds, dtype=np.float64), axis=0)
    return [_short(float(value)) for value in means]


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
