"""All figures of a comparison, table by table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from andi_bench.names import folder_word
from leaderboard.compare import Comparison
from leaderboard.figures import curves, points, ranks, subjects
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, save, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FIGURES: dict[str, Callable[[Scene], Figure | None]] = {
    "pr-curves": curves.precision_recall,
    "dice-subjects": subjects.strip_and_box,
    "lesion-size": subjects.by_lesion_size,
    "oracle-gap": points.oracle_gap,
    "cost-accuracy": points.cost_and_accuracy,
    "raw-filtered": points.chains_compared,
    "significance": ranks.significance_matrix,
    "rank-blobs": ranks.rank_frequencies,
    "critical-difference": ranks.critical_difference_diagram,
}
"""By name, what draws each; None where a table has nothing to show there."""

CAPTIONS = {
    "pr-curves": "Precision and recall, all subjects pooled",
    "dice-subjects": "Every subject",
    "lesion-size": "By lesion volume",
    "oracle-gap": "What the frozen threshold costs",
    "cost-accuracy": "Accuracy and cost",
    "raw-filtered": "What the filter does",
    "significance": "Which differences are significant",
    "rank-blobs": "How stable the ranks are",
    "critical-difference": "Mean ranks and critical difference",
}
"""By name, what each shows."""


def write_figures(comparison: Comparison, folder: Path) -> list[Path]:
    """Draw every figure of every table into a folder, as SVG and PNG.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    folder : Path
        Made if absent; files are named by data set and figure.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UserError
        When a file cannot be written, or a record's histograms cannot be read.
    """
    written = []
    labels = sorted({row.label for table in comparison.tables for row in table.rows})
    looks = Looks(labels)
    with styled():
        for stem, table in zip(_stems(comparison), comparison.tables, strict=True):
            scene = Scene(table, comparison.statistics_of(table), looks)
            for name, draw in FIGURES.items():
                figure = draw(scene)
                if figure is not None:
                    written += save(figure, folder / f"{stem}-{name}")
    return written


def figure_links(
    comparison: Comparison, written: Sequence[Path], page: Path
) -> list[list[tuple[str, str]]]:
    """Return for every table what its figures show, and where they lie as seen from a page.

    Parameters
    ----------
    comparison : Comparison
        What was drawn.
    written : sequence of Path
        From :func:`write_figures`.
    page : Path
        The file that will show them.
    """
    names = {path.name: path for path in written if path.suffix == ".svg"}
    out = []
    for stem in _stems(comparison):
        found = [
            (caption, names[f"{stem}-{name}.svg"])
            for name, caption in CAPTIONS.items()
            if f"{stem}-{name}.svg" in names
        ]
        out.append(
            [
                (caption, Path(os.path.relpath(path, page.parent)).as_posix())
                for caption, path in found
            ]
        )
    return out


def _stems(comparison: Comparison) -> list[str]:
    """How the names of each table's figures begin: the data set, numbered where it has several tables."""
    seen: dict[str, int] = {}
    stems = []
    for table in comparison.tables:
        stem = folder_word(table.dataset)
        seen[stem] = seen.get(stem, 0) + 1
        stems.append(f"{stem}-{seen[stem]}" if seen[stem] > 1 else stem)
    return stems
