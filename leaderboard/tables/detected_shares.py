"""How much lesion-free brain lies above a threshold, row by row."""

from __future__ import annotations

from statistics import fmean

from leaderboard.tables.row import Row


def detected_share(row: Row, point: str) -> float | None:
    """Return the share of the test split's lesion-free brain voxels above a point's threshold, mean over seeds.

    Parameters
    ----------
    row : Row
        Of a table.
    point : str
        Name of an operating point.

    Returns
    -------
    float or None
        %, in [0, 100]; None where a seed lacks it.
    """
    found = [run.operating_points.get(row.chain, {}).get(point) for run in row.runs]
    known = [one.test_fpr for one in found if one is not None and one.test_fpr is not None]
    return 100 * fmean(known) if len(known) == len(row.runs) > 0 else None
