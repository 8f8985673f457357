"""A subject's files, verified: what is wrong with them, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.geometry import voxel_sizes
from datasets.prepare.check.exchanged import exchanged
from datasets.prepare.sidecar import Facts, Intensities
from datasets.scans import grid
from datasets.scans.brain import brain_of
from datasets.scans.fingerprints import scan_hash
from datasets.scans.foreground import relative_to_background
from datasets.scans.lesion_mask import LesionRule, ignored_voxels, lesion_voxels
from datasets.scans.nifti import (
    NiftiScan,
    file_notes,
    read_nifti,
    require_same_grid,
    turned_along,
)
from datasets.scans.scan import has_few_values, read_mask, require_contrast

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
"""Of each modality's foreground; the last one is what the benchmark divides by."""


@dataclass
class Checked:
    """A subject whose files are sound.

    Parameters
    ----------
    images : dict of str to NiftiScan
        By modality.
    lesion : bool (X, Y, Z) or None
        The lesion mask; None where there is none.
    brain : bool (X, Y, Z)
        Everything that is not background, filled: the brain, if the scan is skull-stripped.
    hashes : dict of str to str
        Of each image's voxels.
    ignore : bool (X, Y, Z) or None
        Voxels that count for nobody; None where there are none.
    """

    images: dict[str, NiftiScan]
    lesion: NDArray[np.bool_] | None
    brain: NDArray[np.bool_]
    hashes: dict[str, str]
    labels: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    ignore: NDArray[np.bool_] | None = None

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to world, mm."""
        return next(iter(self.images.values())).affine

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edges, mm."""
        return voxel_sizes(self.affine)

    def millilitres(self, mask: NDArray[np.bool_]) -> float:
        """Return the volume of a mask."""
        return round(float(np.count_nonzero(mask)) * float(np.prod(self.spacing)) / 1000, 4)

    def facts(self) -> Facts:
        """Return what the data report says of a subject."""
        first = next(iter(self.images.values()))
        x, y, z = first.values.shape
        native, _ = grid.plan((x, y, z), first.affine, 128)
        there = np.asarray(grid.turned(self.brain, native).any(axis=(0, 1)))
        lesioned = np.zeros_like(there)
        if self.lesion is not None:
            unhealthy = self.lesion if self.ignore is None else self.lesion | self.ignore
            lesioned = np.asarray(grid.turned(unhealthy, native).any(axis=(0, 1)))
        width, depth, height = (round(edge, 4) for edge in self.spacing)
        return Facts(
            shape=(x, y, z),
            spacing_mm=(width, depth, height),
            brain_ml=self.millilitres(self.brain),
            lesion_ml=None if self.lesion is None else self.millilitres(self.lesion),
            labels_ml=self.labels,
            brain_slices=int(there.sum()),
            healthy_slices=None if self.lesion is None else int((there & ~lesioned).sum()),
            intensities={name: _intensities(scan) for name, scan in self.images.items()},
        )


def check_subject(
    subject: str,
    files: Mapping[str, Path],
    mask: Path | None,
    rule: LesionRule,
    *,
    healthy: bool = False,
    brain: Path | None = None,
) -> tuple[Checked | None, list[str]]:
    """Read every file of a subject to its last byte and check it.

    Parameters
    ----------
    subject : str
        Its id.
    files : mapping of modality to Path
        The images.
    mask : Path or None
        The lesion mask.
    rule : LesionRule
        What the mask's values may be and mean.
    healthy : bool
        Whether a subject without a mask is known to have no lesion.
    brain : Path or None
        A brain mask that is given: it says what is foreground.

    Returns
    -------
    checked : Checked or None
        None where anything is wrong.
    problems : list of str
        One line for each file at fault.
    """
    files_read = _read(subject, files, mask, brain)
    images, lesion_file, problems = files_read.images, files_read.mask, files_read.problems
    first = next(iter(images.values()), None)
    if first is None:
        return None, problems
    problems += _same_voxels(images, files_read.hashes)
    lesion = ignore = None
    if lesion_file is not None:
        try:
            lesion = lesion_voxels(lesion_file, rule)
            ignore = ignored_voxels(lesion_file, rule)
        except UserError as error:
            problems.append(str(error))
    elif healthy:
        lesion = np.zeros(first.values.shape, dtype=bool)
    if problems:
        return None, problems
    found = brain_of(first.affine, *(scan.values for scan in images.values()))
    if not found.any():
        return None, [f"{first.path.parent}: no brain found in {', '.join(images)}"]
    checked = Checked(images, lesion, found, files_read.hashes, ignore=ignore)
    if lesion_file is not None:
        checked.labels = _labels(lesion_file, checked)
    every = [*images.values(), *([] if lesion_file is None else [lesion_file])]
    checked.warnings += file_notes(every)
    checked.warnings += _warnings(checked)
    return checked, []


