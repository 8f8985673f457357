"""Every subject: how a metric spreads over those with a lesion, and what is falsely detected in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from andi_bench.metrics.compared import tested_metric, title_of
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.figures.style import COLUMN, PAGE, panels
from leaderboard.words.main_table import FALSE_ML

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene

_LEAST_ML = 0.01
"""Less is drawn as if the axis were linear, as wide as a decade: 0 has a place on it, clear of the first decade's."""
_MARKED = 6
"""Decades that have room for a number each; of more, every second one has."""


def says(scene: Scene) -> str:
    """Return how to read :func:`strip_and_box`."""
    shown = (tested_metric(scene.table.metric), FALSE_ML)
    sizes = {len(row.values.get(key, {})) for row in scene.rows for key in shown} - {0}
    text = "A point a subject, mean over seeds; diamond: mean"
    if max(sizes, default=0) >= SMALLEST_GROUP:
        text += "; box: quartiles, line: median, whiskers: 5 % and 95 %"
        if min(sizes) < SMALLEST_GROUP:
            text += f", none of fewer than {SMALLEST_GROUP} subjects"
    if any(row.values.get(FALSE_ML) for row in scene.rows):
        text += (
            ". Subjects without a lesion have a column of their own: what is detected in them at "
            f"{RANKING_POINT.name}, on a logarithmic axis"
        )
    return text


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
    """Draw every subject: the metric that ranks, and in a column of their own those without a lesion, by what is falsely detected."""
    metric = tested_metric(scene.table.metric)
    rows = scene.rows
    if not rows:
        return None
    apart = any(row.values.get(FALSE_ML) for row in rows)
    height = 0.6 + 0.32 * len(rows)
    figure, axes = panels(
        1 + apart,
        height,
        width=PAGE if apart else COLUMN,
        sharey=True,
        width_ratios=(2, 1)[: 1 + apart],
    )
    for place, row in enumerate(rows):
        color = scene.looks.color(row.label)
        _draw(axes[0], place, list(row.values.get(metric, {}).values()), color)
        if apart:
            _draw(axes[1], place, list(row.values.get(FALSE_ML, {}).values()), color)
    axes[0].set_yticks(range(len(rows)), [scene.name(row.label) for row in rows])
    axes[0].set_ylim(len(rows) - 0.45, -0.55)
    for axis in axes:
        axis.grid(axis="y", visible=False)
    axes[0].set_xlabel(f"{title_of(metric)}, subjects with a lesion")
    if apart:
        axes[1].set_xscale("symlog", linthresh=_LEAST_ML)
        axes[1].set_xlim(left=-0.3 * _LEAST_ML)
        _decades(axes[1])
        axes[1].set_xlabel("subjects without a lesion: false ml")
        axes[1].tick_params(left=False)
    return figure


def _draw(axis: Axes, place: int, found: list[float], color: str) -> None:
    """Draw a point each, the mean and, where they are enough, a box of some subjects; nothing of none."""
    if not found:
        return
    values, few = np.array(found), len(found) < 60
    if len(found) >= SMALLEST_GROUP:
        axis.boxplot(values, positions=[place], **_BOX)
    axis.scatter(
        values,
        place + _jitter(len(values)) * 0.24,
        s=7 if few else 2.5,
        color=color,
        alpha=0.6 if few else 0.35,
        lw=0,
        zorder=3,
    )
    mean: dict[str, Any] = {
        "marker": "D",
        "s": 16,
        "color": "white",
        "edgecolor": color,
        "lw": 1.1,
        "zorder": 4,
    }
    axis.scatter([values.mean()], [place], **mean)


def _decades(axis: Axes) -> None:
    """Mark 0 and the decades above what counts as little."""
    high = max(axis.get_xlim()[1], 10 * _LEAST_ML)
    first, last = round(np.log10(_LEAST_ML)), int(np.floor(np.log10(high)))
    powers = range(first, last + 1, 1 if last - first < _MARKED else 2)
    marks = [0.0, *(10.0**power for power in powers)]
    axis.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axis.minorticks_off()


def _jitter(count: int) -> np.ndarray:
    """Return shifts in [-1, 1] that spread evenly and are the same every time (golden ratio)."""
    shifts: np.ndarray = (np.arange(count) * 0.618033988749895 % 1) * 2 - 1
    return shifts
