"""Background and foreground of an image: the one definition that everything reads.

*Background is the value that fills the border of the grid; foreground is the rest.* Images leave this module relative to
their background: it is 0 in them, and what is above 0 is foreground. So ``> 0`` means foreground wherever an image that
was read here is looked at, whatever the file's background was.

The rule, with its numbers:

1. The border is the six faces of the grid. The value that at least :data:`FILLED` of it holds, to :data:`TOLERANCE` of
   the image's range, is the background. Where the head reaches the faces (slabs), the twelve edges are asked instead.
2. A background of 0 with nothing below it is how scans are: nothing is done. Another background is subtracted.
3. Interpolation by splines rings and leaves small values below the background. Of the voxels that differ from the
   background by more than 2 % of the image's 99th percentile, such scans have under 0.3 % below it (Shifts-MS,
   BraTS-Africa); images z-scored in the brain have a third or more. Up to :data:`AMONG` counts as ringing: what is
   below the background is background.
4. Beyond that the background lies among the foreground's values. Foreground then is what is not connected with the
   border at the background's value; its values are taken above the darkest of them, as they were before someone
   subtracted a mean: the darkest voxel comes to lie at :data:`DARKEST` of the 99th percentile.
5. A border that no value fills, as of a head whose air is noise, has the background 0 where no more than
   :data:`AMONG` lies below 0. Else the background cannot be told, and the image is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.scans.nifti import NiftiScan

FILLED = 0.5
"""Least share of the border that the background's value must hold."""
TOLERANCE = 1e-5
"""Values are one where they differ by less than this share of the image's range: interpolation rounds."""
NEGLIGIBLE = 0.02
"""Share of the 99th percentile up to which a difference from the background says nothing."""
AMONG = 0.05
"""Share of the voxels that clearly differ from the background, up to which those below it are ringing."""
DARKEST = 0.025
"""Where the darkest voxel of the foreground comes to lie, as a share of the 99th percentile: above NEGLIGIBLE."""


def relative_to_background(scan: NiftiScan, brain: NDArray[np.bool_] | None = None) -> NiftiScan:
    """Return an image whose background is 0 and whose foreground is above it.

    Parameters
    ----------
    scan : NiftiScan
        An image, as read; not constant.
    brain : bool (X, Y, Z) or None
        A brain mask, where one is given: it is the foreground then, whatever the border holds.

    Returns
    -------
    NiftiScan
        The very same where the background is 0 and little lies below it; else float32, with a note.

    Raises
    ------
    UserError
        When no value fills the border and much lies below 0: says what was seen.
    """
    values = scan.values
    low, high = float(values.min()), float(values.max())
    tolerance = TOLERANCE * (high - low)
    level = _border_level(values, tolerance)
    if low >= 0 and (level is None or level <= tolerance):
        return scan
    if level is None or abs(level) <= tolerance:
        above, note = values, ""
    else:
        above = (values.astype(np.float64) - level).astype(np.float32)
        note = f"background {level:g}: values are taken relative to it"
    scale, below = _below(above if brain is None else above[brain], tolerance)
    if below <= AMONG:
        return replace(scan, values=above, notes=(*scan.notes, note)) if note else scan
    if brain is None and level is None:
        border = _faces(values)
        raise UserError(
            f"{scan.path}: its background cannot be told: the border holds values from {border.min():g} to "
            f"{border.max():g}, none of them on half of it, and {below:.0%} of the image lie below 0: one value around "
            "the brain, or a brain mask (prepare folder), wanted"
        )
    inside = _inside(above, tolerance, NEGLIGIBLE * scale) if brain is None else brain
    moved = _above_darkest(above, inside)
    shown = 0.0 if level is None or abs(level) <= tolerance else level
    note = f"background {shown:g} lies among the foreground's values: they are taken above their darkest"
    return replace(scan, values=moved, notes=(*scan.notes, note))


def _border_level(values: NDArray[Any], tolerance: float) -> float | None:
    """Return the value that fills the border, None where none does."""
    for border in (_faces(values), _edges(values)):
        level = float(np.partition(border, border.size // 2)[border.size // 2])
        near = np.count_nonzero(np.abs(border.astype(np.float64) - level) <= tolerance)
        if near >= FILLED * border.size:
            return level
    return None


def _faces(values: NDArray[Any]) -> NDArray[Any]:
    # Views: take() would copy a file's whole volume into another order, six times.
    return np.concatenate([np.moveaxis(values, a, 0)[k].ravel() for a in range(3) for k in (0, -1)])


def _edges(values: NDArray[Any]) -> NDArray[Any]:
    ends = (0, -1)
    parts = [
        np.moveaxis(values, (first, second), (0, 1))[k, m]
        for first, second in ((0, 1), (0, 2), (1, 2))
        for k in ends
        for m in ends
    ]
    return np.concatenate(parts)


def _below(above: NDArray[Any], tolerance: float) -> tuple[float, float]:
    """Return the 99th percentile of the distance from the background, and the share that lies clearly below it."""
    flat = above.ravel("K")
    distance = np.abs(flat[np.abs(flat) > tolerance])
    if not distance.size:
        return 0.0, 0.0
    scale = float(np.quantile(distance, 0.99))
    clear = NEGLIGIBLE * scale
    below, beyond = int(np.count_nonzero(flat < -clear)), int(np.count_nonzero(flat > clear))
    return scale, below / max(below + beyond, 1)


def _inside(above: NDArray[Any], tolerance: float, clear: float) -> NDArray[np.bool_]:
    """Return what is not connected with the border at the background's value, bool (X, Y, Z).

    The value is taken exactly, as tissue may come near it; but where interpolation left a fringe around the brain,
    which is more than single voxels of its surface, whatever does not clearly differ is background.
    """
    exact = ~_outside(np.abs(above) <= tolerance)
    clearly = ~_outside(np.abs(above) <= clear)
    fringe = np.count_nonzero(exact & ~clearly)
    return clearly if fringe > AMONG * np.count_nonzero(clearly) else exact


def _outside(background: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels = cc3d.connected_components(np.pad(background, 1, constant_values=True), connectivity=6)
    return np.asarray(labels == labels[0, 0, 0])[1:-1, 1:-1, 1:-1]


def _above_darkest(above: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return values that are 0 outside and positive inside, in the order they had."""
    found = above[inside].astype(np.float64)
    darkest, bright = float(found.min()), float(np.quantile(found, 0.99))
    start = (darkest - DARKEST * bright) / (1 - DARKEST)
    out = np.zeros(above.shape, dtype=np.float32, order="F")
    out[inside] = found - start
    return out
