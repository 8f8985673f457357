"""Figures of a leaderboard, as SVG and PNG: the same records give the same bytes."""

from leaderboard.figures.gallery import FIGURES, figure_links, write_figures

__all__ = ["FIGURES", "figure_links", "write_figures"]
