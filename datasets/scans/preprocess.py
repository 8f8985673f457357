"""A subject's files become a volume on the working grid: one path for training and scoring.

Follows the preprocessing of ANDi (Frotscher et al., arXiv 2312.01904): each modality divided by the 99th
percentile of its voxels above 0 at native resolution, axial slices resized bilinearly with antialiasing,
masks "nearest-exact". Orientation, padding, the brain mask and the refusals are this project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.geometry import bounding_box, voxel_sizes
from datasets.scans import grid
from datasets.scans.brain import brain_mask
from datasets.scans.lesion_mask import LesionRule, lesion_voxels
from datasets.scans.lost_lesions import lesion_loss
from datasets.scans.nifti import NiftiScan, read_nifti, require_same_grid, write_nifti
from datasets.scans.quantiles import SAMPLED, positive_quantile
from datasets.subject import Subject
from datasets.volume import NativeGrid, Volume

VERSION = 1
"""Raised when the same files would give other slices: stored slices are then built anew."""


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
        Intensities, finite, integers or float32.
    lesion : bool (X, Y, Z) or None
        None where the subject has no mask, or it was not asked for.
    affine : float64 (4, 4)
        Voxel to world, mm.
    """

    subject: Subject
    modalities: tuple[str, ...]
    images: list[NDArray[Any]]
    lesion: NDArray[np.bool_] | None
    affine: NDArray[np.float64]

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
        """Return for each modality the quantile of its voxels > 0, off the lesion if so asked.

        Raises
        ------
        UserError
            When the lesion leaves no voxel to take it from.
        """
        outside = (
            ~self.lesion[self.extent].ravel("F") if off_lesion and self.lesion is not None else None
        )
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

    def brain(self, scales: Sequence[float]) -> NDArray[np.bool_]:
        """Return the brain mask, bool (X, Y, Z); ``scales`` as from :meth:`scales`."""
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
        file = read_nifti(subject.paths[name])
        require_contrast(file, subject.id)
        if files:
            require_same_grid(subject.id, files[0], file)
        files.append(file)
    voxels = None
    if lesion and subject.mask is not None:
        mask = read_nifti(subject.mask)
        require_same_grid(subject.id, files[0], mask)
        voxels = lesion_voxels(mask, rule or LesionRule())
    return Scan(
        subject, tuple(modalities), [file.values for file in files], voxels, files[0].affine
    )


def require_contrast(file: NiftiScan, subject: str) -> None:
    """Refuse an image that shows nothing.

    Raises
    ------
    UserError
        When every voxel is the same, or none is above 0.
    """
    some = file.values.ravel("F")[::SAMPLED]
    if some.min() < some.max() > 0:  # so it is with every sound scan, and the rest need not be read
        return
    low, high = file.values.min(), file.values.max()
    if low == high:
        what = "zero" if high == 0 else f"{high:g}"
        raise UserError(f"{file.path}: every voxel is {what} (subject {subject}): a scan wanted")
    if high <= 0:
        raise UserError(f"{file.path}: no voxel above 0 (subject {subject}): a scan wanted")


@dataclass(frozen=True)
class TrainingSlices:
    """A subject's healthy slices, as detectors learn from them.

    Parameters
    ----------
    depth : int
        Number of slices of its volume.
    numbers : int64 (N,)
        Of the healthy ones, rising.
    images : float32 (C, X, Y, N)
        These slices.
    """

    depth: int
    numbers: NDArray[np.int64]
    images: NDArray[np.float32]


@dataclass(frozen=True)
class _Placed:
    """Where a scan comes to lie on the working grid: its plan, its brain there, and what divides its images."""

    scales: list[float]
    native: NativeGrid
    affine: NDArray[np.float64]
    brain: NDArray[np.bool_]


def preprocess(scan: Scan, config: PreprocessingConfig, *, training: bool = False) -> Volume:
    """Bring a scan to the working grid and normalise it.

    Parameters
    ----------
    scan : Scan
        As read.
    config : PreprocessingConfig
        Grid, quantile, clip.
    training : bool
        Whether the volume gives training slices. Only then may the lesion mask touch the normalisation
        (``quantile_off_lesion``): a scan to be scored is normalised without it.

    Returns
    -------
    Volume
        Whose ``image`` is a view with the slices' own memory order, not C-contiguous.

    Raises
    ------
    UserError
        When no brain is found.
    """
    placed = _placed(scan, config, training)
    lesion = scan.lesion
    return Volume(
        subject=scan.subject.id,
        image=_images(scan, placed, config),
        brain=placed.brain,
        lesion=None if lesion is None else grid.mask_to_working(lesion, placed.native, config.size),
        affine=placed.affine,
        native=placed.native,
        modalities=scan.modalities,
        site=scan.subject.attributes.get("site") or scan.subject.site,
        attributes=dict(scan.subject.attributes),
        loss=None
        if lesion is None or training
        else lesion_loss(lesion, placed.native, config.size),
    )


