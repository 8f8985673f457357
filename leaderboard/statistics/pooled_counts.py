"""Score histograms of the rows, and what they give of pooled average precision: leave-one-out values by subject."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.mean_intervals import degrees_by_weight
from andi_bench.records.store import RunRecord, read_grouped
from leaderboard.tables.row import Row


def grouped_counts(run: RunRecord, chain: str) -> GroupedCounts | None:
    """Read what resampling needs of a run's score histograms; None where its record has none.

    Raises
    ------
    UserError
        When a file cannot be read.
    """
    protocol = run.protocol
    if run.folder is None or protocol.region not in ("brain", "all"):
        return None
    grid = "native" if protocol.grid == "native" else "working"
    return read_grouped(run.folder, chain, grid, "brain" if protocol.region == "brain" else "all")


def counts_of(row: Row) -> list[GroupedCounts] | None:
    """Return the counts of each seed of a row, a single one without chance; None where a record has none."""
    runs = row.runs if row.chance else row.runs[:1]
    found = [grouped_counts(run, row.chain) for run in runs]
    return None if None in found else [counts for counts in found if counts is not None]


def pseudo_values(
    counts: Sequence[GroupedCounts], subjects: Sequence[str]
) -> NDArray[np.float64] | None:
    """Return the jackknife's pseudo-values of pooled average precision, whose mean behaves as a mean over subjects.

    Of S subjects the value of one is S times the figure of all less S - 1 times the figure without it (Tukey, 1958).

    Parameters
    ----------
    counts : sequence of GroupedCounts
        T seeds of one row.
    subjects : sequence of str
        S names.

    Returns
    -------
    float64 (S, T) or None
        None where some seed was not measured on these subjects, or the figure is undefined without some subject.
    """
    if any(set(seed.subjects) != set(subjects) for seed in counts):
        return None
    number = len(subjects)
    ordered = [seed.only(subjects) for seed in counts]
    values = np.stack(
        [number * own.whole() - (number - 1) * own.left_out() for own in ordered], axis=1
    )
    return values if np.isfinite(values).all() else None


def degrees_of(counts: GroupedCounts) -> float:
    """Return the degrees of freedom of a figure in which subjects weigh by their lesion voxels, 1 to S - 1."""
    return degrees_by_weight(counts.lesion.sum(axis=1, dtype=np.float64))
