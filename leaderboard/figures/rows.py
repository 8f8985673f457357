"""Figures of the rows: frozen threshold against the oracle's, accuracy against cost, raw against filtered maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING, RANKING_POINT, UPPER_BOUND
from leaderboard.figures.style import PAGE, legend_below, panels, short
from leaderboard.tables.seeds import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene


def threshold_gap(scene: Scene) -> Figure | None:
    """Draw mean Dice at the frozen threshold and at the test split's own best one, joined."""
    rows = scene.rows
    if not rows:
        return None
    figure, (axis,) = panels(1, 0.9 + 0.26 * len(rows))
    for place, row in enumerate(rows):
        frozen, oracle = row.figures[RANKING], row.upper_bound
        color = scene.looks.color(row.label)
        if frozen.value is None:
            continue
        if frozen.low is not None and frozen.high is not None:
            axis.plot([frozen.low, frozen.high], [place, place], color=color, lw=3, alpha=0.22)
        if oracle.value is not None:
            axis.plot([frozen.value, oracle.value], [place, place], color=color, lw=1.2)
            axis.plot(oracle.value, place, "o", mfc="white", mec=color, ms=5, mew=1.1, zorder=4)
        axis.plot(frozen.value, place, "o", color=color, ms=5, zorder=3)
    axis.set_yticks(range(len(rows)), [scene.name(row.label) for row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set(title=scene.shows, xlabel="mean Dice")
    keys: list[tuple[dict[str, Any], str]] = [
        ({"marker": "o", "color": "#555555"}, f"{RANKING_POINT.name}: frozen on validation data"),
        ({"marker": "o", "mfc": "white", "mec": "#555555"}, f"{UPPER_BOUND.name}: never ranks"),
        ({"color": "#555555", "alpha": 0.3, "lw": 3, "ls": "-"}, "95 % interval"),
    ]
    for mark, label in keys:
        axis.plot([], [], **{"ls": "none", **mark}, label=label)
    legend_below(figure, [axis], 1)
    return figure


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
    figure, (axis,) = panels(1, 2.9)
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
            label=scene.name(row.label),
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
    axis.xaxis.set_major_formatter(_plain)
    axis.minorticks_off()
    axis.set(title=scene.shows, xlabel=f"seconds per volume{where}")
    axis.margins(x=0.12)
    axis.set(ylabel=f"{title_of(RANKING)}, mean and 95 %")
    axis.set_ylim(bottom=0)
    legend_below(figure, [axis], 2)
    return figure


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
        axis.set_xticks(range(len(chains)), chains)
        axis.set_xlim(-0.25, len(chains) - 0.75)
        axis.set(title=title_of(metric), ylim=(0, 1))
        axis.grid(axis="x", visible=False)
    axes[0].set_ylabel("mean over subjects; last: pooled")
    legend_below(figure, axes, 5)
    return figure


def _interval(axis: Axes, x: float, figure: Estimate, color: str) -> None:
    if figure.low is not None and figure.high is not None:
        axis.plot([x, x], [figure.low, figure.high], color=color, lw=0.8, alpha=0.7, zorder=2)


def _plain(value: float, _: object) -> str:
    return f"{value:g}"


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front
