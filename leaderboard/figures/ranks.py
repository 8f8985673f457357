"""Figures of the tests: significance matrix, how often each method has which rank, groups that are not told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from andi_bench.metrics.compared import metric_at, title_of
from andi_bench.metrics.resampling import RANK_RESAMPLES
from leaderboard.figures.style import panels
from leaderboard.words.differences import p_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from leaderboard.figures.scene import Scene


def significance_matrix(scene: Scene) -> Figure | None:
    """Draw every pair of methods: colour is the mean difference, the number its p, a frame marks what is significant."""
    family = scene.statistics.family
    if family is None or not family.rankings:
        return None
    count = len(family.keys)
    figure, (axis,) = panels(1, min(4.6, 1.25 + 0.3 * count))
    sign = metric_at(family.metric).sign
    reach = max((abs(test.difference) for test in family.tests), default=0) or 1.0
    differences = np.full((count, count), np.nan)
    for row, first in enumerate(family.keys):
        for column, second in enumerate(family.keys):
            test = family.test(first, second) if first != second else None
            if test is None:
                continue
            toward = sign if test.first == first else -sign
            differences[row, column] = toward * test.difference
            significant = test.better is not None
            strong = abs(differences[row, column]) > 0.65 * reach
            axis.text(
                column,
                row,
                p_text(test.adjusted, test.floor),
                ha="center",
                va="center",
                fontsize=5.8 if count < 9 else 4.2,
                color="white" if strong else "black",
                fontweight="bold" if significant else "normal",
            )
            if significant:
                axis.add_patch(_frame(column, row))
    shown = axis.imshow(differences, cmap="PuOr", vmin=-reach, vmax=reach, aspect="auto")
    names = [scene.name(label) for label, _ in family.keys]
    axis.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(count), names)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set_title(f"{scene.shows}, {len(family.subjects)} subjects")
    bar = figure.colorbar(shown, ax=axis, fraction=0.03, pad=0.02)
    bar.set_label("mean difference: above 0, the row is better", fontsize=6)
    bar.ax.tick_params(labelsize=6)
    figure.supxlabel(
        f"{title_of(family.metric)}, mean differences by sign flips, p of the family\nbold and framed: below .05",
        fontsize=6,
        color="#555555",
    )
    return figure


def rank_frequencies(scene: Scene) -> Figure | None:
    """Draw how often each method had which rank in bootstraps of subjects and seeds."""
    family = scene.statistics.family
    if family is None or not family.rankings:
        return None
    count, ranking = len(family.keys), family.rankings[0]
    figure, (axis,) = panels(1, 0.95 + 0.24 * count)
    order = sorted(range(count), key=lambda k: (ranking.ranks[k], k))
    for place, k in enumerate(order):
        shares = np.array(ranking.frequencies[k])
        ranks = np.arange(1, len(shares) + 1)
        axis.scatter(
            ranks[shares > 0],
            np.full((shares > 0).sum(), place),
            s=150 * shares[shares > 0] * min(1, 8 / count),
            color=scene.looks.color(family.keys[k][0]),
            alpha=0.75,
            lw=0,
            zorder=3,
        )
        axis.plot(
            [ranking.low[k], ranking.high[k]], [place, place], color="black", lw=0.8, zorder=2
        )
        axis.plot(ranking.ranks[k], place, marker="x", color="black", ms=3.5, mew=0.9, zorder=4)
    axis.set_yticks(range(count), [scene.name(family.keys[k][0]) for k in order])
    axis.set_ylim(count - 0.4, -0.6)
    axis.set_xlim(0.4, count + 0.6)
    axis.set_xticks(range(1, count + 1))
    axis.set(title=scene.shows, xlabel=f"rank by {title_of(family.metric)}")
    figure.supxlabel(
        f"area: share of {RANK_RESAMPLES:,} bootstraps of subjects and seeds;\nline: 95 % of the ranks; cross: rank itself",
        fontsize=6,
        color="#555555",
    )
    return figure


def groups_diagram(scene: Scene) -> Figure | None:
    """Draw each method's mean with its interval, and bars that join the methods that no test tells apart."""
    family = scene.statistics.family
    if family is None or not family.rankings:
        return None
    metric, first = family.metric, family.rankings[0]  # of the tests, where pooled figures rank
    count = len(family.keys)
    figure, (axis,) = panels(1, 0.95 + 0.24 * count)
    found = {row.key: row.figures[metric] for row in scene.rows}
    order = sorted(range(count), key=lambda k: (first.ranks[k], k))
    for place, k in enumerate(order):
        key = family.keys[k]
        estimate, color = found[key], scene.looks.color(key[0])
        if estimate.low is not None and estimate.high is not None:
            axis.plot([estimate.low, estimate.high], [place, place], color=color, lw=1.2)
        assert estimate.value is not None  # or the row had no rank
        axis.plot(estimate.value, place, marker=scene.looks.mark(key[0]), color=color, ls="none")
    letters = dict.fromkeys(mark for k in order for mark in family.letters[k])
    for column, mark in enumerate(letters):
        places = [place for place, k in enumerate(order) if mark in family.letters[k]]
        x = 1.03 + 0.035 * column
        span: dict[str, Any] = {
            "transform": axis.get_yaxis_transform(),
            "color": "#333333",
            "clip_on": False,
        }
        axis.plot([x, x], [places[0] - 0.3, places[-1] + 0.3], lw=2, **span)
        for place in set(range(places[0], places[-1])) - set(places):
            axis.plot([x, x], [place - 0.3, place + 0.3], **{**span, "color": "white"}, lw=2.4)
    names = [f"{scene.name(family.keys[k][0])}  {family.letters[k]}" for k in order]
    axis.set_yticks(range(count), names)
    axis.set_ylim(count - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set(title=scene.shows, xlabel=title_of(metric))
    figure.supxlabel(
        "mean and 95 %; rows on one bar share a letter:\nno test tells them apart (5 % within the family)",
        fontsize=6,
        color="#555555",
    )
    return figure


def _frame(column: int, row: int) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="black", linewidth=0.9
    )
