"""The page's tables beside the main one, as plain values: sub-groups, several data sets, thresholds, pipelines, guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from andi_bench.records.store import RunRecord
from leaderboard.compare import Comparison
from leaderboard.statistics.group_tests import GroupTests
from leaderboard.tables.subgroups import GroupTable
from leaderboard.tables.table import Table
from leaderboard.words.across_text import (
    CROSSED,
    RANKS_MEAN,
    cross_listing,
    cross_notes,
    ranks_listing,
)
from leaderboard.words.group_text import (
    CONTRAST_HEADS,
    FREE_HEADS,
    GROUP_HEADS,
    PAPER_HEADS,
    PAPER_NOTE,
    contrast_cells,
    contrast_sentences,
    free_cells,
    group_cells,
    paper_cells,
)
from leaderboard.words.pipeline_text import pipeline_cells, pipeline_heads, pipeline_note
from leaderboard.words.run_facts import plain
from leaderboard.words.threshold_text import THRESHOLD_HEADS, threshold_cells


def across_content(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the tables of several data sets together: mean ranks, and trained on one and tested on another."""
    listed = [(ranks_listing(one), RANKS_MEAN) for one in comparison.mean_ranks]
    listed += [
        (cross_listing(one), " ".join([CROSSED, *cross_notes(one)])) for one in comparison.crossed
    ]
    return [
        {
            "title": plain(found.title),
            "heads": [plain(head) for head in found.heads],
            "lines": [[plain(cell) for cell in line] for line in found.cells],
            "note": plain(note),
        }
        for found, note in listed
    ]


def groups_content(part: GroupTable, tests: GroupTests) -> list[dict[str, Any]]:
    """Return the sub-groups, and apart what is detected in their subjects without a lesion, where there are any."""
    contrasts = [[plain(cell) for cell in line] for line in contrast_cells(tests)]
    sentences = [plain(text) for text in contrast_sentences(tests)]
    free = (f"{part.by}, subjects without a lesion", FREE_HEADS, free_cells(part))
    return [
        {
            "by": plain(by),
            "heads": list(heads),
            "lines": [[plain(cell) for cell in line] for line in lines],
            "sentences": sentences if by == part.by else [],
            "contrasts": {"heads": list(CONTRAST_HEADS), "lines": contrasts}
            if contrasts and by == part.by
            else None,
        }
        for by, heads, lines in [(part.by, GROUP_HEADS, group_cells(part)), free]
        if lines
    ]


def thresholds_content(table: Table) -> dict[str, Any] | None:
    """Return how far the thresholds hang on the validation subjects; None where no record says so."""
    lines = [[plain(cell) for cell in line] for line in threshold_cells(table)]
    return {"heads": list(THRESHOLD_HEADS), "lines": lines} if lines else None


def paper_content(table: Table) -> dict[str, Any] | None:
    """Return the figures by the paper's protocol; None where nobody asked for them."""
    lines = paper_cells(table)
    if not lines:
        return None
    return {
        "heads": list(PAPER_HEADS),
        "note": PAPER_NOTE,
        "lines": [[plain(cell) for cell in line] for line in lines],
    }


def guards_content(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Return each guard with the runs that passed it, and those that did not by name."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        for guard in run.guards:
            entry = found.setdefault(
                guard.name, {"name": plain(guard.name), "passed": 0, "of": 0, "others": []}
            )
            entry["of"] += 1
            if guard.passed is True:
                entry["passed"] += 1
            else:
                entry["others"].append(
                    {
                        "run": plain(f"{run.run.label}, seed {run.run.seed}"),
                        "failed": guard.passed is False,
                        "detail": plain(guard.detail),
                    }
                )
    return list(found.values())


def pipelines_content(table: Table) -> dict[str, Any] | None:
    """Return both pipelines of every method beside each other; None where there is one."""
    lines = pipeline_cells(table)
    if not lines:
        return None
    return {
        "heads": [plain(head) for head in pipeline_heads(table)],
        "note": pipeline_note(),
        "lines": [[plain(cell) for cell in line] for line in lines],
    }
