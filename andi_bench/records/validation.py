"""What a run's frozen threshold reaches on its validation subjects: by it, and by nothing else, a pipeline is chosen."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from andi_bench.errors import UserError
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import Region, score_keys
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.records.arrays import HISTOGRAMS, read_validation
from andi_bench.records.schema import RunRecord


def validation_dice(run: RunRecord, chain: str) -> float | None:
    """Return the mean Dice of the validation subjects with a lesion, at the threshold that ranks, in [0, 1].

    The record says it; of a record from before schema 5 it is counted in the validation subjects' score histograms,
    exact where the threshold cuts none of their bins.

    Parameters
    ----------
    run : RunRecord
        On the grid that is asked about.
    chain : str
        Post-processing.

    Returns
    -------
    float or None
        None where the run has no such threshold, nobody in validation has a lesion, or the record holds neither.

    Raises
    ------
    UserError
        When the histograms cannot be read.
    """
    point = run.operating_points.get(chain, {}).get(RANKING_POINT.name)
    if point is None or point.threshold is None:
        return None
    if point.reached is not None or run.folder is None:
        return point.reached
    region: Region = "all" if run.protocol.region == "all" else "brain"
    grid = "native" if run.protocol.grid == "native" else "working"
    return _mean_dice(run.folder, chain, grid, region, point.threshold)


def _mean_dice(
    folder: Path, chain: str, grid: str, region: Region, threshold: float
) -> float | None:
    key = score_keys(np.array([threshold], dtype=np.float32)) + np.uint32(1)
    values = []
    try:
        for arrays in read_validation(folder, chain, grid):
            histogram = ScoreHistogram.from_arrays(arrays)
            lesion = histogram.totals(region)[0]
            if lesion:
                hits, misses = (int(count[0]) for count in histogram.counts_from(key, region))
                values.append(2 * hits / (hits + misses + lesion))
    except ValueError as error:
        raise UserError(f"{folder / HISTOGRAMS}: {error}") from error
    return math.fsum(values) / len(values) if values else None
