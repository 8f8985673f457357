"""Figures of a leaderboard, as SVG and PNG: the same records give the same bytes."""

from leaderboard.figures.gallery import FIGURES, crossed_links, figure_links, write_figures

__all__ = ["FIGURES", "crossed_links", "figure_links", "write_figures"]