@dataclass
class _Read:
    """What can be read of a subject's files, and a line for each file at fault."""

    images: dict[str, NiftiScan] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    mask: NiftiScan | None = None
    problems: list[str] = field(default_factory=list)


def _read(subject: str, files: Mapping[str, Path], mask: Path | None, brain: Path | None) -> _Read:
    """Read the images and the lesion mask, all turned as the first image runs."""
    out = _Read()
    first: NiftiScan | None = None
    given: NDArray[np.bool_] | None = None
    for name, path in files.items():
        try:
            stored = image_of_contrast(path, subject)
            out.hashes[name] = scan_hash(stored)
            if first is None:
                first = stored
                given = None if brain is None else _brain(brain, subject, first, out.problems)
            else:
                stored = _on_grid_of(first, stored, subject)
            out.images[name] = relative_to_background(stored, given)
        except UserError as error:
            out.problems.append(str(error))
    if mask is not None:
        try:
            file = read_nifti(mask)
            out.mask = file if first is None else _on_grid_of(first, file, subject)
        except UserError as error:
            out.problems.append(str(error))
    return out


def _brain(
    path: Path, subject: str, first: NiftiScan, problems: list[str]
) -> NDArray[np.bool_] | None:
    """Return the brain mask that is given; None where it is at fault, which is a line among the problems."""
    try:
        mask = np.asarray(read_mask(path, subject, first).values > 0.5)
        if mask.any():
            return mask
        problems.append(f"{path}: an empty brain mask")
    except UserError as error:
        problems.append(str(error))
    return None


def _on_grid_of(first: NiftiScan, file: NiftiScan, subject: str) -> NiftiScan:
    turned = turned_along(file, first.values.shape, first.affine)
    require_same_grid(subject, first, turned)
    return turned


def _same_voxels(images: Mapping[str, NiftiScan], hashes: Mapping[str, str]) -> list[str]:
    return [
        f"{images[other].path}: the same voxels as {images[one].path.name}: {one} and {other} wanted"
        for one, other in combinations(images, 2)
        if hashes[one] == hashes[other]
    ]


def image_of_contrast(path: Path, subject: str) -> NiftiScan:
    """Read one modality as it is stored.

    Raises
    ------
    UserError
        For a file that cannot be read, shows nothing, or is a mask.
    """
    scan = read_nifti(path)
    require_contrast(scan, subject)
    if has_few_values(scan):
        listed = ", ".join(f"{value:g}" for value in np.unique(scan.values))
        raise UserError(f"{path}: nothing but the values {listed}: a mask, where a scan is wanted")
    return scan


def _labels(file: NiftiScan, checked: Checked) -> dict[str, float]:
    """Return ml by label of a mask of whole numbers, {} for one of probabilities."""
    if file.values.dtype.kind == "f" and np.abs(file.values - np.rint(file.values)).max() > 1e-3:
        return {}
    values = np.rint(file.values).astype(np.int64)
    return {str(k): checked.millilitres(values == k) for k in np.unique(values) if k != 0}


def _intensities(scan: NiftiScan) -> Intensities:
    flat = scan.values.ravel("F")
    foreground = flat[flat > 0]
    found = np.quantile(foreground.astype(np.float64), QUANTILES)
    return Intensities(
        quantiles=tuple(float(f"{value:.6g}") for value in found),
        least=float(f"{float(flat.min()):.6g}"),
        most=float(f"{float(flat.max()):.6g}"),
        negative=round(float((flat < 0).mean()), 6),
    )


def _warnings(checked: Checked) -> list[str]:
    out = []
    spacing = checked.spacing
    if max(spacing) > 8:
        out.append(f"voxels of {'x'.join(f'{edge:.3g}' for edge in spacing)} mm are very large")
    if checked.lesion is not None and checked.lesion.any():
        outside = float((checked.lesion & ~checked.brain).sum() / checked.lesion.sum())
        if outside > 0.1:
            out.append(f"{outside:.0%} of the lesion mask lies outside the brain")
    line = exchanged(checked.images, checked.brain, checked.lesion)
    return out if line is None else [*out, line]
