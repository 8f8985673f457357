"""Panels lie where the layout puts them, without the last bits that differ from process to process."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from leaderboard.figures.layout import SteadyLayout


def drawn(layout) -> Figure:
    figure = Figure(figsize=(5.3, 3.7), layout=layout)
    for axes in figure.subplots(3, 4).flat:
        axes.imshow([[0, 1], [1, 0]], aspect=1.07)
        axes.set_ylabel("highest\nS0001", fontsize=6)
    figure.draw_without_rendering()
    return figure


def test_panels_lie_on_round_shares_of_the_figure_and_where_they_lay_before():
    places = [
        [axes.get_position(original=True).extents for axes in drawn(layout).axes]
        for layout in (SteadyLayout(), "constrained")
    ]
    for steady, plain in zip(*places, strict=True):
        assert steady == pytest.approx(plain, abs=1e-9)
        assert [round(edge, 10) for edge in steady] == pytest.approx(steady, abs=1e-16, rel=0)
        assert [round(edge, 10) for edge in plain] != pytest.approx(plain, abs=1e-16, rel=0)


def test_a_figure_that_is_made_larger_is_laid_out_again():
    figures = [drawn(layout) for layout in (SteadyLayout(), "constrained")]
    for figure in figures:
        figure.set_size_inches(10.6, 3.7)
        figure.draw_without_rendering()
    steady, plain = (
        [axes.get_position(original=True).extents for axes in figure.axes] for figure in figures
    )
    for one, other in zip(steady, plain, strict=True):
        assert one == pytest.approx(other, abs=1e-8)
    assert steady[0][0] < drawn(SteadyLayout()).axes[0].get_position(original=True).x0
