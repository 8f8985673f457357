"""Pooled average precision on resamples of the subjects, the same for all methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.records.store import RunRecord, read_grouped
from leaderboard.tables.table import Row


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
    """Return the counts of each seed of a row; None where one has none."""
    found = [grouped_counts(run, row.chain) for run in row.runs]
    return None if None in found else [counts for counts in found if counts is not None]


def resampled(
    row: Row, subjects: Sequence[str], draws: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return the pooled average precision of a row on resamples of the subjects, the mean over its seeds.

    Moved by a constant, so that it stands at the row's own value where every subject is drawn once.

    Parameters
    ----------
    row : Row
        Of the leaderboard.
    subjects : sequence of str
        S names.
    draws : int (R, S)
        How often each occurs in each resample.

    Returns
    -------
    float64 (R,) or None
        None where a record has no histograms of these subjects, or the value is undefined.
    """
    value = row.figures["pooled_ap"].value
    counts = counts_of(row)
    if value is None or counts is None:
        return None
    if any(set(seed.subjects) != set(subjects) for seed in counts):
        return None
    once = np.ones((1, len(subjects)), dtype=np.int64)
    total, centre = np.zeros(len(draws)), 0.0
    for seed in counts:
        ordered = seed.only(subjects)
        total += ordered.average_precision(draws)
        centre += float(ordered.average_precision(once)[0])
    return (total - centre) / len(counts) + value
