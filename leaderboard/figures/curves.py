"""Precision-recall curves with bands over subjects, and FROC curves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.froc import RATES
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.mean_intervals import FEWEST
from andi_bench.metrics.resampling import CURVE_RESAMPLES, stratified_draws
from andi_bench.names import counted
from leaderboard.figures.style import legend_below, panels
from leaderboard.statistics.pooled_counts import counts_of
from leaderboard.tables.froc_curves import PAID, froc_curves, mean_sensitivity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.tables.row import Row

_BANDS = 3
"""So many methods have a band: more would hide each other."""


def curve_says(scene: Scene) -> str:
    """Return how to read :func:`precision_recall`."""
    known = (found for row in scene.rows if (found := _shared(row)) is not None)
    counts = itertools.islice(known, _BANDS)  # histograms of these rows alone are read again
    bands = f"bands: 95 % over subjects, of the {_BANDS} best-ranked methods; "
    return f"Mean over seeds; {bands if any(map(_banded, counts)) else ''}dotted: the share of lesion, which chance gives"


def froc_says(scene: Scene) -> str:
    """Return how to read :func:`froc`, and of how many lesions and scans it is."""
    curves = [curve for row in scene.rows for curve in froc_curves(row)]
    counts = {(curve.lesions, curve.scans) for curve in curves}
    found = (
        f", of {counted(counts.pop()[0], 'lesion')}"
        if len(counts) == 1
        else f", of {min(counts)[0]} to {max(counts)[0]} lesions"
        if counts
        else ""
    )
    return f"Over all thresholds, mean over seeds{found}; matched one to one, IoU above 0.1; upright lines: the rates of the tables"


_RECALL = np.linspace(0.005, 1, 200)


def precision_recall(scene: Scene) -> Figure | None:
    """Draw pooled precision against recall, mean over seeds, 95 % band over subjects where there are enough with a lesion."""
    rows = [(row, counts) for row in scene.rows if (counts := _shared(row)) is not None]
    if not rows:
        return None
    figure, (axis,) = panels(1, 3.1)
    for place, (row, counts) in enumerate(rows):
        color = scene.looks.color(row.label)
        ones = np.ones((1, len(counts[0].subjects)), dtype=np.int64)
        axis.plot(
            _RECALL,
            _curve(counts, ones)[0],
            color=color,
            ls=scene.looks.line(row.label),
            label=scene.name(row.label),
            zorder=3,
        )
        if place < _BANDS and _banded(counts):
            draws = stratified_draws(np.asarray(counts[0].lesion.any(axis=1)), CURVE_RESAMPLES)
            low, high = np.nanpercentile(_curve(counts, draws), [2.5, 97.5], axis=0)
            axis.fill_between(_RECALL, low, high, color=color, alpha=0.15, lw=0, zorder=1)
    chance = scene.rows[0].figures["prevalence"].value
    if chance is not None:
        axis.axhline(chance, color="#555555", lw=0.8, ls=(0, (1, 1.5)), label="chance")
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall")
    axis.set_ylabel("precision, all subjects pooled")
    legend_below(figure, [axis], 2)
    return figure


def _shared(row: Row) -> list[GroupedCounts] | None:
    """Return the seeds' counts, subjects in one order, so that a draw takes the same; None where seeds have others."""
    counts = counts_of(row)
    if counts is None or len({frozenset(seed.subjects) for seed in counts}) > 1:
        return None
    return [seed.only(counts[0].subjects) for seed in counts]


def _banded(counts: list[GroupedCounts]) -> bool:
    return int(counts[0].lesion.any(axis=1).sum()) >= FEWEST


def froc(scene: Scene) -> Figure | None:
    """Draw the share of all lesions found against false-positive lesions per scan, mean over seeds."""
    rows = [(row, curves) for row in scene.rows if (curves := froc_curves(row))]
    if not rows:
        return None
    figure, (axis,) = panels(1, 3.1)
    for row, curves in rows:
        axis.plot(
            PAID,
            mean_sensitivity(curves),
            color=scene.looks.color(row.label),
            ls=scene.looks.line(row.label),
            label=scene.name(row.label),
            drawstyle="steps-post",
        )
    for rate in RATES:
        axis.axvline(rate, color="#bbbbbb", lw=0.6, zorder=0)
    axis.set(xscale="log", xlim=(PAID[0], PAID[-1]), ylim=(0, 1.02))
    axis.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    axis.minorticks_off()
    axis.set_xlabel("false-positive lesions per scan")
    axis.set_ylabel("share of all lesions found")
    legend_below(figure, [axis], 2)
    return figure


def _curve(counts: list[GroupedCounts], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return precision at fixed recalls for every resample, mean over seeds."""
    total = np.zeros((len(draws), len(_RECALL)))
    for seed in counts:
        recall, precision = seed.curves(draws)
        for line, (x, y) in enumerate(zip(recall, precision, strict=True)):
            known = np.isfinite(x) & np.isfinite(y)
            total[line] += np.interp(_RECALL, x[known], y[known]) if known.any() else np.nan
    return total / len(counts)
