"""Geometry of grids and masks: voxel sizes, boxes, growing and shrinking by voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def voxel_sizes(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the edge lengths of a voxel, mm, along the three axes of an affine (4, 4)."""
    from nibabel.affines import voxel_sizes as edges

    x, y, z = edges(affine)
    return float(x), float(y), float(z)


def erode(brain: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """Take layers of voxels off a mask (X, Y, Z), by its six face neighbours; outside the grid counts as outside."""
    from scipy import ndimage

    return np.asarray(ndimage.binary_erosion(brain, iterations=voxels)) if voxels else brain


def dilate_box(mask: NDArray[np.bool_], reach: Sequence[int]) -> NDArray[np.bool_]:
    """Dilate by a box of ``2 * reach + 1`` voxels along each axis."""
    for axis, steps in enumerate(reach):
        along = np.moveaxis(mask, axis, 0)
        grown = along.copy()
        for step in range(1, min(steps, along.shape[0] - 1) + 1):
            grown[step:] |= along[:-step]
            grown[:-step] |= along[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Return the smallest box that holds all of a mask; one slice an axis. The mask is not empty."""
    flat = np.any(mask, axis=0)
    occupied = np.any(mask, axis=(1, 2)), np.any(flat, axis=1), np.any(flat, axis=0)
    found = [np.flatnonzero(along) for along in occupied]
    x, y, z = (slice(int(inside[0]), int(inside[-1]) + 1) for inside in found)
    return x, y, z
