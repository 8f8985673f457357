"""The template that subjects are registered to: the ICBM brain on the BraTS grid, or a file of the user's."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.scans.brain import brain_of
from datasets.scans.foreground import relative_to_background
from datasets.scans.nifti import read_nifti

BRATS_SHAPE = (240, 240, 155)
"""Voxels of the BraTS grid, 1 mm."""
BRATS_AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 239.0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
"""Voxel to world of the BraTS grid, mm: axes towards left, posterior, superior."""
ICBM_NAME = "ICBM 2009a nonlinear symmetric T1, as shipped with nilearn, on the BraTS grid"
MNI_TO_BRATS = np.array([-120, 137, 72])
"""From MNI's world to the BraTS grid's. Whole millimetres, so that no voxel is interpolated: MNI (0, -17, -72) is the
middle of the grid's lowest slice."""


@dataclass(frozen=True, eq=False)  # one of a kind: found again by identity
class RegistrationTemplate:
    """A skull-stripped T1 brain, and where it lies.

    Parameters
    ----------
    name : str
        For people: what it is, or its file's name.
    values : float32 (X, Y, Z)
        Intensities; 0 outside the brain.
    affine : float64 (4, 4)
        Voxel to world (RAS), mm. Everything that is registered comes out on this grid.
    brain : bool (X, Y, Z)
        Brain mask.
    hash : str
        Of voxels and affine, 32 hexadecimal digits.
    """

    name: str
    values: NDArray[np.float32]
    affine: NDArray[np.float64]
    brain: NDArray[np.bool_]
    hash: str


def icbm_template() -> RegistrationTemplate:
    """Return the ICBM T1 that nilearn ships, skull-stripped, moved onto the BraTS grid by whole voxels."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    found = np.asarray(image.dataobj, dtype=np.float32)
    whole = np.zeros(BRATS_SHAPE, dtype=np.float32)
    inside = np.argwhere(found > 0)
    world = inside @ image.affine[:3, :3].T + image.affine[:3, 3] + MNI_TO_BRATS
    back = np.linalg.inv(BRATS_AFFINE)
    places = np.rint(world @ back[:3, :3].T + back[:3, 3]).astype(np.intp)
    whole[tuple(places.T)] = found[tuple(inside.T)]
    return _template(ICBM_NAME, whole, BRATS_AFFINE)


def read_template(path: Path | None) -> RegistrationTemplate:
    """Read a template's file; None: :func:`icbm_template`.

    Parameters
    ----------
    path : Path or None
        A skull-stripped T1, such as SRI24's ``T1_brain.nii``; 3-D, or 4-D with one volume. Its own grid is
        the one that subjects are brought to.

    Raises
    ------
    UserError
        For a file that :func:`datasets.scans.nifti.read_nifti` refuses, or that holds no brain.
    """
    if path is None:
        return icbm_template()
    scan = relative_to_background(read_nifti(path))
    return _template(path.name, np.asarray(scan.values, dtype=np.float32), scan.affine, path)


def _template(
    name: str, values: NDArray[np.float32], affine: NDArray[np.float64], path: Path | None = None
) -> RegistrationTemplate:
    brain = brain_of(affine, values)
    if not brain.any():
        raise UserError(f"{path or name}: no voxel above 0: a skull-stripped T1 wanted")
    state = hashlib.blake2b(repr(values.shape).encode(), digest_size=16)
    state.update(np.ascontiguousarray(affine, dtype="<f8").data)
    state.update(np.ascontiguousarray(values.T, dtype="<f4").data)
    return RegistrationTemplate(name, values, affine, brain, state.hexdigest())