def _placed(scan: Scan, config: PreprocessingConfig, training: bool) -> _Placed:
    scales = scan.scales(config.quantile)
    brain = scan.brain(scales)
    if not brain.any():
        raise UserError(
            f"subject {scan.subject.id}: no brain found in {', '.join(scan.modalities)}"
        )
    if training and config.quantile_off_lesion:
        scales = scan.scales(config.quantile, off_lesion=True)
    x, y, z = scan.images[0].shape
    native, affine = grid.plan((x, y, z), scan.affine, config.size)
    small = grid.mask_to_working(brain, native, config.size)
    if not small.any():
        raise UserError(
            f"subject {scan.subject.id}: its brain of {np.count_nonzero(brain)} voxels has none on the working grid "
            f"({config.size}x{config.size}x{small.shape[2]}): 1 or more wanted"
        )
    return _Placed(scales, native, affine, small)


def _images(
    scan: Scan,
    placed: _Placed,
    config: PreprocessingConfig,
    slices: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    depth = placed.brain.shape[2] if slices is None else len(slices)
    # (C, Z, Y, X) in memory, as resizing leaves it; the axes are only named anew.
    image = np.empty((len(scan.images), depth, config.size, config.size), dtype=np.float32)
    image = image.transpose(0, 3, 2, 1)
    for channel, raw, scale in zip(image, scan.images, placed.scales, strict=True):
        resized = grid.to_working(raw, placed.native, config.size, slices, scan.extent)
        np.multiply(resized, np.float32(1 / scale), out=channel)
    if config.clip is not None:
        np.minimum(image, np.float32(config.clip), out=image)
    return image


def read_volume(
    subject: Subject,
    config: PreprocessingConfig,
    rule: LesionRule | None = None,
    *,
    lesion: bool = True,
    training: bool = False,
) -> Volume:
    """Read a subject onto the working grid: :func:`read_scan`, then :func:`preprocess`."""
    scan = read_scan(subject, config.modalities, rule, lesion=lesion)
    return preprocess(scan, config, training=training)


def training_slices(scan: Scan, config: PreprocessingConfig) -> TrainingSlices:
    """Bring the slices that are fit to learn from to the working grid, and no other.

    A slice is healthy when it holds brain (a share above ``min_brain_fraction`` of the slice's area) and no
    lesion voxel on the scan's own grid: a lesion that resizing lost still makes its slice unhealthy.

    Parameters
    ----------
    scan : Scan
        With its lesion mask.
    config : PreprocessingConfig
        As for :func:`preprocess`, whose slices (``training`` set) these are.

    Raises
    ------
    UserError
        When the scan has no lesion mask, so that nobody knows which slices are healthy; and as
        :func:`preprocess`.
    """
    if scan.lesion is None:
        raise UserError(
            f"subject {scan.subject.id}: no lesion mask, so its healthy slices are not known: a mask, or "
            "the data set's option missing_mask: healthy, wanted for training"
        )
    placed = _placed(scan, config, training=True)
    share = placed.brain.mean(axis=(0, 1))
    ill = grid.turned(scan.lesion, placed.native).any(axis=(0, 1))
    numbers = np.flatnonzero((share > config.min_brain_fraction) & ~ill)
    return TrainingSlices(placed.brain.shape[2], numbers, _images(scan, placed, config, numbers))


def to_native(values: NDArray[Any], volume: Volume) -> NDArray[np.float32]:
    """Bring a map (X, Y, Z) from the working grid back to the scan's own grid, float32.

    Linear in the plane; padding is cut off and axes are turned back, so that the result has the file's own
    shape and overlays on it.

    Raises
    ------
    UserError
        When the map does not have the working grid's shape.
    """
    _require_shape(values, volume)
    return grid.map_to_native(values, volume.native)


def mask_to_native(mask: NDArray[np.bool_], volume: Volume) -> NDArray[np.bool_]:
    """Bring a mask (X, Y, Z) from the working grid back to the scan's own grid, bool ("nearest-exact").

    Raises
    ------
    UserError
        When the mask does not have the working grid's shape.
    """
    _require_shape(mask, volume)
    return grid.mask_to_native(mask, volume.native)


def save_map(values: NDArray[Any], volume: Volume, path: Path) -> None:
    """Write a map (X, Y, Z) of the working grid as float32 NIfTI on the scan's own grid, atomically.

    Raises
    ------
    UserError
        When the name does not end in ``.nii.gz``, the shape is another, or the file cannot be written.
    """
    write_nifti(path, to_native(values, volume), volume.native.affine)


def _require_shape(values: NDArray[Any], volume: Volume) -> None:
    if values.shape != volume.shape:
        raise UserError(
            f"subject {volume.subject}: array of shape {values.shape}, {volume.shape} wanted"
        )
