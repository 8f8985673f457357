"""Figures of the subjects: how a metric spreads over them, and how it depends on how much lesion they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from andi_bench.metrics.compared import tested_metric, title_of
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.figures.style import legend_below, panels
from leaderboard.tables.subgroups import group_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene

LESION_SIZE = "lesion-size"
_LINE = {"color": "#333333", "lw": 0.7}
_BOX: dict[str, Any] = {
    "orientation": "horizontal",
    "widths": 0.62,
    "showfliers": False,
    "whis": (5, 95),
    "manage_ticks": False,
    "zorder": 2,
    "boxprops": _LINE,
    "whiskerprops": _LINE,
    "capprops": _LINE,
    "medianprops": {"color": "#333333", "lw": 1.4},
}


def strip_and_box(scene: Scene) -> Figure | None:
    """Draw every subject's value of the metric that ranks: a point each, with box (quartiles) and mean."""
    metric = tested_metric(scene.table.metric)
    rows = scene.rows
    if not rows:
        return None
    figure, (axis,) = panels(1, 0.75 + 0.34 * len(rows))
    for place, row in enumerate(rows):
        values = np.array(list(row.values.get(metric, {}).values()))
        if not len(values):
            continue
        color = scene.looks.color(row.label)
        axis.boxplot(values, positions=[place], **_BOX)
        shift = _jitter(len(values)) * 0.24
        axis.scatter(
            values,
            place + shift,
            s=7 if len(values) < 60 else 2.5,
            color=color,
            alpha=0.6 if len(values) < 60 else 0.35,
            lw=0,
            zorder=3,
        )
        axis.scatter(
            [values.mean()],
            [place],
            marker="D",
            s=16,
            color="white",
            edgecolor=color,
            lw=1.1,
            zorder=4,
        )
    axis.set_yticks(range(len(rows)), [scene.name(row.label) for row in rows])
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.grid(axis="y", visible=False)
    axis.set(title=scene.shows, xlabel=f"{title_of(metric)}, one point a subject")
    figure.supxlabel(
        "box: quartiles, line: median, whiskers: 5 % and 95 %, diamond: mean",
        fontsize=6,
        color="#555555",
    )
    return figure


def by_lesion_size(scene: Scene) -> Figure | None:
    """Draw mean Dice in the quartiles of lesion volume, with 95 % intervals over subjects."""
    if not any(LESION_SIZE in run.groups for run in scene.table.runs):
        return None
    (grouped,) = group_tables([scene.table], LESION_SIZE)
    names = list(dict.fromkeys(row.group for row in grouped.rows if row.group != "no lesion"))
    rows = scene.rows
    if not any(part.figures[RANKING].value is not None for part in grouped.rows):
        return None  # every group is too small
    if not names or not rows:
        return None
    figure, (axis,) = panels(1, 3.0)
    for place, row in enumerate(rows):
        dodge = (place - (len(rows) - 1) / 2) * min(0.09, 0.7 / len(rows))
        found = {
            part.group: part.figures[RANKING] for part in grouped.rows if part.label == row.label
        }
        known = [
            (index + dodge, found[name].value or 0.0, found[name])
            for index, name in enumerate(names)
            if name in found and found[name].value is not None
        ]
        color = scene.looks.color(row.label)
        axis.plot(
            [x for x, _, _ in known],
            [y for _, y, _ in known],
            marker=scene.looks.mark(row.label),
            ls=scene.looks.line(row.label),
            color=color,
            lw=0.9,
            label=scene.name(row.label),
            zorder=3,
        )
        for x, _, estimate in known:
            if estimate.low is not None and estimate.high is not None:
                axis.plot([x, x], [estimate.low, estimate.high], color=color, lw=0.7, zorder=2)
    counts = {part.group: part.subjects for part in grouped.rows}
    ticks = [
        f"{name.replace(' (', chr(10)).rstrip(')')}\nn = {counts[name]}"
        + (": too few" if counts[name] < SMALLEST_GROUP else "")
        for name in names
    ]
    axis.set_xticks(range(len(names)), ticks)
    axis.set(title=scene.shows, xlabel="quartile of the lesion volume")
    axis.grid(axis="x", visible=False)
    axis.set_ylabel(f"{title_of(RANKING)}, mean and 95 %")
    axis.set_ylim(bottom=0)
    legend_below(figure, [axis], 2)
    return figure


def _jitter(count: int) -> np.ndarray:
    """Return shifts in [-1, 1] that spread evenly and are the same every time (golden ratio)."""
    shifts: np.ndarray = (np.arange(count) * 0.618033988749895 % 1) * 2 - 1
    return shifts
