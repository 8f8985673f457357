"""What was trained on one data set and tested on another, with thresholds of its own or carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING, RANKING_POINT
from leaderboard.figures.style import PAGE, panels, short
from leaderboard.tables.crossing import CrossLine, CrossTable
from leaderboard.tables.pipelines import VALIDATED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWS = "Trained on one data set, tested on another"


def trained_and_tested(crossed: CrossTable) -> Figure | None:
    """Draw Dice of every training on every data set, a line for each threshold's origin; the fuller a cell, the higher.

    None where no training has a Dice on two data sets.
    """
    lines = _lines(crossed)
    if not any(sum(cell.value is not None for cell in line.cells) > 1 for line in lines):
        return None
    figure, (axis,) = panels(1, 0.75 + 0.21 * len(lines), width=PAGE)
    values = np.array(
        [[np.nan if cell.value is None else cell.value for cell in line.cells] for line in lines]
    )
    axis.imshow(
        values, cmap="Blues", vmin=0, vmax=max(1e-9, 1.4 * np.nanmax(values)), aspect="auto"
    )
    for row, line in enumerate(lines):
        for column, cell in enumerate(line.cells):
            if cell.value is None:
                text = "–"
            elif cell.low is None or cell.high is None:
                text = f"{cell.value:.3f}"
            else:
                text = f"{cell.value:.3f} [{cell.low:.2f}, {cell.high:.2f}]"
            axis.text(column, row, text, ha="center", va="center", fontsize=6)
    names = [short(name) for name in crossed.datasets]
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(lines)), [_named(line) for line in lines])
    axis.set_xlabel("tested on")
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    for place in range(1, len(lines)):
        if lines[place].method != lines[place - 1].method:
            axis.axhline(place - 0.5, color="#888888", lw=0.6)
    return figure


def caption(crossed: CrossTable) -> str:
    """Return what stands below the figure."""
    maps = "" if crossed.view == VALIDATED else f" {crossed.view.capitalize()} maps alone."
    carried = any(line.threshold_from for line in _lines(crossed))
    how = (
        "Without a remark each data set's own validation subjects froze the threshold; 'threshold of x': x's"
        if carried
        else f"Each data set's own validation subjects froze the threshold {RANKING_POINT.name}"
    )
    limits = any(cell.low is not None for line in _lines(crossed) for cell in line.cells)
    brackets = ", in brackets 95 %" if limits else ""
    return (
        f"{title_of(RANKING)}, mean over the subjects with a lesion of each data set{brackets}. {how}. "
        f"{len({line.method for line in _lines(crossed)})} methods that were tested on several.{maps}"
    )


def _lines(crossed: CrossTable) -> list[CrossLine]:
    return [line for line in crossed.lines if line.key == RANKING]


def _named(line: CrossLine) -> str:
    learnt = f", trained on {short(line.trained_on)}" if line.trained_on else ""
    origin = f", threshold of {short(line.threshold_from)}" if line.threshold_from else ""
    return f"{short(line.method)}{learnt}{origin}"
