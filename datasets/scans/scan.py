"""A subject's scan on its own grid: its files read together and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.geometry import bounding_box, voxel_sizes
from datasets.scans import grid
from datasets.scans.brain import BRAIN_QUANTILE, brain_mask
from datasets.scans.foreground import relative_to_background
from datasets.scans.lesion_mask import LesionRule, ignored_voxels, lesion_voxels
from datasets.scans.nifti import (
    NiftiScan,
    file_notes,
    read_nifti,
    require_same_grid,
    turned_along,
)
from datasets.scans.quantiles import SAMPLED, positive_quantile
from datasets.subject import Subject

FEW_VALUES = 8
"""An image with no more different values than this is a mask that took a scan's place."""


@dataclass(frozen=True)
class Scan:
    """A subject on the scan's own grid, as the files hold it.

    Parameters
    ----------
    subject : Subject
        Whose scan it is.
    modalities : tuple of str
        Names of the images, in order.
    images : list of (X, Y, Z) arrays
        Intensities, finite, integers or float32, relative to the background: it is 0, the foreground above it
        (:mod:`datasets.scans.foreground`), but for ringing.
    lesion : bool (X, Y, Z) or None
        None where the subject has no mask, or it was not asked for.
    affine : float64 (4, 4)
        Voxel to world, mm.
    ignore : bool (X, Y, Z) or None
        Voxels that count for nobody, neither lesion nor healthy; None where there are none.
    notes : tuple of str
        What a reader should know of the files.
    log_bias : tuple of float32 (x, y, z), or None
        Of each modality the bias field (:func:`datasets.scans.bias_field.log_bias_field`), where it is known already.
    """

    subject: Subject
    modalities: tuple[str, ...]
    images: list[NDArray[Any]]
    lesion: NDArray[np.bool_] | None
    affine: NDArray[np.float64]
    ignore: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    log_bias: tuple[NDArray[np.float32], ...] | None = None

    @property
    def unhealthy(self) -> NDArray[np.bool_] | None:
        """What is not known to be healthy: lesion and ignored voxels, bool (X, Y, Z); None where no lesion is known."""
        if self.lesion is None or self.ignore is None:
            return self.lesion
        return self.lesion | self.ignore

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Edge lengths of a voxel, mm."""
        return voxel_sizes(self.affine)

    @cached_property
    def extent(self) -> grid.Box:
        """The smallest box outside which every image is 0: most of a file is empty."""
        filled = self.images[0] != 0
        for image in self.images[1:]:
            filled |= image != 0
        if not filled.any():
            x, y, z = filled.shape
            return slice(0, x), slice(0, y), slice(0, z)
        return bounding_box(filled)

    @cached_property
    def _parts(self) -> list[NDArray[Any]]:
        # In the files' own (Fortran) order, in which picking by mask is many times faster.
        return [np.asfortranarray(image[self.extent]) for image in self.images]

    def scales(self, quantile: float, *, off_lesion: bool = False) -> list[float]:
        """Return for each modality the quantile of its foreground (> 0), off the lesion if so asked.

        Raises
        ------
        UserError
            When the lesion leaves no voxel to take it from.
        """
        unhealthy = self.unhealthy
        if off_lesion and unhealthy is not None:
            return self._quantiles(quantile, ~unhealthy[self.extent].ravel("F"))
        if quantile not in self._known:  # the brain's, as a rule: taken once
            self._known[quantile] = self._quantiles(quantile, None)
        return self._known[quantile]

    @cached_property
    def _known(self) -> dict[float, list[float]]:
        return {}

    def _quantiles(self, quantile: float, outside: NDArray[np.bool_] | None) -> list[float]:
        out = []
        for name, part in zip(self.modalities, self._parts, strict=True):
            flat = part.ravel("F")
            foreground = flat[flat > 0 if outside is None else (flat > 0) & outside]
            if foreground.size == 0:
                raise UserError(
                    f"subject {self.subject.id}: the lesion mask covers all of {name}: "
                    "healthy tissue wanted"
                )
            out.append(positive_quantile(foreground, quantile))
        return out

    def brain(self) -> NDArray[np.bool_]:
        """Return the brain mask, bool (X, Y, Z); the same however intensities are normalised."""
        scales = self.scales(BRAIN_QUANTILE)
        out = np.zeros(self.images[0].shape, dtype=bool, order="F")
        out[self.extent] = brain_mask(self._parts, scales, self.spacing)
        return out


def read_scan(
    subject: Subject,
    modalities: Sequence[str],
    rule: LesionRule | None = None,
    *,
    lesion: bool = True,
) -> Scan:
    """Read and check a subject's files.

    Parameters
    ----------
    subject : Subject
        Where the files lie.
    modalities : sequence of str
        Which images to read, in this order.
    rule : LesionRule or None
        What the mask's values mean; None: the defaults.
    lesion : bool
        Whether to read the lesion mask. Off, the mask's file is not opened.

    Raises
    ------
    UserError
        For a missing modality, a file that :func:`datasets.scans.nifti.read_nifti` refuses, an image without
        contrast, and grids that differ between the files.
    """
    files: list[NiftiScan] = []
    for name in modalities:
        if name not in subject.paths:
            there = ", ".join(subject.paths) or "none"
            raise UserError(f"subject {subject.id}: modality {name} is missing ({there} found)")
        file = read_image(subject.paths[name], subject.id)
        if files:
            file = turned_along(file, files[0].values.shape, files[0].affine)
            require_same_grid(subject.id, files[0], file)
        files.append(file)
    voxels = ignored = None
    every = list(files)
    if lesion and subject.mask is not None:
        mask = read_mask(subject.mask, subject.id, files[0])
        every.append(mask)
        rule = rule or LesionRule()
        voxels, ignored = lesion_voxels(mask, rule), ignored_voxels(mask, rule)
    return Scan(
        subject,
        tuple(modalities),
        [file.values for file in files],
        voxels,
        files[0].affine,
        ignored,
        file_notes(every),
    )


def read_image(path: Path, subject: str, brain: NDArray[np.bool_] | None = None) -> NiftiScan:
    """Read one modality, relative to its background.

    Parameters
    ----------
    path : Path
        Its file.
    subject : str
        Its id, for messages.
    brain : bool (X, Y, Z) or None
        A brain mask, where one is given.

    Raises
    ------
    UserError
        For a file that :func:`datasets.scans.nifti.read_nifti` refuses, and an image without contrast or whose
        background cannot be told.
    """
    file = read_nifti(path)
    require_contrast(file, subject)
    out = relative_to_background(file, brain)
    if out.values.max() <= 0:
        raise UserError(f"{path}: no voxel above 0 (subject {subject}): a scan wanted")
    return out


def read_mask(path: Path, subject: str, image: NiftiScan) -> NiftiScan:
    """Read a mask that lies on an image's grid; its axes are turned as the image's run.

    Raises
    ------
    UserError
        For a file that :func:`datasets.scans.nifti.read_nifti` refuses, and one that lies elsewhere.
    """
    mask = turned_along(read_nifti(path), image.values.shape, image.affine)
    require_same_grid(subject, image, mask)
    return mask


def require_contrast(file: NiftiScan, subject: str) -> None:
    """Refuse an image that shows nothing.

    Raises
    ------
    UserError
        When every voxel is the same.
    """
    some = file.values.ravel("F")[::SAMPLED]
    if some.min() < some.max():  # so it is with every sound scan, and the rest need not be read
        return
    low, high = file.values.min(), file.values.max()
    if low == high:
        what = "zero" if high == 0 else f"{high:g}"
        raise UserError(f"{file.path}: every voxel is {what} (subject {subject}): a scan wanted")


def has_few_values(file: NiftiScan) -> bool:
    """Whether an image is a mask by its values: no more than :data:`FEW_VALUES` different ones."""
    flat = file.values.ravel("F")
    some = np.unique(flat[:: max(1, flat.size // 20_000)])
    return some.size <= FEW_VALUES and np.unique(flat).size <= FEW_VALUES
