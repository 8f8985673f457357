"""Figures of the tests: significance matrix, how often each method has which rank, groups that are not told apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import metric_at, title_of
from andi_bench.metrics.resampling import RANK_RESAMPLES
from andi_bench.names import counted
from leaderboard.figures.style import COLUMN, PAGE, PALETTE, panels
from leaderboard.words.differences import p_text

_BAR, _BARS = 0.1, 3
"""Inches that a letter's bar takes; how many bars a figure of a column's width has room for."""
_WIDE_RANKS = 12
"""So many ranks have room beside each other at the usual size."""
_NAMES = 1.5
"""About what the methods' names take, inches."""

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from leaderboard.figures.scene import Scene
    from leaderboard.statistics.family import Family


def significance_matrix(scene: Scene) -> Figure | None:
    """Draw every pair of methods: the number is its p, and only what is significant has a colour."""
    family = scene.statistics.family
    if family is None or not family.rankings:
        return None
    count = len(family.keys)
    figure, (axis,) = panels(
        1, 0.5 + 0.27 * count, width=COLUMN if count < 9 else min(PAGE, 0.5 * (count + 1))
    )
    sign = metric_at(family.metric).sign
    shades = _shades(max((abs(test.difference) for test in family.tests), default=0) or 1.0)
    colors = np.ones((count, count, 3))
    for row, first in enumerate(family.keys):
        for column, second in enumerate(family.keys):
            test = family.test(first, second) if first != second else None
            if test is None:
                continue
            toward = sign if test.first == first else -sign
            significant = test.better is not None
            if significant:
                colors[row, column] = shades(toward * test.difference)
            axis.text(
                column,
                row,
                p_text(test.adjusted, test.floor),
                ha="center",
                va="center",
                fontsize=5.2 if count < 15 else 4,
                color="black" if significant else "#555555",
                fontweight="bold" if significant else "normal",
            )
    axis.imshow(colors, aspect="auto")
    names = [scene.name(label) for label, _ in family.keys]
    axis.set_xticks(range(count), [str(k + 1) for k in range(count)])
    axis.set_yticks(range(count), [f"{name}  {k + 1}" for k, name in enumerate(names)])
    axis.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axis.grid(visible=False)
    axis.grid(visible=True, which="minor", color="#CCCCCC", lw=0.5)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0, which="both", labeltop=True, labelbottom=False)
    return figure


def _shades(reach: float) -> Callable[[float], NDArray[np.float64]]:
    """Return the colour of a significant difference: blue where the row is better, orange where worse, fuller the larger."""
    from matplotlib.colors import to_rgb

    ends = {sign: np.array(to_rgb(color)) for sign, color in ((1, PALETTE[5]), (-1, PALETTE[4]))}

    def shade(difference: float) -> NDArray[np.float64]:
        strength = 0.35 + 0.65 * min(1.0, abs(difference) / reach)
        out: NDArray[np.float64] = 1 - strength * (1 - ends[1 if difference > 0 else -1])
        return out

    return shade


def significance_says(scene: Scene) -> str:
    """Return how to read :func:`significance_matrix`."""
    family = scene.statistics.family
    assert family is not None
    return (
        f"Numbers: p of the family for the mean difference in {title_of(family.metric)}, {counted(len(family.subjects), 'subject')}, flips of "
        "signs; coloured and bold where below .05, blue: the row is better than the column, orange: worse, the fuller the "
        "larger the difference. White is no proof that two are equal"
    )


def rank_frequencies(scene: Scene) -> Figure | None:
    """Draw how often each method had which rank in bootstraps of subjects and seeds; None where too few subjects are resampled."""
    family = scene.statistics.family
    if family is None or not family.rankings or not family.rankings[0].frequencies:
        return None
    count, ranking = len(family.keys), family.rankings[0]
    figure, (axis,) = panels(1, 0.95 + 0.24 * count)
    order = _best_first(family)
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
    axis.tick_params(axis="x", labelsize=6.5 if count <= _WIDE_RANKS else 5)
    axis.set_xlabel(f"rank by {title_of(family.metric)}")
    return figure


def _best_first(family: Family) -> list[int]:
    return sorted(range(len(family.keys)), key=lambda k: (family.rankings[0].ranks[k], k))


