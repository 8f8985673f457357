"""Quantiles of many voxels, by partition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLED = 101
"""A sample has one voxel in so many."""


def positive_quantile(values: NDArray[Any], quantile: float) -> float:
    """Return a quantile of 1-D values, with linear interpolation as ``numpy.quantile`` does by default.

    By partition: ``torch.quantile`` refuses more than 16 million values. The result is above 0 for values above 0.
    """
    place = quantile * (values.size - 1)
    low = int(place)
    # A sample tells below which value the quantile surely lies not, so that only the few above are parted; where it is
    # mistaken, all are.
    sample = np.sort(values[::SAMPLED])
    few = values[values > sample[int(max(0.0, quantile - 0.02) * (sample.size - 1))]]
    skipped = values.size - few.size
    if skipped > low:
        few, skipped = values, 0
    parted = np.partition(few, low - skipped)
    first, above = float(parted[low - skipped]), parted[low - skipped + 1 :]
    second = float(above.min()) if above.size else first
    return first + (place - low) * (second - first)
