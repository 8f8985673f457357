"""Rows of tables as plain values by name, unrounded: what CSV and JSON hold."""

from __future__ import annotations

from typing import Any

from andi_bench.metrics.compared import compared
from andi_bench.metrics.points import RANKING_POINT, UPPER_BOUND
from andi_bench.records.schema import RecordedThreshold
from leaderboard.tables.row import Row
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table


def flat(table: Table, row: Row) -> dict[str, Any]:
    """Return a row as plain values by name, unrounded; None where undefined, seeds and runs as lists.

    A figure ``x`` comes as ``x``, ``x_low``, ``x_high`` (95 %, over subjects and seeds), ``x_median``, ``x_seed_sd``,
    ``x_undefined`` (subjects). ``view`` says whether ``pipeline`` is the one that validation chose; ``validation_dice`` is what
    it reached there. ``threshold...``: lists by seed, of the point that ranks.
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
        "validation_dice": row.choice.values.get(row.chain),
        "reference": row.reference,
        "preset": row.runs[0].run.preset if row.runs else None,
        "seeds": list(row.seeds),
        "chance": row.chance,
        "unranked": row.reason,
    }
    for name, found in compared().items():
        figure, of_subjects = row.figures[name], found.metric.of_subjects
        out[name] = figure.value
        if name != "prevalence":  # of the lesions, not of a method: it has no limits
            out |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
        if of_subjects:
            out[f"{name}_median"] = figure.median
        out[f"{name}_seed_sd"] = figure.seed_sd
        if of_subjects:
            out[f"{name}_undefined"] = figure.undefined
    out[f"{UPPER_BOUND.name}_gap"] = row.oracle_gap
    return {
        **out,
        **_thresholds(row),
        **_costs(table, row),
        "runs": [run.run.folder_name for run in row.runs],
    }


def _thresholds(row: Row) -> dict[str, list[float]]:
    """Return the thresholds that rank, seed by seed, and how far they hang on the validation subjects; [] where not known."""
    points = [
        run.operating_points.get(row.chain, {}).get(RANKING_POINT.name, RecordedThreshold())
        for run in row.runs
    ]
    out = {"threshold": _all_known([point.threshold for point in points])}
    for name in ("low", "high", "dice_low", "dice_high"):
        values = [getattr(point.spread, name, None) for point in points]
        out[f"threshold_{name}"] = _all_known(values)
    return out


def _all_known(values: list[float | None]) -> list[float]:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _costs(table: Table, row: Row) -> dict[str, Any]:
    """Return what a row cost; of a reference that was computed nothing, under the same names."""
    names = next((other.costs for other in table.shown if other.costs), {})
    return row.costs or dict.fromkeys(names)


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
            "lesion_free": row.lesion_free,
            "label": row.label,
            "pipeline": row.chain,
        }
        for name, figure in row.figures.items():
            line[name] = figure.value
            line |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
            line[f"{name}_seed_sd"] = figure.seed_sd
            line[f"{name}_n"] = row.counts[name]
        lines.append(line)
    return lines
