"""How a metric depends on how much lesion a subject has: a panel a method, in colour before the others in grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import LESION_ML, SMALLEST_GROUP
from leaderboard.figures.smooth import SmoothLine, smooth_line
from leaderboard.figures.style import COLUMN, PAGE, grid_of_panels, plain_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.tables.row import Row

SAYS = (
    "A point a subject, mean over seeds; line: local mean (tricube kernel), band: 95 % over subjects; "
    f"no line where fewer than {SMALLEST_GROUP} subjects are near; grey: the other methods"
)
_ACROSS = 4
"""Panels side by side."""

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def by_lesion_size(scene: Scene) -> Figure | None:
    """Draw Dice against the lesion volume on a logarithmic axis, a panel a method; None where there are too few subjects."""
    found = [(row, pair) for row in scene.rows if len((pair := _values(row))[0])]
    if not found:
        return None
    lines = [smooth_line(np.log10(pair[0]), pair[1]) for _, pair in found]
    if all(line is None for line in lines):
        return None  # a few points show nothing
    across = min(3 if len(found) in (5, 6, 9) else _ACROSS, len(found))
    highest = max(float(dice.max()) for _, (_, dice) in found)
    down = -(-len(found) // across)
    width = PAGE if across > 2 else COLUMN
    # Each panel has all other methods' lines: with every point of them a file of many methods would have megabytes.
    thin = slice(None, None, max(1, len(found) // 4))
    figure, axes = grid_of_panels(down, across, (width, 0.5 + 1.35 * down))
    for place, (axis, (row, (ml, dice))) in enumerate(zip(axes, found, strict=False)):
        color = scene.looks.color(row.label)
        for other, line in enumerate(lines):
            if line is not None and other != place:
                axis.plot(10 ** line.x[thin], line.mean[thin], color="#BBBBBB", lw=0.7, zorder=1)
        axis.scatter(ml, dice, s=4, color=color, alpha=0.45, lw=0, zorder=2)
        _draw(axis, lines[place], color)
        axis.set_title(scene.name(row.label), fontsize=6.5, color=color)
        axis.set(xscale="log", ylim=(0, min(1.0, 1.1 * highest) or 1.0))
        plain_numbers(axis.xaxis)
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    for place in range(len(found)):
        last_of_column = place + across >= len(found)
        axes[place].tick_params(labelbottom=last_of_column)
        if last_of_column:
            axes[place].set_xlabel("lesion volume, ml")
    for start in range(0, len(found), across):
        axes[start].set_ylabel(title_of(RANKING))
    return figure


def _draw(axis: object, line: SmoothLine | None, color: str) -> None:
    if line is None:
        return
    axis.fill_between(10**line.x, line.low, line.high, color=color, alpha=0.22, lw=0, zorder=2)  # type: ignore[attr-defined]
    axis.plot(10**line.x, line.mean, color=color, lw=1.6, zorder=3)  # type: ignore[attr-defined]


def _values(row: Row) -> Pair:
    """Return volume and Dice of the subjects with a lesion."""
    dice, volumes = row.values.get(RANKING, {}), row.values.get(LESION_ML, {})
    names = [name for name in dice if volumes.get(name, 0.0) > 0]
    return np.array([volumes[name] for name in names]), np.array([dice[name] for name in names])
