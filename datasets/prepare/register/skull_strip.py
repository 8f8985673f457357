"""Skull-stripping where it is missing: a brain mask that is given, or a rough one derived from the scan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.prepare.check.subject_files import Checked
from datasets.scans.brain import LARGEST_BRAIN_ML
from datasets.scans.nifti import NiftiScan, write_nifti
from datasets.scans.quantiles import positive_quantile
from datasets.scans.scan import read_mask

PLAUSIBLE_ML = (600.0, 2200.0)
"""A derived mask of another volume is refused."""
OPENING_MM = 5.0
"""Bridges between brain and scalp up to about twice this are cut."""


@dataclass
class Stripped:
    """A subject with nothing but brain in it.

    Parameters
    ----------
    checked : Checked
        With images that are 0 outside the brain.
    written : dict of str to Path
        New files by modality; {} where nothing had to be done.
    how : str
        What was done, for the sidecar.
    warnings : list of str
        What a person should look at.
    """

    checked: Checked
    written: dict[str, Path] = field(default_factory=dict)
    how: str = ""
    warnings: list[str] = field(default_factory=list)


def is_stripped(checked: Checked) -> bool:
    """Whether what stands out of the background can be a brain, by its volume.

    A head is told from a brain by size alone: intensities differ between scanners, and a stripped brain may touch the
    border of its image as a head does. A thin slab of a head, or an infant's, passes for a brain.
    """
    return checked.millilitres(checked.brain) <= LARGEST_BRAIN_ML


def strip(checked: Checked, brain: Path | None, folder: Path, subject: str) -> Stripped:
    """Set a subject's images to 0 outside the brain, where that is not done yet.

    Parameters
    ----------
    checked : Checked
        The subject as read.
    brain : Path or None
        A brain mask on the images' grid: above 0.5 is brain.
    folder : Path
        Where the images are written, as ``<subject>_<modality>.nii.gz``.
    subject : str
        Its id.

    Raises
    ------
    UserError
        For a brain mask that is empty or on another grid, and for a derived one that is no brain by its volume.
    """
    first = next(iter(checked.images.values()))
    warnings: list[str] = []
    if brain is not None:
        mask = np.asarray(read_mask(brain, subject, first).values > 0.5)
        if not mask.any():
            raise UserError(f"{brain}: an empty brain mask")
        how = "written: brain mask applied"
    else:
        derived, warnings = brain_for(checked)
        if derived is None:
            return Stripped(checked)
        mask, how = derived, "written: derived brain mask applied"
    if checked.lesion is not None and checked.lesion.any():
        outside = float((checked.lesion & ~mask).sum() / checked.lesion.sum())
        if outside > 0.05:
            warnings.append(f"{outside:.0%} of the lesion mask lies outside the brain mask")
    written: dict[str, Path] = {}
    images: dict[str, NiftiScan] = {}
    for name, scan in checked.images.items():
        path = folder / f"{subject}_{name}.nii.gz"
        values = np.where(mask, scan.values, 0).astype(np.float32)
        if not (values > 0).any():
            raise UserError(f"{scan.path}: nothing above 0 inside the brain mask")
        scan.path.unlink()  # our own link or copy
        write_nifti(path, values, scan.affine)
        written[name] = path
        images[name] = NiftiScan(path, values, scan.affine)
    stripped = replace(checked, images=images, brain=mask)
    return Stripped(stripped, written, how, warnings)


def brain_for(checked: Checked) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Return a derived brain mask and the warning that goes with it; None for a scan that is skull-stripped.

    Raises
    ------
    UserError
        When the scan is a head, and what is derived from it is no brain by its volume.
    """
    if is_stripped(checked):
        return None, []
    found = checked.millilitres(checked.brain)
    mask = derive_brain(checked)
    volume = checked.millilitres(mask)
    if not PLAUSIBLE_ML[0] <= volume <= PLAUSIBLE_ML[1]:
        first = next(iter(checked.images.values()))
        raise UserError(
            f"{first.path.parent}: not skull-stripped ({found:.0f} ml above the background), and the mask derived "
            f"from it has {volume:.0f} ml, which is no brain: skull-stripped scans or a brain mask wanted"
        )
    warning = (
        f"not skull-stripped ({found:.0f} ml above the background): a rough brain mask of {volume:.0f} ml was "
        "derived; look at it, or give a brain mask"
    )
    return mask, [warning]


def derive_brain(checked: Checked) -> NDArray[np.bool_]:
    """Derive a rough brain mask, bool (X, Y, Z), from a scan of a whole head.

    Tissue by Otsu's threshold, opened by :data:`OPENING_MM` so that the brain comes loose from the scalp, the
    component with the most volume around the head's middle, grown back, closed and filled.

    Raises
    ------
    UserError
        When nothing is left after the opening.
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    mean = np.zeros(checked.brain.shape, dtype=np.float32)
    for scan in checked.images.values():
        flat = scan.values.ravel("F")
        scale = positive_quantile(flat[flat > 0], 0.99)
        mean += np.clip(scan.values / np.float32(scale), 0, 1) / len(checked.images)
    mean = ndimage.gaussian_filter(mean, [1.0 / edge for edge in checked.spacing])
    tissue = mean > threshold_otsu(mean[checked.brain])
    inside = ndimage.distance_transform_edt(tissue, sampling=checked.spacing)
    labels, count = ndimage.label(inside > OPENING_MM)
    if count == 0:
        first = next(iter(checked.images.values()))
        raise UserError(
            f"{first.path.parent}: not skull-stripped, and no brain could be told from the head: skull-stripped scans "
            "or a brain mask wanted"
        )
    # The brain is in the middle of the head; the neck, which may hold as much, is not.
    centre = np.array(ndimage.center_of_mass(checked.brain))
    reach = np.array([60.0 / edge for edge in checked.spacing])
    axes = np.ogrid[tuple(slice(n) for n in labels.shape)]
    near = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, reach, strict=True)) < 1
    sizes = np.bincount(labels[near], minlength=count + 1)
    sizes[0] = 0
    core = labels == (sizes.argmax() if sizes.any() else np.bincount(labels.flat)[1:].argmax() + 1)
    apart = ndimage.distance_transform_edt(~core, sampling=checked.spacing)
    grown = (apart <= OPENING_MM + 1.0) & checked.brain
    return np.asarray(ndimage.binary_fill_holes(grown))
