"""Where panels lie in a figure: the same to the last digit in every process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DIGITS = 10
"""Decimals of a share of the figure: far more than can be seen, fewer than the solver's rounding reaches."""


class SteadyLayout(ConstrainedLayoutEngine):
    """Matplotlib's constrained layout, rounded.

    Its solver orders what it solves by addresses in memory, so that the last bits of what it finds differ from process to
    process; an SVG then differs in a last digit, and in the names of its clips.
    """

    def execute(self, fig: Figure) -> Any:
        """Lay out the panels, and round where they lie.

        Parameters
        ----------
        fig : Figure
            The figure.
        """
        found = super().execute(fig)
        for axes in fig.axes:
            left, bottom, width, height = axes.get_position(original=True).bounds
            steady = [
                round(float(edge), _DIGITS)
                for edge in (left, bottom, left + width, bottom + height)
            ]
            axes.set_position(Bbox.from_extents(*steady), which="original")
            axes.set_in_layout(True)  # set_position takes it out
        return found
