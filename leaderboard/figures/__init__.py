"""Figures of a leaderboard, as SVG and PNG: the same records give the same bytes."""

from leaderboard.figures.gallery import FIGURES, write_figures

__all__ = ["FIGURES", "write_figures"]
