"""Figures of the tests: significance matrix, how often each method has which rank, critical differences."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.resampling import RANK_RESAMPLES
from leaderboard.figures.style import COLUMN, PAGE, panels, short
from leaderboard.words.differences import p_text

_ABOVE = 0.27  # inches: where the critical difference stands above the scale of a diagram

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from leaderboard.figures.scene import Scene
    from leaderboard.statistics.families import Family


def significance_matrix(scene: Scene) -> Figure | None:
    """Draw every pair of methods: colour is the effect, the number Holm's p, a frame marks what is significant."""
    families = [family for family in scene.statistics.families if family.rankings]
    if not families:
        return None
    most = max(len(family.keys) for family in families)
    width = PAGE if len(families) > 1 else COLUMN
    figure, axes = panels(len(families), min(4.6, 1.25 + 0.3 * most), width=width)
    for axis, family in zip(axes, families, strict=True):
        count = len(family.keys)
        effects = np.full((count, count), np.nan)
        for row, first in enumerate(family.keys):
            for column, second in enumerate(family.keys):
                test = family.test(first, second) if first != second else None
                if test is None or test.effect is None:
                    continue
                effects[row, column] = test.effect if test.first == first else -test.effect
                significant = test.better is not None
                strong = abs(effects[row, column]) > 0.65
                axis.text(
                    column,
                    row,
                    p_text(test.adjusted),
                    ha="center",
                    va="center",
                    fontsize=5.8 if count < 9 else 4.2,
                    color="white" if strong else "black",
                    fontweight="bold" if significant else "normal",
                )
                if significant:
                    axis.add_patch(_frame(column, row))
        shown = axis.imshow(effects, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        names = [short(key[0]) for key in family.keys]
        axis.set_xticks(range(count), names, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(count), names)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        axis.set_title(f"{family.chain} maps, {len(family.subjects)} subjects")
    bar = figure.colorbar(shown, ax=axes, fraction=0.03, pad=0.02)
    bar.set_label("effect (rank-biserial): above 0, the row is better", fontsize=6)
    bar.ax.tick_params(labelsize=6)
    figure.supxlabel(
        f"Wilcoxon on {title_of(families[0].metric)}, p adjusted by Holm within the panel; bold and framed: below .05",
        fontsize=6,
        color="#555555",
    )
    return figure


def rank_frequencies(scene: Scene) -> Figure | None:
    """Draw how often each method had which rank in bootstraps of the subjects, scheme by scheme."""
    families = [family for family in scene.statistics.families if family.rankings]
    if not families:
        return None
    from matplotlib.figure import Figure

    schemes = len(families[0].rankings)
    most = max(len(family.keys) for family in families)
    figure = Figure(
        figsize=(PAGE, (0.85 + 0.24 * most) * len(families) + 0.2), layout="constrained"
    )
    grid = figure.subplots(len(families), schemes, squeeze=False)
    for line, family in zip(grid, families, strict=True):
        order = sorted(range(len(family.keys)), key=lambda k: family.rankings[0].ranks[k])
        for axis, ranking in zip(line, family.rankings, strict=True):
            for place, k in enumerate(order):
                color = scene.looks.color(family.keys[k][0])
                shares = np.array(ranking.frequencies[k])
                ranks = np.arange(1, len(shares) + 1)
                axis.scatter(
                    ranks[shares > 0],
                    np.full((shares > 0).sum(), place),
                    s=150 * shares[shares > 0] * min(1, 8 / most),
                    color=color,
                    alpha=0.75,
                    lw=0,
                    zorder=3,
                )
                axis.plot(
                    [ranking.low[k], ranking.high[k]],
                    [place, place],
                    color="black",
                    lw=0.8,
                    zorder=2,
                )
                axis.plot(
                    ranking.ranks[k], place, marker="x", color="black", ms=3.5, mew=0.9, zorder=4
                )
            axis.set_yticks(range(len(order)), [short(family.keys[k][0]) for k in order])
            if axis is not line[0]:
                axis.set_yticklabels([])
            axis.set_ylim(len(order) - 0.4, -0.6)
            axis.set_xlim(0.4, len(order) + 0.6)
            axis.set_xticks(range(1, len(order) + 1))
            axis.set_title(f"{family.chain} maps: {ranking.scheme}", fontsize=7)
    for axis in grid[-1]:
        axis.set_xlabel("rank")
    figure.supxlabel(
        f"area: share of {RANK_RESAMPLES:,} bootstraps of the subjects; line: 95 % of the ranks; cross: rank on all subjects",
        fontsize=6,
        color="#555555",
    )
    return figure


def critical_difference_diagram(scene: Scene) -> Figure | None:
    """Draw mean ranks over subjects; methods that no test tells apart are joined (Demsar, 2006).

    The bars join what Wilcoxon's test with Holm's correction does not separate; Nemenyi's critical difference, which
    depends on which other methods take part, stands above as a yardstick.
    """
    families = [family for family in scene.statistics.families if family.friedman is not None]
    if not families:
        return None
    from matplotlib.figure import Figure

    most = max(len(family.keys) for family in families)
    height = 1.15 + 0.15 * most
    figure = Figure(figsize=(PAGE, height * len(families)), layout="constrained")
    axes = figure.subplots(len(families), 1, squeeze=False)[:, 0]
    for axis, family in zip(axes, families, strict=True):
        _diagram(scene, axis, family)
    return figure


def _diagram(scene: Scene, axis: object, family: Family) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scikit_posthocs import critical_difference_diagram as draw
    from matplotlib.axes import Axes
    from matplotlib.transforms import ScaledTranslation

    assert isinstance(axis, Axes)
    test = family.friedman
    assert test is not None
    # numbers for names: what is drawn depends on the order of sets, which for words is another every time
    places = list(range(len(family.keys)))
    ranks = pd.Series(test.average_ranks, index=places)
    p = pd.DataFrame(1.0, index=places, columns=places)
    for pair in family.wilcoxon:
        first, second = (family.keys.index(key) for key in (pair.first, pair.second))
        p.loc[first, second] = p.loc[second, first] = pair.adjusted
    colors = {place: scene.looks.color(family.keys[place][0]) for place in places}
    draw(
        ranks,
        p,
        ax=axis,
        color_palette=colors,
        label_fmt_left="{label}|{rank:.2f}",
        label_fmt_right="{rank:.2f}|{label}",
        label_props={"fontsize": 7},
        marker_props={"s": 12},
        elbow_props={"linewidth": 0.8},
        crossbar_props={"linewidth": 2.2, "color": "#333333", "marker": "none"},
    )
    for label in axis.texts:
        words = label.get_text().split("|")
        label.set_text(
            "  ".join(short(family.keys[int(w)][0]) if w.isdecimal() else w for w in words)
        )
    axis.grid(visible=False)
    axis.tick_params(labelsize=6.5)
    for label in axis.texts:
        label.set_color("black")  # the palette's light colours are no colours to read
    start = min(axis.get_xlim())
    end = start + test.critical_difference
    figure = axis.get_figure(root=True)
    assert figure is not None
    where = axis.get_xaxis_transform() + ScaledTranslation(0, _ABOVE, figure.dpi_scale_trans)
    axis.plot([start, end], [1, 1], color="black", lw=1.2, transform=where, clip_on=False)
    axis.text(
        end,
        1,
        f"  Nemenyi's CD at 5 %: {test.critical_difference:.2f}",
        transform=where,
        va="center",
        fontsize=6.5,
    )
    text = f"{family.chain} maps: mean rank over {len(family.subjects)} subjects, 1 is best"
    axis.set_title(f"{text}; bars join what Wilcoxon-Holm does not separate", fontsize=7, pad=26)


def _frame(column: int, row: int) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="black", linewidth=0.9
    )
