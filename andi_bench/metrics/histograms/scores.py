"""Anomaly scores as ordered integers, and the refusal of scores that are not finite.

A finite float32 has a bit pattern that, after a sign-dependent flip, orders as the number does. Working on these
*keys* makes every metric free of scale: scores of 1e-30 and of 1e30 are resolved alike, and neighbouring keys
are neighbouring floats.

The comparison used everywhere in this package: a voxel is **positive when score > threshold**.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andi_bench.names import part_of

Region = Literal["brain", "all"]
"""``brain``: the voxels of the brain mask. ``all``: every voxel of the grid."""

_SIGN = np.uint32(0x80000000)
ZERO_KEY = int(_SIGN)
"""Key of the score 0."""


class NonFiniteScores(ValueError):
    """An anomaly map holds infinities or NaN.

    Parameters
    ----------
    count : int
        Number of voxels concerned, also kept as an attribute.
    total : int
        Number of voxels looked at.
    """

    def __init__(self, count: int, total: int) -> None:
        super().__init__(
            f"{part_of(count, total, 'score', 'is', 'are')} not finite (NaN or infinite)"
        )
        self.count = count
        self.total = total


def as_scores(scores: NDArray[Any]) -> NDArray[np.float32]:
    """Return scores as float32, any shape.

    Raises
    ------
    NonFiniteScores
        For NaN, infinities, and numbers beyond the range of float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(scores, dtype=np.float32)
        # One pass without a temporary: the sum in float64 is finite unless a term is not.
        suspect = not np.isfinite(values.sum(dtype=np.float64))
    if suspect:
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise NonFiniteScores(bad, values.size)
    return values


def score_keys(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Map finite float32 scores to uint32 keys of the same order; -0 and 0 share one key."""
    bits = (scores + np.float32(0)).view(np.uint32)  # adding 0 turns -0 into 0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def key_scores(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Map keys back to the float32 scores they stand for."""
    keys = np.asarray(keys, dtype=np.uint32)
    return np.where(keys & _SIGN, keys & ~_SIGN, ~keys).astype(np.uint32).view(np.float32)


def same_shape(**arrays: NDArray[Any]) -> None:
    """Refuse arrays of different shapes.

    Raises
    ------
    ValueError
        Names the arrays and their shapes.
    """
    if len({array.shape for array in arrays.values()}) > 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"arrays of one shape wanted: {found}")
