"""A subject's files become a volume on the working grid: one path for training and scoring.

Steps, in this order, each named in the configuration: brain mask (of the images as they are, so that it depends on no
choice), bias field, normalisation, working grid. By default as ANDi does (Frotscher et al., arXiv 2312.01904): no bias
field, each modality divided by the 99th percentile of its foreground at native resolution, axial slices resized
bilinearly with antialiasing, masks "nearest-exact". Orientation, padding, the brain mask and the refusals are this
project's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.geometry import voxel_sizes
from andi_bench.names import counted
from datasets.scans import bias_field, crop, grid
from datasets.scans.brain import BRAIN_QUANTILE
from datasets.scans.lost_lesions import lesion_loss
from datasets.scans.nifti import write_nifti
from datasets.scans.normalisation import normalised
from datasets.scans.scan import Scan
from datasets.volume import NativeGrid, Volume

VERSION = 1
"""Raised when the same files would give other slices: stored slices are then built again."""


def preprocessing_revision(config: PreprocessingConfig) -> dict[str, Any]:
    """Return what a result depends on beside :data:`VERSION` and the configuration; {} by default.

    Once the brain moved with ``quantile``; what was made so, with another quantile than the brain's own, is not found
    again.
    """
    out: dict[str, Any] = {}
    if config.published and config.quantile != BRAIN_QUANTILE:
        out["brain_quantile"] = BRAIN_QUANTILE
    if config.bias != "none" and bias_field.VERSION != 1:
        out["bias_version"] = bias_field.VERSION
    if config.crop != "none" and crop.VERSION != 1:
        out["crop_version"] = crop.VERSION
    return out


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
class _Intensities:
    """A scan's images on its own grid, and what they are still to be divided by on the working grid."""

    images: list[NDArray[Any]]
    scales: list[float]


@dataclass(frozen=True)
class _Placed:
    """Where a scan comes to lie on the working grid: its plan, its brain there, and its images before that."""

    intensities: _Intensities
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
        Grid, bias field, normalisation, clip.
    training : bool
        Whether the volume gives training slices. Only then may the lesion mask touch the normalisation
        (``p99-off-lesion``): a scan to be scored is normalised without it.

    Returns
    -------
    Volume
        Whose ``image`` is a view with the slices' own memory order, not C-contiguous.

    Raises
    ------
    UserError
        When no brain is found, or a modality cannot be normalised.
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
        ignore=_ignored(scan, placed.native, config.size),
        notes=(*scan.notes, *_wider(scan, placed, config)),
    )


def changed_before_resizing(
    scan: Scan,
    config: PreprocessingConfig,
    modality: str,
    change: Callable[[NDArray[Any]], NDArray[np.floating]],
) -> NDArray[np.float32]:
    """Change a modality on the scan's own grid, its bias field taken out where that is asked for, and resize the result.

    Parameters
    ----------
    scan : Scan
        As read.
    config : PreprocessingConfig
        Grid and bias field; the normalisation is left to ``change``.
    modality, change
        See :class:`datasets.volume.BeforeResizing`.

    Returns
    -------
    float32 (X, Y, Z)
        On the working grid.

    Raises
    ------
    UserError
        When no brain is found.
    """
    native = _grid_of(scan, config)[0]
    place = scan.modalities.index(modality)
    image = scan.images[place]
    if config.bias != "none":
        field = None if scan.log_bias is None else (scan.log_bias[place],)
        image = unbiased(replace(scan, images=[image], log_bias=field)).images[0]
    foreground = image > 0
    changed = np.zeros(image.shape, dtype=np.float32, order="F")
    changed[foreground] = change(image[foreground])
    return grid.to_working(changed, native, config.size, extent=scan.extent)


def working_brain(scan: Scan, config: PreprocessingConfig) -> NDArray[np.bool_]:
    """Return a scan's brain mask on the working grid, bool (X, Y, Z), as :func:`preprocess` has it.

    Raises
    ------
    UserError
        When no brain is found.
    """
    return _grid_of(scan, config)[2]


def _wider(scan: Scan, placed: _Placed, config: PreprocessingConfig) -> list[str]:
    """Say that a brain is larger than the field of view, so that its voxels are larger than those of others."""
    if config.field_of_view is None:
        return []
    plane = max(voxel_sizes(placed.affine)[:2]) * config.size
    if plane < config.field_of_view + max(scan.spacing):
        return []
    return [
        f"subject {scan.subject.id}: brain of {plane:.0f} mm, field of view of {config.field_of_view:g} mm: its plane "
        "was made larger"
    ]


def _ignored(scan: Scan, native: NativeGrid, size: int) -> NDArray[np.bool_] | None:
    if scan.ignore is None:
        return None
    found = grid.mask_to_working(scan.ignore, native, size)
    return found if found.any() else None


