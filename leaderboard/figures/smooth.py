"""A smooth line through the values of subjects, with a band, only where enough of them are near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.resampling import CURVE_RESAMPLES, draws_of
from andi_bench.records.schema import SMALLEST_GROUP

STEPS = 80
_LEAST_REACH = 0.25
"""Of the kernel, in units of x: measured volumes are never closer than that in what they mean."""
_SHARE = 0.35
"""Of the range of x that the kernel reaches to either side."""


@dataclass(frozen=True)
class SmoothLine:
    """A local mean of y along x, and its 95 % band over subjects.

    Parameters
    ----------
    x, mean, low, high : float64 (:data:`STEPS`,)
        NaN where fewer than :data:`~andi_bench.records.schema.SMALLEST_GROUP` subjects are near, by their weights.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def smooth_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> SmoothLine | None:
    """Return the local mean of y along x (Nadaraya and Watson 1964) with a tricube kernel, its band by bootstrap of subjects.

    Parameters
    ----------
    x, y : float64 (S,)
        Of the subjects.

    Returns
    -------
    SmoothLine or None
        None where nowhere enough subjects are near.
    """
    if len(x) < SMALLEST_GROUP:
        return None
    reach = max(_LEAST_REACH, _SHARE * float(np.ptp(x)))
    grid = np.linspace(x.min(), x.max(), STEPS)
    away = np.abs(x[None, :] - grid[:, None]) / reach  # (STEPS, S)
    kernel = np.where(away < 1, (1 - np.minimum(away, 1) ** 3) ** 3, 0.0)
    # a subject at the kernel's rim counts for less than one: Kish's effective number
    enough = kernel.sum(axis=1) ** 2 >= SMALLEST_GROUP * (kernel**2).sum(axis=1).clip(1e-12)
    if not enough.any():
        return None
    mean = _weighted(kernel, y, np.ones((1, len(x))))[0]
    drawn = _weighted(kernel, y, draws_of(len(x), CURVE_RESAMPLES).astype(np.float64))
    low, high = np.full((2, STEPS), np.nan)
    low[enough], high[enough] = np.nanpercentile(drawn[:, enough], [2.5, 97.5], axis=0)
    return SmoothLine(grid, np.where(enough, mean, np.nan), low, high)


def _weighted(
    kernel: NDArray[np.float64], y: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of y at every step for every resample, (R, STEPS); NaN where nobody was drawn nearby."""
    with np.errstate(invalid="ignore", divide="ignore"):
        out: NDArray[np.float64] = (counts @ (kernel * y).T) / (counts @ kernel.T)
    return out
