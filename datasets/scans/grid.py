"""From a scan's own grid to the working grid, and back.

The working grid has its axes towards left, posterior and superior (LPS, as BraTS files have), an axial plane
padded to a square and resized to ``size`` x ``size``; slices keep their number and thickness. An oblique scan
keeps its rotation: axes are only flipped and permuted. With a field of view the plane is a square of that many mm around the
brain instead, so that voxels are spent on brain; a brain that is larger has a larger square.

Voxel w of an axis of ``size`` voxels, made from n, lies at (w + 1/2) n / size - 1/2 of the n: pixel
centres, as in ``torch.nn.functional.interpolate(align_corners=False)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray

from andi_bench.geometry import bounding_box, voxel_sizes
from datasets.volume import NativeGrid

Box = tuple[slice, slice, slice]
"""Part of a grid; both ends of each slice are given."""


def plan(
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
    size: int,
    field_of_view: float | None = None,
    brain: NDArray[np.bool_] | None = None,
) -> tuple[NativeGrid, NDArray[np.float64]]:
    """Lay out the working grid of a scan.

    The plane is padded, or with a field of view also cut, to a square in mm, which is one in voxels where these are square.

    Parameters
    ----------
    shape : (int, int, int)
        Of the file.
    affine : float64 (4, 4)
        Of the file, mm.
    size : int
        Edge of the working grid's axial plane, voxels.
    field_of_view : float or None
        Edge of that plane, mm, around the middle of the brain; None: as much as the scan's plane has.
    brain : bool (X, Y, Z) or None
        Brain mask, not empty; wanted with a field of view.

    Returns
    -------
    native : NativeGrid
        What :func:`to_working` and :func:`to_native` need.
    working_affine : float64 (4, 4)
        Working voxel to world, mm.
    """
    turn = ornt_transform(io_orientation(affine), axcodes2ornt("LPS"))
    turned_affine = affine @ inv_ornt_aff(turn, shape)
    order = np.argsort(turn[:, 0])
    turned = [shape[int(axis)] for axis in order]
    edges = voxel_sizes(turned_affine)
    held = [slice(0, count) for count in turned[:2]]
    extent = max(turned[axis] * edges[axis] for axis in (0, 1))
    if field_of_view is not None:
        if brain is None:
            raise ValueError("a field of view lies around a brain: its mask wanted")
        held = list(bounding_box(apply_orientation(brain, turn)))[:2]
        widest = max(
            (part.stop - part.start) * edge for part, edge in zip(held, edges, strict=False)
        )
        extent = max(field_of_view, widest)
    padding = []
    change = np.eye(4)
    for axis in (0, 1):
        part = held[axis]
        padded = max(part.stop - part.start, round(float(extent / edges[axis])))
        before = (padded - part.stop - part.start) // 2
        padding.append((before, padded - turned[axis] - before))
        step = padded / size
        change[axis, axis] = step
        change[axis, 3] = step / 2 - 0.5 - before
    native = NativeGrid(shape, affine, turn, (padding[0], padding[1]))
    return native, turned_affine @ change


def turned(values: NDArray[Any], native: NativeGrid) -> NDArray[Any]:
    """Return a native array (X, Y, Z) with its axes in the working orientation (a view)."""
    return apply_orientation(values, native.orientation)


def to_working(
    values: NDArray[Any],
    native: NativeGrid,
    size: int,
    slices: NDArray[np.int64] | None = None,
    extent: Box | None = None,
) -> NDArray[np.float32]:
    """Bring intensities to the working grid: bilinear in the plane, antialiased.

    Parameters
    ----------
    values : (X, Y, Z) array
        On the scan's own grid.
    native : NativeGrid
        From :func:`plan`.
    size : int
        Edge of the plane, voxels.
    slices : int64 (N,) or None
        Numbers of the slices wanted; None: all.
    extent : box or None
        Part of the scan's own grid outside which all values are 0; to save work, the result is the same.

    Returns
    -------
    float32 (size, size, Z)
        Or (size, size, N).
    """
    inner = turned(values, native)
    chosen = np.arange(inner.shape[2]) if slices is None else slices
    box = None if extent is None else _turned_box(extent, native)
    windows = [
        _window(count, size, None if box is None else (box[axis], native.padding[axis][0]))
        for axis, count in enumerate(_padded_plane(native))
    ]
    (x, out_x), (y, out_y) = windows
    part = _padded(inner, native, np.float32, chosen, (x, y))
    resized = _resized(part, (out_x.stop - out_x.start, out_y.stop - out_y.start))
    if resized.shape[:2] == (size, size):
        return resized
    out = np.zeros((size, size, len(chosen)), dtype=np.float32, order="F")
    out[out_x, out_y] = resized
    return out


def mask_to_working(mask: NDArray[np.bool_], native: NativeGrid, size: int) -> NDArray[np.bool_]:
    """Bring a mask to the working grid by "nearest-exact"; bool (size, size, Z)."""
    inner = turned(mask, native)
    x, y = (slice(0, count) for count in _padded_plane(native))
    padded = _padded(inner, native, np.bool_, np.arange(inner.shape[2]), (x, y))
    return _nearest(padded, (size, size))


def map_to_native(values: NDArray[Any], native: NativeGrid) -> NDArray[np.float32]:
    """Bring a map (X, Y, Z) from the working grid to the scan's own; linear in the plane; float32."""
    return _turned_back(_resized(values, _padded_plane(native)), native)


