"""A box of the working grid, cut out for detectors and put back: most of a slice is background, and is computed for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import bounding_box
from andi_bench.names import part_of
from datasets.volume import BeforeResizing, Volume

VERSION = 1
"""Raised when the same brains would give another box, or the same box another map."""
MULTIPLE = 16
"""Edges of a box are multiples of it, as networks that halve a slice four times need; whatever the method, for the box belongs to
the data."""
MARGIN = 1 / 32
"""Of the grid's edge, on either side of the brains: 7.5 mm of a plane of 240 mm, for people who are not in the training split."""

PlaneBox = tuple[tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last, along x and y."""


def box_around(brains: Iterable[NDArray[np.bool_]], size: int) -> PlaneBox:
    """Return the box that holds all brains with a margin, its edges rounded up to a multiple of 16.

    An axis on which that is more than the grid has is not cut.

    Parameters
    ----------
    brains : iterable of bool (size, size, Z)
        Brain masks on the working grid, each with a voxel; one or more.
    size : int
        Edge of the grid.
    """
    boxes = [bounding_box(brain) for brain in brains]
    x, y = (_extent([(box[axis].start, box[axis].stop) for box in boxes], size) for axis in (0, 1))
    return x, y


def _extent(parts: list[tuple[int, int]], size: int) -> tuple[int, int]:
    margin = int(np.ceil(MARGIN * size))
    low = max(0, min(start for start, _ in parts) - margin)
    high = min(size, max(stop for _, stop in parts) + margin)
    length = -(-(high - low) // MULTIPLE) * MULTIPLE
    if length >= size:
        return 0, size
    start = min(max(0, low - (length - (high - low)) // 2), size - length)
    return start, start + length


def cropped(volume: Volume, box: PlaneBox | None) -> Volume:
    """Return a volume's part in a box, as a detector is given it; the volume itself where there is no box."""
    if box is None:
        return volume
    plane = tuple(slice(*part) for part in box)
    shift = np.eye(4)
    shift[:2, 3] = [part[0] for part in box]
    return replace(
        volume,
        image=volume.image[(slice(None), *plane)],
        brain=volume.brain[plane],
        lesion=None if volume.lesion is None else volume.lesion[plane],
        ignore=None if volume.ignore is None else volume.ignore[plane],
        affine=volume.affine @ shift,
        before_resizing=None
        if volume.before_resizing is None
        else partial(_part_of, volume.before_resizing, plane),
    )


def _part_of(whole: BeforeResizing, plane: tuple[slice, ...], *wanted: Any) -> NDArray[np.float32]:
    return whole(*wanted)[plane]


def outside(volume: Volume, box: PlaneBox | None) -> int:
    """Return how many voxels of a volume's brain lie outside of a box."""
    if box is None:
        return 0
    inside = np.count_nonzero(volume.brain[tuple(slice(*part) for part in box)])
    return int(np.count_nonzero(volume.brain) - inside)


def map_on_grid(scores: NDArray[np.float32], volume: Volume, box: PlaneBox) -> NDArray[np.float32]:
    """Return a map of the box (x, y, Z) on the whole grid (X, Y, Z).

    Brain that the box does not reach has the lowest score that there is in the brain, and is found last at any threshold; outside of
    the brain it is 0.
    """
    plane = tuple(slice(*part) for part in box)
    inside = scores[volume.brain[plane]]
    out = np.zeros(volume.shape, dtype=np.float32)
    out[volume.brain] = inside.min() if inside.size else 0
    out[plane] = np.where(volume.brain[plane], scores, 0)
    return out


def image_on_grid(image: NDArray[Any], volume: Volume, box: PlaneBox | None) -> NDArray[Any]:
    """Return an image of the box (C, x, y, N) on the whole plane (C, X, Y, N), 0 where it does not reach."""
    if box is None:
        return image
    out = np.zeros((len(image), *volume.shape[:2], image.shape[-1]), dtype=image.dtype)
    out[(slice(None), *(slice(*part) for part in box))] = image
    return out


def with_crop_note(volume: Volume, box: PlaneBox | None) -> Volume:
    """Return a volume that says so where its brain leaves the box."""
    count = outside(volume, box)
    if box is None or not count:
        return volume
    whole = int(np.count_nonzero(volume.brain))
    (left, right), (front, back) = box
    note = (
        f"subject {volume.subject}: {part_of(count, whole, 'brain voxel', 'lies', 'lie')} outside of the box that is scored "
        f"({left}:{right}, {front}:{back}): there the map has the lowest score of its brain"
    )
    return replace(volume, notes=(*volume.notes, note))
