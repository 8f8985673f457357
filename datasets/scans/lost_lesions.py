"""Lesions that resizing to the working grid loses altogether."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.lesionwise import components
from datasets.scans.grid import lost_voxels
from datasets.volume import LesionLoss, NativeGrid


def lesion_loss(mask: NDArray[np.bool_], native: NativeGrid, size: int) -> LesionLoss:
    """Find the lesions that :func:`datasets.scans.grid.mask_to_working` loses.

    Parameters
    ----------
    mask : bool (X, Y, Z)
        On the scan's own grid.
    native : NativeGrid
        Of that scan.
    size : int
        Edge of the working grid's axial plane, voxels.
    """
    labels, total = components(mask)
    lost = mask & lost_voxels(native, size)
    if not lost.any():
        return LesionLoss(total)
    voxels = np.bincount(labels.ravel(), minlength=total + 1)
    gone = np.bincount(labels[lost], minlength=total + 1)
    whole = [label for label in range(1, total + 1) if gone[label] == voxels[label]]
    voxel_ml = abs(float(np.linalg.det(native.affine[:3, :3]))) / 1000
    found = []
    for label in whole:
        middle = np.argwhere(labels == label).mean(axis=0)
        x, y, z = native.affine[:3, :3] @ middle + native.affine[:3, 3]
        found.append((float(voxels[label] * voxel_ml), (float(x), float(y), float(z))))
    return LesionLoss(total, tuple(found))