def _placed(scan: Scan, config: PreprocessingConfig, training: bool) -> _Placed:
    native, affine, small = _grid_of(scan, config)
    return _Placed(_intensities(scan, config, training), native, affine, small)


def _grid_of(
    scan: Scan, config: PreprocessingConfig
) -> tuple[NativeGrid, NDArray[np.float64], NDArray[np.bool_]]:
    """Return where a scan comes to lie on the working grid, that grid's affine, and its brain there."""
    brain = scan.brain()
    if not brain.any():
        raise UserError(
            f"subject {scan.subject.id}: no brain found in {', '.join(scan.modalities)}"
        )
    x, y, z = scan.images[0].shape
    native, affine = grid.plan((x, y, z), scan.affine, config.size, config.field_of_view, brain)
    small = grid.mask_to_working(brain, native, config.size)
    if not small.any():
        raise UserError(
            f"subject {scan.subject.id}: its brain of {counted(int(np.count_nonzero(brain)), 'voxel')} has none on the working grid "
            f"({config.size}x{config.size}x{small.shape[2]}): 1 or more wanted"
        )
    return native, affine, small


def _intensities(scan: Scan, config: PreprocessingConfig, training: bool) -> _Intensities:
    if config.bias != "none":
        scan = unbiased(scan)
    if config.published:
        off_lesion = training and config.normalisation == "p99-off-lesion"
        return _Intensities(scan.images, scan.scales(config.quantile, off_lesion=off_lesion))
    images: list[NDArray[Any]] = []
    for name, image in zip(scan.modalities, scan.images, strict=True):
        # before resizing: at the brain's rim tissue then fades into the background, as it does in the scan
        whole = np.zeros(image.shape, dtype=np.float32, order="F")
        whole[scan.extent] = normalised(image[scan.extent], name, config, scan.subject.id)
        images.append(whole)
    return _Intensities(images, [1.0] * len(images))


def unbiased(scan: Scan) -> Scan:
    """Return a scan whose modalities are divided by their bias fields, estimated here where they are not known."""
    fields = scan.log_bias or [bias_field.log_bias_field(i, scan.spacing) for i in scan.images]
    images: list[NDArray[Any]] = [
        bias_field.corrected(image, scan.spacing, field)
        for image, field in zip(scan.images, fields, strict=True)
    ]
    return replace(scan, images=images)


def _images(
    scan: Scan,
    placed: _Placed,
    config: PreprocessingConfig,
    slices: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    depth = placed.brain.shape[2] if slices is None else len(slices)
    # (C, Z, Y, X) in memory, as resizing leaves it; only the order of the axes is another.
    image = np.empty((len(scan.images), depth, config.size, config.size), dtype=np.float32)
    image = image.transpose(0, 3, 2, 1)
    found = placed.intensities
    for channel, raw, scale in zip(image, found.images, found.scales, strict=True):
        resized = grid.to_working(raw, placed.native, config.size, slices, scan.extent)
        np.multiply(resized, np.float32(1 / scale), out=channel)
    if config.published and config.clip is not None:
        np.minimum(image, np.float32(config.clip), out=image)
    return image


def training_slices(scan: Scan, config: PreprocessingConfig) -> TrainingSlices:
    """Bring the slices that are fit to learn from to the working grid, and no other.

    A slice is healthy when it holds brain (a share above ``min_brain_fraction`` of the slice's area) and no
    lesion or ignored voxel on the scan's own grid: a lesion that resizing lost still makes its slice unhealthy.

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
    unhealthy = scan.unhealthy
    if unhealthy is None:
        raise UserError(
            f"subject {scan.subject.id}: no lesion mask, so its healthy slices are not known: a mask, or "
            "the data set's option missing_mask: healthy, wanted for training"
        )
    placed = _placed(scan, config, training=True)
    share = placed.brain.mean(axis=(0, 1))
    lesioned = grid.turned(unhealthy, placed.native).any(axis=(0, 1))
    numbers = np.flatnonzero((share > config.min_brain_fraction) & ~lesioned)
    return TrainingSlices(placed.brain.shape[2], numbers, _images(scan, placed, config, numbers))


def save_map(values: NDArray[Any], volume: Volume, path: Path) -> None:
    """Write a map (X, Y, Z) of the working grid as float32 NIfTI on the scan's own grid, atomically.

    Linear in the plane; padding is cut off and axes are turned back, so that the result has the file's own
    shape and overlays on it.

    Raises
    ------
    UserError
        When the name does not end in ``.nii.gz``, the shape is another, or the file cannot be written.
    """
    if values.shape != volume.shape:
        raise UserError(
            f"subject {volume.subject}: array of shape {values.shape}, {volume.shape} wanted"
        )
    write_nifti(path, grid.map_to_native(values, volume.native), volume.native.affine)
