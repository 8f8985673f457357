"""Own scans, brought to a template: one modality is registered, the others go along by their own affines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.names import BRAIN, MASK
from datasets.prepare.check.subject_files import Checked, image_of_contrast
from datasets.prepare.register.affine import resample_to
from datasets.prepare.register.carrying import Unregistered, carry_to_template
from datasets.prepare.register.registration_template import RegistrationTemplate, read_template
from datasets.prepare.register.skull_strip import brain_for
from datasets.prepare.sidecar import PreparedFile, RegistrationRecord
from datasets.scans.brain import brain_of
from datasets.scans.foreground import relative_to_background
from datasets.scans.lesion_mask import LesionRule, ignored_voxels, lesion_voxels
from datasets.scans.nifti import NiftiScan, file_notes, read_nifti
from datasets.volume import MODALITIES

MOVING = ("t1", "t1ce", "t2", "flair")
"""What is registered to the template, a T1: the first of these that is there."""
TOGETHER = 0.8
"""Least Dice of two modalities' brains, in the world, for them to count as co-registered."""


@dataclass
class Registered:
    """A subject on the template's grid.

    Parameters
    ----------
    files : dict of str to PreparedFile
        The new files, by kind; the old ones are gone.
    record : RegistrationRecord or None
        The registration; None where a file is at fault.
    warnings : list of str
        What a person should look at, beside the registration's own warning.
    problems : list of str
        One line each for a file at fault; then nothing was registered.
    """

    files: dict[str, PreparedFile] = field(default_factory=dict)
    record: RegistrationRecord | None = None
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@lru_cache(maxsize=1)
def template_at(path: Path | None) -> RegistrationTemplate:
    """Return a template, read once a process; None: the ICBM T1 that nilearn ships."""
    return read_template(path)


def register_own_scans(
    subject: str,
    folder: Path,
    files: Mapping[str, Path],
    rule: LesionRule,
    template: RegistrationTemplate,
) -> Registered:
    """Register a subject's T1 (or the first modality there is) to a template and carry all else along.

    The modalities may lie on different grids, as a scanner leaves them, but in one world: they are not registered to
    one another, and where their brains lie apart a warning says so.

    Parameters
    ----------
    subject : str
        Its id.
    folder : Path
        Holds the files, which are replaced by ``<subject>_<kind>.nii.gz``.
    files : mapping of str to Path
        By modality, ``mask`` and ``brain``.
    rule : LesionRule
        What the mask's values mean.
    template : RegistrationTemplate
        Where to.

    Raises
    ------
    UserError
        When no brain can be told from the head, or nothing overlaps with the template.
    """
    out = Registered()
    scans: dict[str, NiftiScan] = {}
    labels: dict[str, NDArray[np.float32]] = {}
    for kind in sorted(files, key=lambda kind: kind != BRAIN):  # it tells the images' background
        try:
            if kind in MODALITIES:
                stored = image_of_contrast(files[kind], subject)
                scans[kind] = relative_to_background(stored, _given(stored, scans.get(BRAIN)))
            else:
                scans[kind] = read_nifti(files[kind])
            if kind == MASK:
                labels[kind] = _labels(scans[kind], rule)
            elif kind == BRAIN:
                labels[kind] = (scans[kind].values > 0.5).astype(np.float32)
        except UserError as error:
            out.problems.append(str(error))
    scans = {kind: scans[kind] for kind in files if kind in scans}
    if out.problems:
        return out
    out.warnings += file_notes(scans.values())
    moving = next(name for name in MOVING if name in scans)
    first = scans[moving]
    brain, applied, found = _brain(first, scans.get(BRAIN))
    out.warnings += found
    if not applied:
        out.warnings += _apart(moving, first, scans)
    registered = np.where(brain, first.values, 0)
    whole = Unregistered(subject, scans, labels, moving, registered, brain if applied else None)
    out.files, out.record = carry_to_template(whole, template, folder)
    return out


def _given(scan: NiftiScan, brain: NiftiScan | None) -> NDArray[np.bool_] | None:
    """Return the brain mask that is given on an image's grid; None where there is none, or it lies elsewhere."""
    if brain is None:
        return None
    mask = _on_grid_of(scan, brain.values > 0.5, brain)
    return mask if mask.any() else None


def _labels(mask: NiftiScan, rule: LesionRule) -> NDArray[np.float32]:
    """Return what is carried of a lesion mask: 1 where lesion is; as :func:`carried_rule` says."""
    out = lesion_voxels(mask, rule).astype(np.float32)
    ignored = ignored_voxels(mask, rule)
    if ignored is not None:
        out[ignored] = 2.0
    return out


def carried_rule(rule: LesionRule) -> LesionRule:
    """Return what a registered mask's values mean: 1 lesion, 2 to be ignored where any label is."""
    if rule.ignore_labels:
        return LesionRule(lesion_labels=(1,), ignore_labels=(2,))
    return LesionRule()


def _brain(scan: NiftiScan, given: NiftiScan | None) -> tuple[NDArray[np.bool_], bool, list[str]]:
    """Return the brain of the image that is registered, whether the images need it applied, and warnings."""
    if given is not None:
        mask = _on_grid_of(scan, given.values > 0.5, given)
        if not mask.any():
            raise UserError(f"{given.path}: nothing of this brain mask lies in {scan.path.name}")
        return mask, True, []
    alone = Checked({"image": scan}, None, brain_of(scan.affine, scan.values), {})
    derived, warnings = brain_for(alone)
    return (alone.brain, False, []) if derived is None else (derived, True, warnings)


def _apart(moving: str, first: NiftiScan, scans: Mapping[str, NiftiScan]) -> list[str]:
    reference = brain_of(first.affine, first.values)
    out = []
    for name, scan in scans.items():
        if name == moving or name not in MODALITIES:
            continue
        other = _on_grid_of(first, brain_of(scan.affine, scan.values), scan)
        dice = 2 * np.count_nonzero(other & reference) / (other.sum() + reference.sum())
        if dice < TOGETHER:
            out.append(
                f"the brains of {name} and {moving} overlap with a Dice of {dice:.2f} in the world: scans that are "
                "registered to one another wanted"
            )
    return out


def _on_grid_of(target: NiftiScan, mask: NDArray[np.bool_], scan: NiftiScan) -> NDArray[np.bool_]:
    """Bring a scan's mask onto another scan's grid, the two worlds taken as one."""
    moved = resample_to(
        mask, scan.affine, np.eye(4), target.values.shape, target.affine, nearest=True
    )
    return np.asarray(moved, dtype=bool)
