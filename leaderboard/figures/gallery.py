"""Every figure of a comparison, once, and how they are drawn, table by table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from andi_bench.names import folder_word
from leaderboard.compare import Comparison
from leaderboard.figures import (
    curves,
    examples,
    lesion_size,
    ranks,
    rows,
    subjects,
    thresholds,
    transfer,
)
from leaderboard.figures.scene import Scene, looks_of
from leaderboard.figures.style import captioned, save, styled
from leaderboard.tables.crossing import CrossTable
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
        What it shows: its title, and how its caption begins.
    draw : callable
        From a :class:`leaderboard.figures.scene.Scene` to the figure; None where a table has nothing to show there.
    says : str or callable
        The caption's middle: what lines and marks mean; a callable gets the scene. Whom the figure is about, and how many
        they are, follows by itself.
    """

    name: str
    shows: str
    draw: Callable[[Scene], Figure | None]
    says: str | Callable[[Scene], str] = ""

    def caption(self, scene: Scene) -> str:
        """Return what stands below the figure: how to read it, of whom and how many it is."""
        said = self.says if isinstance(self.says, str) else self.says(scene)
        return " ".join(f"{part}." for part in (said, scene.whom) if part)


_ENTRIES = (
    Drawing(
        "pr-curves",
        "Precision and recall, all subjects pooled",
        curves.precision_recall,
        curves.curve_says,
    ),
    Drawing(
        "froc",
        "Lesions found against false-positive lesions per scan",
        curves.froc,
        curves.froc_says,
    ),
    Drawing("dice-subjects", "Every subject", subjects.strip_and_box, subjects.says),
    Drawing("lesion-size", "Dice and lesion volume", lesion_size.by_lesion_size, lesion_size.SAYS),
    Drawing(
        "thresholds",
        "How well the frozen thresholds hold",
        thresholds.threshold_calibration,
        thresholds.says,
    ),
    Drawing("cost-accuracy", "Accuracy and cost", rows.cost_and_accuracy, rows.cost_says),
    Drawing("raw-filtered", "What the filter does", rows.chains_compared, rows.CHAINS_SAY),
    Drawing(
        "significance",
        "Which differences are significant",
        ranks.significance_matrix,
        ranks.significance_says,
    ),
    Drawing("rank-blobs", "How stable the ranks are", ranks.rank_frequencies, ranks.ranks_say),
    Drawing(
        "groups",
        "Means, and groups that no test tells apart",
        ranks.groups_diagram,
        ranks.groups_say,
    ),
    Drawing("examples", "Three subjects", examples.best_median_worst, examples.says),
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
    with styled():
        for stem, scene in zip(_stems(comparison), _scenes(comparison), strict=True):
            for drawing in FIGURES.values():
                figure = drawing.draw(scene)
                if figure is not None:
                    captioned(figure, drawing.shows, drawing.caption(scene))
                    written += save(figure, folder / f"{stem}-{drawing.name}", kinds)
        for crossed in comparison.crossed:
            figure = transfer.trained_and_tested(crossed)
            if figure is None:
                continue
            captioned(figure, transfer.SHOWS, transfer.caption(crossed))
            written += save(figure, folder / _crossed_stem(crossed), kinds)
    return written


def _scenes(comparison: Comparison) -> list[Scene]:
    looks = looks_of(comparison.tables)
    return [Scene(table, comparison.statistics_of(table), looks) for table in comparison.tables]


def figure_links(
    comparison: Comparison, written: Sequence[Path], page: Path
) -> list[list[tuple[str, str]]]:
    """Return for every table the captions of its figures, and where they lie as seen from a page.

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
    for stem, scene in zip(_stems(comparison), _scenes(comparison), strict=True):
        found = [
            (f"{drawing.shows}. {drawing.caption(scene)}", names[f"{stem}-{drawing.name}.svg"])
            for drawing in FIGURES.values()
            if f"{stem}-{drawing.name}.svg" in names
        ]
        out.append([(caption, _seen_from(page, path)) for caption, path in found])
    return out


def crossed_links(
    comparison: Comparison, written: Sequence[Path], page: Path
) -> list[tuple[str, str]]:
    """Return the captions of the figures across data sets, and where they lie as seen from a page; as :func:`figure_links`."""
    names = {path.name: path for path in written if path.suffix == ".svg"}
    return [
        (
            f"{transfer.SHOWS}. {transfer.caption(crossed)}",
            _seen_from(page, names[f"{_crossed_stem(crossed)}.svg"]),
        )
        for crossed in comparison.crossed
        if f"{_crossed_stem(crossed)}.svg" in names
    ]


def _seen_from(page: Path, path: Path) -> str:
    return Path(os.path.relpath(path, page.parent)).as_posix()


def _crossed_stem(crossed: CrossTable) -> str:
    shown = f"-{crossed.view}" if crossed.view != VALIDATED else ""
    return f"across-data-sets{shown}"


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
