"""Figures of many methods: every letter and every name is there, inside the figure and clear of the others."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from leaderboard.compare import compare
from leaderboard.figures.ranks import groups_diagram, groups_say
from leaderboard.figures.rows import cost_and_accuracy
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, captioned, styled

METHODS = [f"method {letter} (ms-ssim)" for letter in "abcdefghijkl"]


@pytest.fixture
def scene(make_run, records_dir):
    """Twelve methods, each significantly worse than the one before."""
    spread = np.linspace(0, 0.02, 12)
    for place, name in enumerate(METHODS):
        values = [round(0.9 - 0.07 * place + x, 6) for x in np.roll(spread, place)]
        make_run(name, {"raw": values}, protocol={"chains": ("raw",)})
    (table,) = (comparison := compare(records_dir)).tables
    looks = Looks(row.label for row in table.rows)
    with styled():
        yield Scene(table, comparison.statistics_of(table), looks)


def test_every_letter_has_its_bar_inside_the_figure(scene):
    figure = groups_diagram(scene)
    captioned(figure, "groups", "Whom they are over.")
    figure.draw_without_rendering()
    _, bars = figure.axes
    assert [text.get_text() for text in bars.texts] == list("abcdefghijkl")
    assert sum(len(line.get_xdata()) == 2 for line in bars.get_lines()) == len(METHODS)
    for artist in (*bars.texts, *bars.get_lines()):
        box = artist.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_pieces_of_a_broken_bar_are_joined_and_the_caption_says_so(scene):
    family = replace(scene.statistics.family, letters=("a", *"bcdefghij", "ka", "l"))
    broken = replace(scene, statistics=replace(scene.statistics, family=family))
    for shown, joined in ((scene, 0), (broken, 1)):
        _, bars = groups_diagram(shown).axes
        assert sum(line.get_linewidth() < 1 for line in bars.get_lines()) == joined
        assert ("a thin line joins" in groups_say(shown)) == bool(joined)
        assert "it is told apart from all others" in groups_say(shown)
    (thin,) = (line for line in bars.get_lines() if line.get_linewidth() < 1)
    assert list(thin.get_ydata()) == [0.3, 9.7]


def test_of_many_methods_numbers_stand_beside_the_marks_and_names_beside_the_figure(scene):
    figure = cost_and_accuracy(scene)
    captioned(figure, "costs", "Whom they are over.")
    figure.draw_without_rendering()
    (axis,) = figure.axes
    told = [text.get_text() for text in axis.get_legend().get_texts()]
    assert told == [f"{k}  {scene.name(row.label)}" for k, row in enumerate(scene.rows, 1)]
    written = [text for text in axis.texts if text.get_text()]
    assert [text.get_text() for text in written] == [str(k) for k in range(1, 13)]
    boxes = [text.get_window_extent() for text in (*written, *axis.get_legend().get_texts())]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
