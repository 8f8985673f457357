"""Figures of the subjects: how a metric spreads over them, and how it depends on how much lesion they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from andi_bench.metrics.compared import tested_metric, title_of
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.figures.style import legend_below, panels, short
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
    chains = scene.chains
    most = scene.most_rows
    if not most:
        return None
    figure, axes = panels(len(chains), 0.75 + 0.34 * most, sharex=True)
    for axis, chain in zip(axes, chains, strict=True):
        rows = scene.rows(chain)
        for place, row in enumerate(rows):
            values = np.array(list(row.values.get(metric, {}).values()))
            if not len(values):
                continue
            color = scene.looks.color(row.label)
            axis.boxplot(values, positions=[place], **_BOX)
            shift = _jitter(len(values)) * 0.24
            size = 7 if len(values) < 60 else 2.5
            axis.scatter(
                values,
                place + shift,
                s=size,
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
        axis.set_yticks(range(len(rows)), [short(row.label) for row in rows])
        axis.set_ylim(most - 0.45, -0.55)
        axis.grid(axis="y", visible=False)
        axis.set(title=f"{chain} maps", xlabel=f"{title_of(metric)}, one point a subject")
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
    chains = scene.chains
    if not any(row.figures[RANKING].value is not None for row in grouped.rows):
        return None  # every group is too small
    if not names or not chains:
        return None
    figure, axes = panels(len(chains), 3.0, sharey=True)
    for axis, chain in zip(axes, chains, strict=True):
        labels = [row.label for row in scene.rows(chain)]
        for place, label in enumerate(labels):
            dodge = (place - (len(labels) - 1) / 2) * min(0.09, 0.7 / len(labels))
            found = {
                row.group: row.figures[RANKING]
                for row in grouped.rows
                if row.label == label and row.chain == chain
            }
            known = [
                (index + dodge, found[name].value or 0.0, found[name])
                for index, name in enumerate(names)
                if name in found and found[name].value is not None
            ]
            color = scene.looks.color(label)
            axis.plot(
                [x for x, _, _ in known],
                [y for _, y, _ in known],
                marker=scene.looks.mark(label),
                ls=scene.looks.line(label),
                color=color,
                lw=0.9,
                label=short(label),
                zorder=3,
            )
            for x, _, estimate in known:
                if estimate.low is not None and estimate.high is not None:
                    axis.plot([x, x], [estimate.low, estimate.high], color=color, lw=0.7, zorder=2)
        counts = {row.group: row.subjects for row in grouped.rows}
        ticks = [
            f"{name.replace(' (', chr(10)).rstrip(')')}\nn = {counts[name]}"
            + (": too few" if counts[name] < SMALLEST_GROUP else "")
            for name in names
        ]
        axis.set_xticks(range(len(names)), ticks)
        axis.set(title=f"{chain} maps", xlabel="quartile of the lesion volume")
        axis.grid(axis="x", visible=False)
    axes[0].set_ylabel(f"{title_of(RANKING)}, mean and 95 %")
    axes[0].set_ylim(bottom=0)
    legend_below(figure, axes, 5 if len(chains) > 1 else 3)
    return figure


def _jitter(count: int) -> np.ndarray:
    """Return shifts in [-1, 1] that spread evenly and are the same every time (golden ratio)."""
    shifts: np.ndarray = (np.arange(count) * 0.618033988749895 % 1) * 2 - 1
    return shifts
