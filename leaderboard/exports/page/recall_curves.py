"""Precision-recall curves from the score histograms of a record, in as few points as a figure can show."""

from __future__ import annotations

import numpy as np

from andi_bench.records.store import RunRecord
from leaderboard.statistics.pooled_counts import grouped_counts


def recall_curve(run: RunRecord, chain: str) -> dict[str, list[float]] | None:
    """Return recall and precision pooled over the voxels of all subjects; None without histograms or lesions.

    Parameters
    ----------
    run : RunRecord
        One seed.
    chain : str
        Post-processing.

    Raises
    ------
    UserError
        When the record's histograms cannot be read.
    """
    counts = grouped_counts(run, chain)
    if counts is None:
        return None
    (recall,), (precision,) = counts.curves(np.ones((1, len(counts.subjects)), dtype=np.int64))
    known = np.isfinite(recall) & np.isfinite(precision)
    if not known.any():
        return None
    return {
        name: [float(f"{value:.4g}") for value in values[known]]
        for name, values in (("recall", recall), ("precision", precision))
    }
