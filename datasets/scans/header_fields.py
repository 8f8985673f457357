"""Where a NIfTI header puts its voxels, and how large it says they are.

As the standard (nifti1.h) means the fields, and as nibabel, SPM and FSL read them:

- ``xyzt_units``: metres and microns become millimetres; unknown counts as millimetres, as everywhere.
- ``sform_code`` above 0: the sform; else ``qform_code`` above 0: the qform; else ``pixdim`` alone, the first axis
  towards the left and the grid centred, as ANALYZE had it. A code of 0 says that the field is not used.
- qform and sform may both be there: the standard lets them name two spaces (scanner and template, say), so a file whose
  two differ is no damaged file. The sform is used, and where they lie more than a voxel apart that is noted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.geometry import voxel_sizes

SPACING_MM = (0.1, 20.0)
"""Shortest and longest voxel edge of a scan of a head, mm."""
_UNITS = {0: ("", 1.0), 1: ("metre", 1e3), 2: ("mm", 1.0), 3: ("micron", 1e-3)}


def millimetres(raw: nib.Nifti1Header) -> float:
    """Return how many millimetres a header's spatial unit has; 1 where it names none, or one that is not defined."""
    return _UNITS.get(int(raw["xyzt_units"]) & 7, ("", 1.0))[1]


def affine_of(
    path: Path, header: nib.Nifti1Header, raw: nib.Nifti1Header, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the affine of a file in mm, and notes on it.

    Parameters
    ----------
    path : Path
        For messages.
    header, raw : Nifti1Header
        The header as nibabel mends it, and as it stands in the file.
    shape : (int, int, int)
        Voxels.

    Returns
    -------
    affine : float64 (4, 4)
        Voxel to world (RAS), mm.
    notes : tuple of str
        What a reader should know.

    Raises
    ------
    UserError
        For an undefined unit, an affine that is missing, singular or not finite, and edges outside
        :data:`SPACING_MM`.
    """
    code = int(raw["xyzt_units"]) & 7
    if code not in _UNITS:
        raise UserError(
            f"{path}: xyzt_units has spatial unit {code}: 0 to 3 (m, mm, micron) wanted"
        )
    unit, factor = _UNITS[code]
    sform, qform = int(raw["sform_code"]), int(raw["qform_code"])
    if sform <= 0:
        _require_pixdim(path, raw)
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (ValueError, HeaderDataError) as error:
        raise UserError(f"{path}: the header's orientation is not valid ({error})") from error
    affine[:3] *= factor
    source = "sform" if sform > 0 else "qform" if qform > 0 else "pixdim"
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise UserError(
            f"{path}: the header's affine is singular ({source}): voxel sizes in mm wanted"
        )
    _require_head(path, affine, f"{source}, {f'unit {unit}' if unit else 'no unit'}")
    notes = []
    if sform > 0 and qform > 0:
        apart = _apart(header, affine, factor, shape)
        if apart > max(voxel_sizes(affine)):
            notes.append(
                f"qform (code {qform}) and sform (code {sform}) lie up to {apart:.3g} mm apart: the sform is used"
            )
    return affine, tuple(notes)


def _require_head(path: Path, affine: NDArray[np.float64], source: str) -> None:
    """Refuse voxels that no scan of a head has: a unit that is not what the numbers are in."""
    edges = voxel_sizes(affine)
    low, high = SPACING_MM
    if min(edges) < low * (1 - 1e-6) or max(edges) > high * (1 + 1e-6):
        raise UserError(
            f"{path}: voxels of {'x'.join(f'{edge:.4g}' for edge in edges)} mm ({source}): edges of "
            f"{low:g} to {high:g} mm wanted"
        )


def _require_pixdim(path: Path, raw: nib.Nifti1Header) -> None:
    edges = [float(edge) for edge in raw["pixdim"][1:4]]
    if not all(np.isfinite(edges)) or 0 in edges:
        raise UserError(
            f"{path}: pixdim {'x'.join(f'{edge:g}' for edge in edges)} and no sform: voxel sizes above 0 wanted"
        )


def _apart(
    header: nib.Nifti1Header,
    affine: NDArray[np.float64],
    factor: float,
    shape: tuple[int, int, int],
) -> float:
    """Return how far the qform puts a corner of the grid from where the affine does, mm; 0 where there is no qform."""
    try:
        other = np.asarray(header.get_qform(), dtype=np.float64)
    except (ValueError, HeaderDataError):
        return 0.0
    other[:3] *= factor
    found = corner_distance(shape, affine, other)
    return found if np.isfinite(found) else 0.0


def corner_distance(shape: tuple[int, ...], first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the largest distance of a corner voxel of a grid under two affines (4, 4), mm."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    apart = (first - second) @ np.vstack([corners, np.ones(corners.shape[1])])
    return float(np.sqrt((apart[:3] ** 2).sum(axis=0)).max())
