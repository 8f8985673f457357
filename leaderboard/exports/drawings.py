"""The figures of a comparison as an export: a folder of SVG and PNG."""

from __future__ import annotations

from pathlib import Path

from andi_bench.names import counted
from leaderboard.compare import Comparison
from leaderboard.figures import write_figures


def write_drawings(comparison: Comparison, folder: Path, drawn: list[Path]) -> str:
    """Draw every figure into a folder, add the files to ``drawn`` and say how many there are.

    Raises
    ------
    UserError
        When a file cannot be written.
    """
    written = write_figures(comparison, folder)
    drawn += written
    return f"{counted(len(written), 'figure')} in {folder}"
