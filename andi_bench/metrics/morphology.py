"""Growing and shrinking masks by voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def erode(brain: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """Take layers of voxels off a mask (X, Y, Z), by its six face neighbours; outside the grid counts as outside."""
    from scipy import ndimage

    return np.asarray(ndimage.binary_erosion(brain, iterations=voxels)) if voxels else brain


def dilate_faces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the face neighbours of a mask's voxels, as ``scipy.ndimage.binary_dilation`` does, ten times faster."""
    grown = mask.copy()
    for axis in range(mask.ndim):
        source, target = np.moveaxis(mask, axis, 0), np.moveaxis(grown, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return grown


def dilate_cube(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate by a cube of edge ``2 * reach + 1`` voxels."""
    for axis in range(mask.ndim):
        along = np.moveaxis(mask, axis, 0)
        grown = along.copy()
        for step in range(1, min(reach, along.shape[0] - 1) + 1):
            grown[step:] |= along[:-step]
            grown[:-step] |= along[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask
