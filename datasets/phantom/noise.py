"""Smooth random fields over millimetres: the same field whatever grid it is looked at on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Coordinates of a grid's voxel centres along each axis, mm."""

_HALF_EXTENT = (130.0, 130.0, 90.0)  # the lattice covers the field of view with room to spare, mm
# A cubic B-spline field with independent unit coefficients has, averaged over positions, the variance
# (151/315) per axis: the integral of the squared cubic B-spline.
_STANDARD_DEVIATION = (151 / 315) ** 1.5


def smooth_noise(generator: np.random.Generator, length: float, axes: Axes) -> NDArray[np.float32]:
    """Draw a smooth random field of zero mean and unit variance.

    Independent normal coefficients on a lattice, joined by cubic B-splines. The coefficients drawn
    depend on ``length`` alone, so that the field is the same on a fine and on a coarse grid.

    Parameters
    ----------
    generator : numpy Generator
        Where the coefficients are drawn.
    length : float
        Spacing of the lattice, mm: structures are about twice as wide.
    axes : three float64 arrays (X,), (Y,), (Z,)
        Coordinates, mm, each within +-130, +-130, +-90.

    Returns
    -------
    float32 (X, Y, Z)
    """
    nodes = [2 * math.ceil(half / length) + 4 for half in _HALF_EXTENT]
    field: NDArray[np.float32] = generator.standard_normal(nodes, dtype=np.float32)
    for dimension, coordinates in enumerate(axes):
        position = coordinates / length + nodes[dimension] / 2 - 2
        first = np.floor(position).astype(np.intp)
        t = (position - first).astype(np.float32)
        weights = (
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        )
        shape = [1, 1, 1]
        shape[dimension] = -1
        # Sums of four terms in a fixed order, not matrix products: the same bits on any thread count.
        joined: Any = np.float32(0)
        for k, weight in enumerate(weights):
            joined = joined + weight.reshape(shape) * np.take(field, first + k, axis=dimension)
        field = joined
    return field / np.float32(_STANDARD_DEVIATION)
