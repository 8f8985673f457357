"""Rebuild the published leaderboards from the published runs alone: the same runs give the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.files import sweep, whole_folder, write_atomically
from andi_bench.locks import exclusive
from andi_bench.records.schema import RunRecord
from andi_bench.records.search import find_records, verify_records
from leaderboard.compare import Comparison, compare
from leaderboard.exports.markdown import FIRST_FIGURES, to_markdown
from leaderboard.exports.markdown_cells import plain_table
from leaderboard.exports.markdown_details import to_details
from leaderboard.figures import crossed_links, figure_links, write_figures
from leaderboard.publishing.boards import FIGURES, Board
from leaderboard.publishing.budget import (
    BUDGET_HEADS,
    BUDGET_NOTE,
    BUDGET_NUMBERS,
    budget_cells,
    budget_sentences,
)
from leaderboard.publishing.missing import (
    MISSING_HEADS,
    Expected,
    expected_runs,
    missing_cells,
    with_missing,
)

RESULTS = "results"
"""Folder of the published runs in that of the leaderboards, a folder a data set."""

_MADE = (
    "Made from the published runs in `results/` by `make leaderboard-tables`; not written by hand."
)


@dataclass(frozen=True)
class PublishedRuns:
    """The runs of a leaderboard: those that are published, and all that it is to have.

    Parameters
    ----------
    folders : list of Path
        That have published runs, a folder a data set.
    records : list of RunRecord
        Published.
    expected : list of Expected
        All, in the order in which they are run.
    """

    folders: list[Path]
    records: list[RunRecord]
    expected: list[Expected]

    @property
    def missing(self) -> list[Expected]:
        """Those that are not published."""
        return [run for run in self.expected if run.reason]


def published_runs(board: Board, leaderboards: Path) -> PublishedRuns:
    """Find the runs of a leaderboard.

    Parameters
    ----------
    board : Board
        The leaderboard.
    leaderboards : Path
        Folder of the leaderboards, with the results in it.

    Raises
    ------
    UserError
        For a published run that is damaged or does not belong there.
    """
    results = leaderboards / RESULTS
    folders, records = [], []
    for data in board.data:
        folder = results / data.folder
        if not folder.is_dir() or not verify_records(folder):
            continue
        found = find_records(folder)
        if found.skipped:
            raise UserError(f"{found.skipped[0][1]}: only published runs wanted there")
        for record in found.records:
            if record.run.dataset != data.shown:
                raise UserError(
                    f"{record.folder}: of data set '{record.run.dataset}', '{data.shown}' wanted there"
                )
        folders.append(folder)
        records += found.records
    return PublishedRuns(folders, records, expected_runs(board, records, results))


def rebuild(
    name: str, board: Board, leaderboards: Path, console: Console | None = None
) -> Path | None:
    """Write a leaderboard, its details beside it, and the figures that they show, from its published runs.

    Parameters
    ----------
    name : str
        Of its file and of its folder of figures.
    board : Board
        What stands in it.
    leaderboards : Path
        Folder of the leaderboards, with the results in it.
    console : Console or None
        Told when another process draws there, which is waited for.

    Returns
    -------
    Path or None
        The Markdown file, ``<name>-details.md`` beside it; None where no run is published, and nothing is written.

    Raises
    ------
    UserError
        For a published run that is damaged, or a file that cannot be written.
    """
    runs = published_runs(board, leaderboards)
    if not runs.records:
        return None
    comparison = _in_order(board, compare(runs.folders), leaderboards)
    page = leaderboards / f"{name}.md"
    stored = _drawn(comparison, leaderboards / RESULTS / FIGURES / name, console)
    links = figure_links(comparison, stored, page)
    across = crossed_links(comparison, stored, page)
    tables = tuple(
        table if table.differs else with_missing(table, runs.expected)
        for table in comparison.tables
    )
    shown = replace(comparison, tables=tables)
    details = page.with_name(f"{name}-details.md")
    head = (f"# {board.title}", *board.preface, _MADE)
    text = to_markdown(shown, links, details.name, head)
    of_details = (f"# {board.title}: details", _MADE)
    write_atomically(
        details, to_details(shown, links, FIRST_FIGURES, page.name, of_details, across)
    )
    write_atomically(page, "\n\n".join([text.rstrip("\n"), *_below(name, board, runs)]) + "\n")
    return page


def _drawn(comparison: Comparison, target: Path, console: Console | None) -> list[Path]:
    """Draw the figures into a folder, one process at a time; what a killed one left half-drawn beside it goes."""
    with exclusive(target.parent, console):
        sweep(target.parent)
        with whole_folder(target) as partial:
            written = write_figures(comparison, partial, kinds=("svg",))
    return [target / path.name for path in written]


def _in_order(board: Board, comparison: Comparison, leaderboards: Path) -> Comparison:
    """Return a comparison with the data sets in the leaderboard's order, and without the machine's folders."""
    names = [data.shown for data in board.data]
    tables = comparison.tables
    order = sorted(range(len(tables)), key=lambda place: names.index(tables[place].dataset))
    return replace(
        comparison,
        tables=tuple(tables[place] for place in order),
        statistics=tuple(comparison.statistics[place] for place in order),
        skipped=tuple(line.replace(f"{leaderboards}/", "") for line in comparison.skipped),
    )


def _below(name: str, board: Board, runs: PublishedRuns) -> list[str]:
    """Return what stands below the tables: costs, runs that are missing, and the leaderboard's own last paragraphs."""
    parts = [
        "## What it costs",
        plain_table(BUDGET_HEADS, budget_cells(runs.records), BUDGET_NUMBERS),
        " ".join([BUDGET_NOTE, *budget_sentences(board, runs.records)]),
    ]
    if runs.missing:
        cells = missing_cells(runs.missing, board.preset)
        parts += [
            "## Runs that are missing",
            f"{len(runs.missing)} of {len(runs.expected)}; `python -m benchmark leaderboard {name}` makes them.",
            plain_table(MISSING_HEADS, cells, ("Dice",)),
        ]
    return [*parts, *board.closing]
