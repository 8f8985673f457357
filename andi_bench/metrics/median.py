"""The 3-D median filter, equal to scipy's and several times faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import bounding_box, dilate_box
from andi_bench.metrics.histograms.scores import as_scores, same_shape

_PAIRS = 512
"""Pairs of windows sorted at a time: what fits in a core's own cache."""


def median_filter(
    scores: NDArray[Any], size: int | Sequence[int], where: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """3-D median over a box, equal to ``scipy.ndimage.median_filter(scores, size)``.

    At the border the map is mirrored, edge voxel included (scipy's default mode ``reflect``), as in the published
    evaluation. Two windows that are neighbours along z share all layers but one each. Of the shared scores, sorted once
    for both, only the middle ones can be either window's median; each window then sorts these with its own layer.
    Windows without any score but 0 are skipped.

    Parameters
    ----------
    scores : array (X, Y, Z)
        Read as float32.
    size : int or three of them
        Edges of the box, voxels, odd; one number for a cube. 1 changes nothing.
    where : bool (X, Y, Z), optional
        Voxels to compute; the others are 0. None: all.

    Returns
    -------
    float32 (X, Y, Z)

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For a size that is not odd and positive, or arrays of different shapes.
    """
    scores = as_scores(scores)
    edges = (size,) * 3 if isinstance(size, int) else tuple(size)
    if len(edges) != 3 or any(edge < 1 or edge % 2 == 0 for edge in edges):
        raise ValueError(f"median filter of size {size}: odd sizes wanted")
    reach = tuple(edge // 2 for edge in edges)
    where = np.ones(scores.shape, dtype=bool) if where is None else np.asarray(where, dtype=bool)
    same_shape(scores=scores, where=where)
    if not any(reach):
        return np.where(where, scores, np.float32(0))
    if not scores[where].all():
        where = where & dilate_box(scores != 0, reach)
    out = np.zeros(scores.shape, dtype=np.float32)
    if where.any():
        box = bounding_box(where)
        out[box] = _medians(_reached(scores, box, reach), edges, where[box])
    return out


def _medians(
    padded: NDArray[np.float32], edges: tuple[int, ...], where: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the medians of the windows that begin at each voxel of ``where``; ``padded`` is wider by ``edges - 1``."""
    # numpy sorts short rows of int32 faster than of float32. Adding 0 turns -0 into 0.
    keys = _flip((padded + np.float32(0)).view(np.int32))
    width, rows, depth = where.shape
    across, along, deep = edges
    square = across * along  # scores in one layer of a window
    middle = square * deep // 2
    first = max(0, middle - square)  # the lowest of the shared scores that may be a median
    last = min(square * (deep - 1), middle + 1)
    pairs = -(-depth // 2) + deep // 2  # a row's pairs of layers, those only reached into included
    wanted = np.zeros((width, rows, 2 * pairs), dtype=bool)
    wanted[:, :, :depth] = where
    wanted = (wanted[:, :, ::2] | wanted[:, :, 1::2]).reshape(width, rows * pairs)
    # layers[y, z]: the scores of one layer of a window, in any order. Moving on along x replaces one plane.
    layers = np.zeros((rows, 2 * pairs, square), dtype=np.int32)
    runs = np.lib.stride_tricks.as_strided(
        layers,
        (rows * pairs - deep // 2, (deep + 1) * square),
        (2 * square * layers.itemsize, layers.itemsize),
        writeable=False,
    )
    medians = np.zeros((rows * pairs, 2), dtype=np.int32)
    rest = np.empty((_PAIRS, square + last - first), dtype=np.int32)
    out = np.zeros(where.shape, dtype=np.float32)
    for plane in range(len(keys)):
        for row in range(along):
            place = plane % across * along + row
            layers[:, : keys.shape[2], place] = keys[plane, row : row + rows]
        x = plane - (across - 1)
        if x < 0:
            continue
        chosen = np.flatnonzero(wanted[x])
        for begin in range(0, len(chosen), _PAIRS):
            part = chosen[begin : begin + _PAIRS]
            window = runs[part]
            window[:, square:-square].sort(axis=1)
            # Whatever a window's own layer holds, its median is among these of the shared scores.
            shared = window[:, square + first : square + last].copy()
            for which, own in enumerate((window[:, :square], window[:, -square:])):
                rest[: len(part), :square] = own
                rest[: len(part), square:] = shared
                rest[: len(part)].sort(axis=1)
                medians[part, which] = rest[: len(part), middle - first]
        values = medians.reshape(rows, 2 * pairs)[:, :depth][where[x]]
        out[x][where[x]] = _flip(values).view(np.float32)
    return out


def _reached(
    scores: NDArray[np.float32], box: tuple[slice, ...], reach: tuple[int, ...]
) -> NDArray[np.float32]:
    """Cut out a box and ``reach`` voxels around it, mirrored where the grid ends."""
    wanted = [(edge.start - far, edge.stop + far) for edge, far in zip(box, reach, strict=True)]
    held = [
        (max(0, low), min(length, high))
        for (low, high), length in zip(wanted, scores.shape, strict=True)
    ]
    beyond = [
        (start - low, high - stop) for (low, high), (start, stop) in zip(wanted, held, strict=True)
    ]
    inside = scores[tuple(slice(*edge) for edge in held)]
    return np.pad(inside, beyond, mode="symmetric") if np.any(beyond) else inside


def _flip(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn the bits of floats into integers of the same order, and back."""
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
