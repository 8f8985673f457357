"""The way back: a map computed on prepared data, on the grid of the file that the user has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.prepare.register.affine import resample_to
from datasets.prepare.sidecar import Original, Preparation, PreparedFile, read_preparation
from datasets.scans.nifti import write_nifti
from datasets.volume import MODALITIES

ORIGINAL = "original"
"""Folder, beside exported maps, of those on the grids of the files that prepared scans come from."""


def preparation_of(paths: Mapping[str, Path]) -> Preparation | None:
    """Return the sidecar beside a subject's files (by modality); None for a scan that lies on the grid of its source.

    Raises
    ------
    UserError
        When the sidecar is damaged.
    """
    found = read_preparation(next(iter(paths.values())).parent)
    return found if found is not None and found.originals else None


def original_path(folder: Path, preparation: Preparation) -> Path:
    """Return the name of a subject's map on its original's grid: ``<subject>_on_<original file>.nii.gz``."""
    stem = Path(_original(preparation)[0].path).name.removesuffix(".gz").removesuffix(".nii")
    return folder / f"{preparation.subject}_on_{stem}.nii.gz"


def to_original(
    values: NDArray[Any], affine: NDArray[np.float64], preparation: Preparation
) -> NDArray[np.float32]:
    """Bring a map to the original scan's grid in one linear interpolation.

    Parameters
    ----------
    values : (X, Y, Z) array
        On any grid in the prepared files' world: the working grid, or the prepared scan's own.
    affine : float64 (4, 4)
        Voxel of that grid to the prepared world (RAS), mm.
    preparation : Preparation
        The subject's sidecar, whose transform is inverted.

    Returns
    -------
    float32 (X', Y', Z')
        Of the original file's shape; 0 where the map does not reach.
    """
    _, original = _original(preparation)
    back = np.linalg.inv(preparation.to_prepared).astype(np.float64)
    return resample_to(values, affine, back, original.shape, np.array(original.affine))


def save_on_original(
    values: NDArray[Any], affine: NDArray[np.float64], preparation: Preparation, path: Path
) -> None:
    """Write a map (X, Y, Z) on its original's grid, with the original's affine.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    _, original = _original(preparation)
    write_nifti(path, to_original(values, affine, preparation), np.array(original.affine))


def _original(preparation: Preparation) -> tuple[PreparedFile, Original]:
    """Return the file that a map is laid over: the FLAIR, else the first modality that is there."""
    found = {k: (f, f.original) for k, f in preparation.files.items() if f.original is not None}
    return found[next(name for name in (*MODALITIES, *found) if name in found)]
