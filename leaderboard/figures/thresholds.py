"""What thresholds that were frozen on validation subjects come to on the test subjects: Dice, and false positives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from andi_bench.metrics.points import RANKING, RANKING_POINT, UPPER_BOUND, rates
from leaderboard.figures.style import PAGE, legend_below, panels, plain_numbers
from leaderboard.tables.detected_shares import detected_share
from leaderboard.words.threshold_text import frozen_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.tables.row import Row

_MARKS = ("^", "s", "D", "v")
"""Of the points with a nominal rate, in their order."""


def says(scene: Scene) -> str:
    """Return how to read :func:`threshold_calibration`, and on how many validation subjects thresholds were frozen."""
    return (
        f"Left: mean Dice at the threshold frozen on {frozen_on(scene.table)} (filled, {scene.interval(RANKING)}) and at the best "
        "one of the test split (open, never ranks). Middle: how much lesion-free brain lies above either. Right: that share "
        "where a rate was asked for on validation data (dotted) and what came of it"
    )


def threshold_calibration(scene: Scene) -> Figure | None:
    """Draw the frozen threshold against the test split's own best one, and nominal against reached false-positive rates."""
    rows = scene.rows
    if not rows:
        return None
    height = 0.85 + 0.2 * len(rows)
    figure, axes = panels(3, height, width=PAGE, sharey=True, width_ratios=(1.15, 1, 1))
    for place, row in enumerate(rows):
        color = scene.looks.color(row.label)
        _draw_dice(axes[0], place, row, color)
        _pair(axes[1], place, _share(row, RANKING_POINT.name), _share(row, UPPER_BOUND.name), color)
        for mark, name in zip(_MARKS, rates(), strict=False):
            reached = _share(row, name)
            if reached:
                axes[2].plot(reached, place, mark, color=color, ms=4.5)
    for rate in rates().values():
        axes[2].axvline(100 * rate, color="#777777", lw=0.9, ls=":", zorder=0)
    axes[0].set_yticks(range(len(rows)), [scene.name(row.label) for row in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    axes[0].set_xlabel("mean Dice")
    for axis in axes:
        axis.grid(axis="y", visible=False)
    for axis in axes[1:]:
        axis.set_xlabel("lesion-free brain voxels above, %")
        axis.tick_params(left=False)
        if any(len(line.get_xdata()) for line in axis.get_lines()):  # type: ignore[arg-type]
            axis.set_xscale("log")
            plain_numbers(axis.xaxis)
    _keys(figure, axes)
    return figure


def _draw_dice(axis: Axes, place: int, row: Row, color: str) -> None:
    frozen = row.figures[RANKING]
    if frozen.low is not None and frozen.high is not None:
        axis.plot([frozen.low, frozen.high], [place, place], color=color, lw=3, alpha=0.22)
    _pair(axis, place, frozen.value, row.upper_bound.value, color)


def _pair(axis: Axes, place: int, frozen: float | None, best: float | None, color: str) -> None:
    if frozen is not None and best is not None:
        axis.plot([frozen, best], [place, place], color=color, lw=1.2)
    if best is not None:
        axis.plot(best, place, "o", mfc="white", mec=color, ms=5.5, mew=1.1, zorder=3)
    if frozen is not None:
        axis.plot(frozen, place, "o", color=color, ms=3.2, zorder=4)


def _share(row: Row, point: str) -> float | None:
    """Return what an axis in powers of ten can show of :func:`detected_share`: no 0."""
    return detected_share(row, point) or None


def _keys(figure: Figure, axes: list[Axes]) -> None:
    gray = "#555555"
    keys: list[tuple[dict[str, Any], str]] = [
        ({"marker": "o", "color": gray, "ms": 3.2}, f"{RANKING_POINT.name}: frozen"),
        ({"marker": "o", "mfc": "white", "mec": gray}, f"{UPPER_BOUND.name}: best of the test"),
        *(
            ({"marker": mark, "color": gray}, f"{name}: {100 * rate:g} % asked for")
            for mark, (name, rate) in zip(_MARKS, rates().items(), strict=False)
        ),
    ]
    for look, label in keys:
        axes[0].plot([], [], **{"ls": "none", **look}, label=label)
    legend_below(figure, axes[:1], 4)
