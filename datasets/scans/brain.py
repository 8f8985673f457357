"""The brain mask of a skull-stripped scan.

``image != 0`` is no brain mask: interpolation by splines rings, and leaves small values of either sign
outside the brain, and cerebrospinal fluid may be 0 inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import bounding_box, voxel_sizes
from andi_bench.names import counted
from datasets.scans.quantiles import positive_quantile

BRAIN_QUANTILE = 0.99
"""Each modality counts as 1 at this quantile of its voxels above 0: the brain's own, whatever images are divided by."""
FOREGROUND = 0.02
"""A voxel is foreground where the modalities' mean, each divided by its quantile, is above this."""
LARGEST_BRAIN_ML = 2400.0
"""More than this above the background is no brain: the largest intracranial volumes are near 2000 ml, also in MNI
space, and a head in the field of view of a brain scan has 3000 ml and more."""
CLOSING_MM = 2.0
"""Gaps up to about twice this are closed before the largest component is taken."""


def brain_mask(
    images: Sequence[NDArray[Any]],
    scales: Sequence[float],
    spacing: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Find the brain: threshold, closing, largest component (6-connected), holes filled.

    Parameters
    ----------
    images : sequence of (X, Y, Z) arrays
        The modalities of a skull-stripped scan.
    scales : sequence of float
        For each the intensity that counts as 1: its :data:`BRAIN_QUANTILE`.
    spacing : (float, float, float)
        Voxel edges, mm.

    Returns
    -------
    bool (X, Y, Z)
        All False where no voxel is foreground.
    """
    mean = np.zeros(images[0].shape, dtype=np.float32, order="F")
    for image, scale in zip(images, scales, strict=True):
        mean += np.asfortranarray(image) * np.float32(1 / (scale * len(images)))
    foreground = mean > FOREGROUND
    if not foreground.any():
        return foreground
    radii = [max(1, round(CLOSING_MM / edge)) for edge in spacing]
    box = bounding_box(foreground)
    # A margin wider than the closing: neither it nor the outside of the brain touches the border.
    work = np.pad(foreground[box], [(r + 1, r + 1) for r in radii])
    work = _spread(work, radii)
    work = ~_spread(~work, radii)
    work = _largest_component(work)
    work = _filled(work)
    out = np.zeros(foreground.shape, dtype=bool, order="F")
    out[box] = work[tuple(slice(r + 1, -r - 1) for r in radii)]
    return out


def _spread(mask: NDArray[np.bool_], radii: Sequence[int]) -> NDArray[np.bool_]:
    """Dilate by a box, axis by axis: shifts of whole arrays, many times faster than a footprint."""
    for axis, radius in enumerate(radii):
        grown = mask.copy(order="K")
        for shift in range(1, radius + 1):
            ahead = [slice(None)] * 3
            behind = [slice(None)] * 3
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            grown[tuple(ahead)] |= mask[tuple(behind)]
            grown[tuple(behind)] |= mask[tuple(ahead)]
        mask = grown
    return mask


def _largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = cc3d.connected_components(mask, connectivity=6, return_N=True)
    if count == 1:
        return mask
    sizes = np.bincount(labels.ravel(order="K"))
    sizes[0] = 0
    return labels == sizes.argmax()


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outside = cc3d.connected_components(~mask, connectivity=6)
    return outside != outside[0, 0, 0]


def brain_of(affine: NDArray[np.float64], *images: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the brain of a skull-stripped scan's images as the benchmark does; bool (X, Y, Z).

    All False where an image has no voxel above 0.
    """
    scales = []
    for flat in (image.ravel("F") for image in images):
        positive = flat[flat > 0]
        if positive.size == 0:
            return np.zeros(images[0].shape, dtype=bool)
        scales.append(positive_quantile(positive, BRAIN_QUANTILE))
    return brain_mask(images, scales, voxel_sizes(affine))


def stripping_notes(volumes: Mapping[str, float]) -> list[str]:
    """Return a note where subjects are not skull-stripped, all or some of them; [] where none is a head.

    Parameters
    ----------
    volumes : mapping of str to float
        For each subject what stands out of the background, ml. Above :data:`LARGEST_BRAIN_ML` it is a head.
    """
    heads = [name for name, ml in volumes.items() if ml > LARGEST_BRAIN_ML]
    rest = len(volumes) - len(heads)
    if not heads:
        return []
    more = ", ..." if len(heads) > 1 else ""
    why = f"({heads[0]}{more}: more than {LARGEST_BRAIN_ML:.0f} ml above the background)"
    if not rest:
        return [
            f"no subject is skull-stripped {why}: skull and scalp count as brain, skull-stripped scans wanted"
        ]
    return [
        f"{counted(len(heads), 'subject is', 'subjects are')} not skull-stripped {why}, "
        f"{counted(rest, 'subject is', 'subjects are')}: skull and scalp count as brain in the former, skull-stripped "
        "scans wanted"
    ]