def mask_to_native(mask: NDArray[np.bool_], native: NativeGrid) -> NDArray[np.bool_]:
    """Bring a mask (X, Y, Z) from the working grid to the scan's own by "nearest-exact"; bool."""
    return _turned_back(_nearest(mask, _padded_plane(native)), native)


def lost_voxels(native: NativeGrid, size: int) -> NDArray[np.bool_]:
    """Return the native voxels that :func:`mask_to_working` reads nowhere, bool (X, Y, Z)."""
    plane = _padded_plane(native)
    depth = native.shape[int(np.argsort(native.orientation[:, 0])[2])]
    read = np.zeros((*plane, depth), dtype=bool)
    read[np.ix_(*_picks(plane, (size, size)))] = True
    return ~_turned_back(read, native)


def _padded(
    inner: NDArray[Any],
    native: NativeGrid,
    dtype: type,
    slices: NDArray[np.int64],
    window: tuple[slice, slice],
) -> NDArray[Any]:
    """Return a window of the padded plane, of some slices of a turned array."""
    to, source = [], []
    for axis, part in enumerate(window):
        before = native.padding[axis][0]
        low, high = max(part.start, before), min(part.stop, before + inner.shape[axis])
        to.append(slice(low - part.start, high - part.start))
        source.append(slice(low - before, high - before))
    # Fortran order, a file's own: the copy runs straight through, and torch takes the result as it is.
    shape = (*(part.stop - part.start for part in window), len(slices))
    out = np.zeros(shape, dtype=dtype, order="F")
    for place, z in enumerate(slices.tolist()):
        out[to[0], to[1], place] = inner[source[0], source[1], z]
    return out


def _turned_box(box: Box, native: NativeGrid) -> Box:
    out = list(box)
    for part, (target, flip), count in zip(box, native.orientation, native.shape, strict=True):
        turned_part = slice(count - part.stop, count - part.start) if flip < 0 else part
        out[int(target)] = turned_part
    return out[0], out[1], out[2]


def _window(count: int, size: int, filled: tuple[slice, int] | None) -> tuple[slice, slice]:
    """Return which of an axis's voxels are resized, and to which voxels of the working grid; the rest is 0.

    ``filled`` is the part that holds anything, and the padding before it. A window begins and ends where the two
    grids' voxels do, so that it is resized by the same weights as the whole axis: exactly the same only where these
    are binary fractions, which they are for a size that is a power of two. Elsewhere the window is the axis.
    """
    if filled is None or size & (size - 1):
        return slice(0, count), slice(0, size)
    part, before = filled
    blocks = math.gcd(count, size)
    step, out_step = count // blocks, size // blocks
    # A voxel's weights reach one voxel of the coarser grid to either side, and those of a voxel that they reach.
    margin = math.ceil(2 * max(count / size, 1)) + 1
    first = max(0, (before + part.start - margin) // step)
    last = min(blocks, -(-(before + part.stop + margin) // step))
    return slice(first * step, last * step), slice(first * out_step, last * out_step)


def _padded_plane(native: NativeGrid) -> tuple[int, int]:
    order = np.argsort(native.orientation[:, 0])
    x, y = (native.shape[int(order[axis])] + sum(native.padding[axis]) for axis in (0, 1))
    return x, y


def _turned_back(values: NDArray[Any], native: NativeGrid) -> NDArray[Any]:
    """Cut off what was padded, give back what was cut off as 0, and turn the axes back."""
    cut = tuple(
        slice(max(0, before), values.shape[axis] - max(0, after))
        for axis, (before, after) in enumerate(native.padding)
    )
    missing = [(max(0, -before), max(0, -after)) for before, after in native.padding]
    whole = np.pad(values[cut], [*missing, (0, 0)]) if np.any(missing) else values[cut]
    back = np.empty_like(native.orientation)
    for axis, (target, flip) in enumerate(native.orientation):
        back[int(target)] = (axis, flip)
    return np.array(apply_orientation(whole, back), order="C")  # never the caller's memory


def _resized(values: NDArray[Any], plane: tuple[int, int]) -> NDArray[np.float32]:
    if values.shape[:2] == plane:
        return np.asarray(values, dtype=np.float32)
    import torch
    from torch.nn.functional import interpolate

    # Axes reversed: Fortran order is then torch's own.
    stacked = np.ascontiguousarray(values.T, dtype=np.float32)[None]
    with torch.inference_mode():
        out = interpolate(torch.from_numpy(stacked), plane[::-1], mode="bilinear", antialias=True)
    resized: NDArray[np.float32] = out[0].numpy().T
    return resized


def _nearest(mask: NDArray[np.bool_], plane: tuple[int, int]) -> NDArray[np.bool_]:
    return mask[np.ix_(*_picks(mask.shape[:2], plane))]


def _picks(found: tuple[int, ...], wanted: tuple[int, int]) -> list[NDArray[np.intp]]:
    """Return, for either axis of a plane, which voxels "nearest-exact" reads."""
    return [
        # floor((w + 1/2) n / size), in integers: float32 may fall on the wrong side of a tie
        (2 * np.arange(size) + 1) * count // (2 * size)
        for count, size in zip(found, wanted, strict=True)
    ]
