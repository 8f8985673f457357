"""FROC curves of a row: those that its records hold, and their mean over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from andi_bench.records.schema import FrocCurve
from leaderboard.tables.row import Row

PAID = np.geomspace(1 / 8, 16, 300)
"""False-positive lesions per scan at which a mean curve is read, float64 (300,)."""


def froc_curves(row: Row) -> list[FrocCurve]:
    """Return the curve of each seed; [] where a record has none."""
    found = [run.summary[row.chain].froc for run in row.runs if row.chain in run.summary]
    return [] if None in found else [curve for curve in found if curve is not None]


def mean_sensitivity(curves: Sequence[FrocCurve]) -> NDArray[np.float64]:
    """Return the share of all lesions found at the rates :data:`PAID`, mean over the curves, float64 (300,)."""
    mean: NDArray[np.float64] = np.mean([_reached(curve) for curve in curves], axis=0)
    return mean


def _reached(curve: FrocCurve) -> NDArray[np.float64]:
    place = np.searchsorted(curve.false_positives, PAID, side="right")
    reached: NDArray[np.float64] = np.concatenate([[0.0], curve.sensitivity])[place]
    return reached
