"""Rows of tables as plain values by name, unrounded: what CSV and JSON hold."""

from __future__ import annotations

from typing import Any

from andi_bench.metrics.compared import compared
from andi_bench.metrics.points import UPPER_BOUND
from leaderboard.tables.row import Row
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table


def flat(table: Table, row: Row) -> dict[str, Any]:
    """Return a row as plain values by name, unrounded; None where undefined, seeds and runs as lists.

    A figure ``x`` comes as ``x``, ``x_low``, ``x_high`` (95 %, over subjects and seeds), ``x_median``, ``x_seed_sd``,
    ``x_undefined`` (subjects). ``view`` says whether ``pipeline`` is the one that validation chose; ``validation_dice`` is what
    it reached there.
    """
    out: dict[str, Any] = {
        "dataset": table.dataset,
        "split": table.split,
        "differs": "; ".join(table.differs),
        "view": table.view,
        "rank": row.rank,
        "group": row.group,
        "method": row.method,
        "label": row.label,
        "pipeline": row.chain,
        "validation_dice": row.choice.values[row.chain],
        "preset": row.runs[0].run.preset,
        "seeds": list(row.seeds),
        "chance": row.chance,
        "unranked": row.reason,
    }
    for name, found in compared().items():
        figure, of_subjects = row.figures[name], found.metric.over != "pooled"
        out[name] = figure.value
        if name != "prevalence":  # of the lesions, not of a method: it has no limits
            out |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
        if of_subjects:
            out[f"{name}_median"] = figure.median
        out[f"{name}_seed_sd"] = figure.seed_sd
        if of_subjects:
            out[f"{name}_undefined"] = figure.undefined
    out[f"{UPPER_BOUND.name}_gap"] = row.oracle_gap
    return {**out, **row.costs, "runs": [run.run.folder_name for run in row.runs]}


def flat_groups(part: GroupTable) -> list[dict[str, Any]]:
    """Return the rows of a table by sub-group as plain values by name; figures as in :func:`flat`."""
    lines = []
    for row in part.rows:
        line: dict[str, Any] = {
            "dataset": part.table.dataset,
            "split": part.table.split,
            "grid": part.table.protocol.grid,
            "by": part.by,
            "group": row.group,
            "subjects": row.subjects,
            "view": part.table.view,
            "label": row.label,
            "pipeline": row.chain,
        }
        for name, figure in row.figures.items():
            line[name] = figure.value
            line |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
            line[f"{name}_seed_sd"] = figure.seed_sd
        lines.append(line)
    return lines
