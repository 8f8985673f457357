"""Dice read off a record's histograms: of its validation subjects, by which a pipeline is chosen, and at any other threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping

from andi_bench.metrics.histograms.scores import Region
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.metrics.threshold_spread import dice_above
from andi_bench.records.arrays import CALIBRATED, TESTED, read_histograms
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
    values = dice_at(run, chain, point.threshold, CALIBRATED).values()
    return math.fsum(values) / len(values) if values else None


def dice_at(
    run: RunRecord, chain: str, threshold: float, begin: Mapping[str, str] = TESTED
) -> dict[str, float]:
    """Return the Dice of each subject with a lesion at any threshold, by name; {} where the record has no histograms.

    Parameters
    ----------
    run : RunRecord
        On the grid that is asked about.
    chain : str
        Post-processing.
    threshold : float
        Detected is score > threshold; exact where it cuts none of a subject's bins.
    begin : mapping of str to str
        Whose histograms: see :func:`andi_bench.records.arrays.read_histograms`.

    Raises
    ------
    UserError
        When the histograms cannot be read.
    """
    if run.folder is None:
        return {}
    region: Region = "all" if run.protocol.region == "all" else "brain"
    grid = "native" if run.protocol.grid == "native" else "working"
    found = {
        name: dice_above(histogram, threshold, region)
        for name, histogram in read_histograms(run.folder, chain, grid, begin)
    }
    return {name: value for name, value in found.items() if value is not None}