def ranks_say(scene: Scene) -> str:
    """Return how to read :func:`rank_frequencies`, what was resampled, and what that does not tell."""
    seeds = [len(row.runs) for row in scene.rows if row.chance]
    drawn, left = "subjects and seeds", ""
    if seeds and max(seeds) == 1:
        drawn, left = (
            "subjects",
            ": it covers other subjects, not other trainings, for each method has one seed",
        )
    elif seeds and min(seeds) == 1:
        left = ": of a method with one seed it covers other subjects, not other trainings"
    return (
        f"Area: share of {RANK_RESAMPLES:,} bootstraps of {drawn}; line: 95 % of the ranks; cross: the rank itself. "
        f"This is no test{left}. Which methods differ is tested, and told by the letters of the groups"
    )


def _bar(axis: Axes, column: int, mark: str, places: list[int]) -> None:
    """Draw the bar of a letter; where a method between does not share it, a thin line joins its pieces."""
    axis.text(column, -0.5, mark, ha="center", va="bottom", fontsize=6.5)
    for place in places:
        end = place + (0.7 if place + 1 in places else 0.3)
        axis.plot([column] * 2, [place - 0.3, end], lw=2, color="#333333", solid_capstyle="butt")
    for above, below in itertools.pairwise(places):
        if below - above > 1:
            axis.plot([column] * 2, [above + 0.3, below - 0.3], lw=0.6, color="#999999", zorder=1)


def groups_say(scene: Scene) -> str:
    """Return how to read :func:`groups_diagram`."""
    family = scene.statistics.family
    assert family is not None
    text = (
        f"Mean {scene.interval(family.metric)}. A column is a letter: the methods with a bar in it are not told apart by the test that ranks "
        "(flips of signs, 5 % within the family); that is no proof that they are equal"
    )
    order = _best_first(family)
    shared = [[mark in family.letters[k] for k in order] for mark in {*"".join(family.letters)}]
    if any(sum(column) == 1 for column in shared):
        text += ". A column with one method: it is told apart from all others"
    if any(_broken(column) for column in shared):
        text += ". Pieces of one column belong together, and a thin line joins them: the methods that it passes do not share the letter"
    return text


def _broken(shares: Sequence[bool]) -> bool:
    """Return whether a letter's bar has a gap, from whether each method has it, best first."""
    places = [place for place, has in enumerate(shares) if has]
    return places[-1] - places[0] >= len(places)


def groups_diagram(scene: Scene) -> Figure | None:
    """Draw each method's mean with its interval, and bars that join the methods that no test tells apart."""
    family = scene.statistics.family
    if family is None or not family.rankings:
        return None
    metric = family.metric  # of the tests, where pooled figures rank
    count = len(family.keys)
    order = _best_first(family)
    letters = list(dict.fromkeys(mark for k in order for mark in family.letters[k]))
    columns = _BAR * max(len(letters), _BARS)
    figure, (axis, bars) = panels(
        2,
        0.95 + 0.24 * count,
        width=COLUMN + columns - _BAR * _BARS,
        sharey=True,
        width_ratios=[COLUMN - _NAMES, columns],
    )
    found = {row.key: row.figures[metric] for row in scene.rows}
    for place, k in enumerate(order):
        key = family.keys[k]
        estimate, color = found[key], scene.looks.color(key[0])
        if estimate.low is not None and estimate.high is not None:
            axis.plot([estimate.low, estimate.high], [place, place], color=color, lw=1.2)
        assert estimate.value is not None  # or the row had no rank
        look: dict[str, Any] = {"marker": scene.looks.mark(key[0]), "color": color, "ls": "none"}
        axis.plot(estimate.value, place, **look, clip_on=False, zorder=3)
    for column, mark in enumerate(letters):
        places = [place for place, k in enumerate(order) if mark in family.letters[k]]
        _bar(bars, column, mark, places)
    bars.set_xlim(-0.5, columns / _BAR - 0.5)
    bars.set_axis_off()
    names = [f"{scene.name(family.keys[k][0])}  {family.letters[k]}" for k in order]
    axis.set_yticks(range(count), names)
    axis.set_ylim(count - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(title_of(metric))
    if axis.get_xlim()[0] > 0:
        axis.set_xlim(left=0)  # or differences would look larger than they are
    return figure
