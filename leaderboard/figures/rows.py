"""Figures of the rows: accuracy against cost, raw against filtered maps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING
from leaderboard.figures.direct_labels import Point, label_points
from leaderboard.figures.style import COLUMN, PAGE, legend_below, panels, plain_numbers, short
from leaderboard.tables.pipelines import kind_of
from leaderboard.tables.seeds import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.tables.row import Row


_NAMED = 8
"""Methods that are named in the figure itself: of more, names cover each other, and numbers stand for them."""
_WITH_KEY = 5.2
"""Width of the figure with a list of names beside it, inches."""
CHAINS_SAY = "The same maps raw and filtered, whatever the table shows; the last panel is over all voxels together"


def cost_and_accuracy(scene: Scene) -> Figure | None:
    """Draw mean Dice against the seconds to score a volume, with the front that nothing beats in both."""
    rows = [
        row
        for row in scene.rows
        if row.costs["seconds_per_volume"] and row.figures[RANKING].value is not None
    ]
    if not rows:
        return None
    devices = sorted({str(row.costs["device"]) for row in rows if row.costs["device"]})
    where = f" ({'; '.join(map(short, devices))})" if devices else ""
    numbered = len(rows) > _NAMED
    figure, (axis,) = panels(1, 2.4 + 0.05 * len(rows), width=_WITH_KEY if numbered else COLUMN)
    points = [(row.costs["seconds_per_volume"], row.figures[RANKING].value or 0.0) for row in rows]
    for row, (x, y) in zip(rows, points, strict=True):
        color = scene.looks.color(row.label)
        _interval(axis, x, row.figures[RANKING], color)
        axis.plot(
            x,
            y,
            marker=scene.looks.mark(row.label),
            color=color,
            ls="none",
            ms=5.5,
            mec="white",
            mew=0.5,
            zorder=3,
        )
    front = _front(points)
    axis.plot(
        [x for x, _ in front],
        [y for _, y in front],
        color="#999999",
        lw=0.8,
        ls="--",
        drawstyle="steps-post",
        zorder=1,
        label="not beaten in both",
    )
    axis.set_xscale("log")
    axis.margins(x=0.12, y=0.12)
    axis.set(xlabel=f"seconds per volume{where}", ylabel=f"{title_of(RANKING)}, {_drawn(rows)}")
    axis.set_ylim(bottom=0)
    plain_numbers(axis.xaxis)
    names = [scene.name(row.label) for row in rows]
    if numbered:
        _key(axis, scene, rows)
        names = [str(number) for number in range(1, len(rows) + 1)]
    label_points(
        axis,
        points,
        names,
        [scene.looks.color(row.label) for row in rows],
        [*_whiskers(rows), *_steps(front)],
    )
    return figure


def cost_says(scene: Scene) -> str:
    """Return how to read :func:`cost_and_accuracy`."""
    return (
        "Seconds to score one volume, without reading and filtering; dashed: the methods that no other one beats in both. "
        f"The mean is drawn {scene.interval(RANKING)}"
    )


def _key(axis: Axes, scene: Scene, rows: list[Row]) -> None:
    """List beside a figure which method has which number."""
    from matplotlib.lines import Line2D

    looks = scene.looks
    handles = [
        Line2D([], [], ls="none", marker=looks.mark(row.label), color=looks.color(row.label))
        for row in rows
    ]
    names = [f"{number}  {scene.name(row.label)}" for number, row in enumerate(rows, 1)]
    axis.legend(handles, names, loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)


def chains_compared(scene: Scene) -> Figure | None:
    """Draw what post-processing does to each method: Dice and average precision of either pipeline, whatever the table shows."""
    chains = scene.table.protocol.chains
    ranked = [row for row in scene.table.every if row.reason is None]
    if len({row.chain for row in ranked}) < 2:
        return None
    figure, axes = panels(3, 3.1, width=PAGE)
    for axis, metric in zip(axes, (RANKING, "ap", "pooled_ap"), strict=True):
        for label in dict.fromkeys(row.label for row in ranked):
            found = {row.chain: row.figures[metric] for row in ranked if row.label == label}
            values = [found[chain].value if chain in found else None for chain in chains]
            known = [(place, value) for place, value in enumerate(values) if value is not None]
            axis.plot(
                [x for x, _ in known],
                [y for _, y in known],
                marker=scene.looks.mark(label),
                color=scene.looks.color(label),
                ls=scene.looks.line(label),
                label=short(label),
                lw=1,
            )
        axis.set_xticks(
            range(len(chains)), [kind_of(chain, scene.table.protocol) for chain in chains]
        )
        axis.set_xlim(-0.25, len(chains) - 0.75)
        axis.set(title=title_of(metric), ylim=(0, 1))
        axis.grid(axis="x", visible=False)
    axes[0].set_ylabel("mean over subjects; last: pooled")
    legend_below(figure, axes, 5)
    return figure


def _drawn(rows: list[Row]) -> str:
    return "mean and 95 %" if _whiskers(rows) else "mean"


def _interval(axis: Axes, x: float, figure: Estimate, color: str) -> None:
    if figure.low is not None and figure.high is not None:
        axis.plot([x, x], [figure.low, figure.high], color=color, lw=0.8, alpha=0.7, zorder=2)


def _whiskers(rows: list[Row]) -> list[tuple[Point, Point]]:
    """Return the intervals that are drawn, each from its lower to its upper end."""
    found = []
    for row in rows:
        x, figure = row.costs["seconds_per_volume"], row.figures[RANKING]
        if figure.low is not None and figure.high is not None:
            found.append(((x, figure.low), (x, figure.high)))
    return found


def _steps(front: list[Point]) -> list[tuple[Point, Point]]:
    """Return the level and upright pieces of the front."""
    pieces = []
    for (x, y), (further, higher) in itertools.pairwise(front):
        pieces += [((x, y), (further, y)), ((further, y), (further, higher))]
    return pieces


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front
