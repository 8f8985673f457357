"""Every figure of a comparison, once, and how they are drawn, table by table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from andi_bench.names import folder_word
from leaderboard.compare import Comparison
from leaderboard.figures import curves, ranks, rows, subjects
from leaderboard.figures.scene import Scene
from leaderboard.figures.style import Looks, save, styled
from leaderboard.tables.pipelines import VALIDATED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """One figure of a table.

    Parameters
    ----------
    name : str
        How its file is called, after the data set.
    shows : str
        What it shows, as its caption says.
    draw : callable
        From a :class:`leaderboard.figures.scene.Scene` to the figure; None where a table has nothing to show there.
    """

    name: str
    shows: str
    draw: Callable[[Scene], Figure | None]


_ENTRIES = (
    Drawing("pr-curves", "Precision and recall, all subjects pooled", curves.precision_recall),
    Drawing("froc", "Lesions found against false-positive lesions per scan", curves.froc),
    Drawing("dice-subjects", "Every subject", subjects.strip_and_box),
    Drawing("lesion-size", "By lesion volume", subjects.by_lesion_size),
    Drawing("oracle-gap", "What the frozen threshold costs", rows.threshold_gap),
    Drawing("cost-accuracy", "Accuracy and cost", rows.cost_and_accuracy),
    Drawing("raw-filtered", "What the filter does", rows.chains_compared),
    Drawing("significance", "Which differences are significant", ranks.significance_matrix),
    Drawing("rank-blobs", "How stable the ranks are", ranks.rank_frequencies),
    Drawing("groups", "Means, and groups that no test tells apart", ranks.groups_diagram),
)

FIGURES = {drawing.name: drawing for drawing in _ENTRIES}
"""Every figure by its name, in the order of the Markdown page. To add one, see docs/add-a-figure.md."""


def write_figures(
    comparison: Comparison, folder: Path, kinds: Sequence[str] = ("svg", "png")
) -> list[Path]:
    """Draw every figure of every table into a folder, as SVG and PNG.

    Parameters
    ----------
    comparison : Comparison
        From :func:`leaderboard.compare.compare`.
    folder : Path
        Made if absent; files are named by data set and figure.
    kinds : sequence of str
        Of these two those that are wanted.

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
            for drawing in FIGURES.values():
                figure = drawing.draw(scene)
                if figure is not None:
                    written += save(figure, folder / f"{stem}-{drawing.name}", kinds)
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
            (drawing.shows, names[f"{stem}-{drawing.name}.svg"])
            for drawing in FIGURES.values()
            if f"{stem}-{drawing.name}.svg" in names
        ]
        out.append(
            [
                (caption, Path(os.path.relpath(path, page.parent)).as_posix())
                for caption, path in found
            ]
        )
    return out


def _stems(comparison: Comparison) -> list[str]:
    """How the names of each table's figures begin: the data set, numbered where it has several tables, and what they show."""
    seen: dict[tuple[str, str], int] = {}
    stems = []
    for table in comparison.tables:
        key = folder_word(table.dataset), table.view
        seen[key] = seen.get(key, 0) + 1
        number = f"-{seen[key]}" if seen[key] > 1 else ""
        shown = f"-{table.view}" if table.view != VALIDATED else ""
        stems.append(f"{key[0]}{number}{shown}")
    return stems
