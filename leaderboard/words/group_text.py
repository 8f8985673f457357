"""Sub-groups and the paper's protocol as rows of text, for the terminal and for Markdown."""

from __future__ import annotations

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING
from leaderboard.tables.cells import DASH, number, with_interval
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table

_SHOWN = (RANKING, "ap", "pooled_ap")
"""What a table by sub-group shows; the exports have more."""

_GROUP_WORDS = ("Group", "Subjects", "Method", "Pipeline")
GROUP_HEADS = (*_GROUP_WORDS, *map(title_of, _SHOWN))
GROUP_NUMBERS = ("Subjects", *GROUP_HEADS[len(_GROUP_WORDS) :])
_PAPER_RESULTS = ("Best Dice", "at threshold", "Yen Dice", "AUPRC")
PAPER_HEADS = ("Method", "Seed", "Pipeline", "Window", *_PAPER_RESULTS)
PAPER_NUMBERS = ("Seed", *_PAPER_RESULTS)
PAPER_NOTE = (
    "The protocol of the ANDi publication's code: every voxel of the grid counts, all maps of the test set are scaled "
    "together, and the best Dice is searched for on the test set within a fixed window. For comparison with published "
    "numbers only; it never ranks. 'edge': the best threshold is an end of the window, so a better one may lie outside."
)


def group_cells(table: GroupTable) -> list[list[str]]:
    """Return the rows of a table by sub-group, under :data:`GROUP_HEADS`."""
    out, last = [], None
    for row in table.rows:
        new = row.group != last
        last = row.group
        out.append(
            [
                row.group if new else "",
                str(row.subjects) if new else "",
                row.label,
                row.chain,
                *(with_interval(row.figures[key]) for key in _SHOWN),
            ]
        )
    return out


def paper_cells(table: Table) -> list[list[str]]:
    """Return what runs of a table gave by the paper's protocol, under :data:`PAPER_HEADS`; [] for nothing."""
    out = []
    labels = {run.run.identity: row.label for row in table.rows for run in row.runs}
    for run in table.runs:
        if run.paper is None:
            continue
        low, high = run.paper.window
        for chain, found in run.paper.chains.items():
            out.append(
                [
                    labels.get(run.run.identity, run.run.label),
                    str(run.run.seed),
                    chain,
                    f"{low:g} to {high:g}" + ("" if run.paper.min_max else ", not scaled"),
                    number(found.dice),
                    number(found.threshold) + (" (edge)" if found.edge else ""),
                    number(found.yen_dice),
                    number(found.auprc) if found.auprc is not None else DASH,
                ]
            )
    return out
