"""Own scans, brought to a template: one modality is registered, the others go along by their own affines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from datasets.adapters.folder import MASK
from datasets.prepare import sidecar
from datasets.prepare.check.subject_files import BRAIN, Checked, read_image
from datasets.prepare.register.affine import register_affine, resample, resample_to
from datasets.prepare.register.registration_facts import registration_record
from datasets.prepare.register.registration_template import RegistrationTemplate, read_template
from datasets.prepare.register.skull_strip import brain_for
from datasets.scans.brain import brain_of
from datasets.scans.fingerprints import file_hash
from datasets.scans.lesion_mask import LesionRule, lesion_voxels
from datasets.scans.nifti import NiftiScan, read_nifti, write_nifti
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
    files : dict of str to Path
        The new files, by kind; the old ones are gone.
    warnings : list of str
        What a person should look at.
    problems : list of str
        One line each for a file at fault; then nothing was registered.
    """

    files: dict[str, Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@lru_cache(maxsize=1)
def template_at(path: Path | None) -> RegistrationTemplate:
    """Return a template, read once a process; None: the ICBM T1 that nilearn ships."""
    return read_template(path)


def bring_to_template(
    subject: str,
    folder: Path,
    files: Mapping[str, Path],
    origins: Mapping[str, str],
    rule: LesionRule,
    template: RegistrationTemplate,
) -> Registered:
    """Register a subject's T1 (or the first modality there is) to a template and carry all else along.

    The modalities may lie on different grids, as a scanner leaves them, but in one world: they are not registered to
    one another, and where their brains lie apart a warning says so. Each file is interpolated once.

    Parameters
    ----------
    subject : str
        Its id.
    folder : Path
        Holds the files, which are replaced by ``<subject>_<kind>.nii.gz``; ``preparation.json`` is written beside.
    files : mapping of str to Path
        By modality, ``mask`` and ``brain``.
    origins : mapping of str to str
        Where each comes from, for ``preparation.json``.
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
    for kind, path in files.items():
        try:
            scans[kind] = read_image(path, subject) if kind in MODALITIES else read_nifti(path)
            if kind == MASK:
                lesion_voxels(scans[kind], rule)
        except UserError as error:
            out.problems.append(str(error))
    if out.problems:
        return out
    moving = next(name for name in MOVING if name in scans)
    first = scans[moving]
    brain, applied, out.warnings = _brain(first, scans.get(BRAIN))
    found = register_affine(np.where(brain, first.values, 0), first.affine, template)
    record = registration_record(found, template, moving)
    if record.warning:
        out.warnings.append(record.warning)
    if not applied:
        out.warnings += _apart(moving, first, scans)
    kept = (
        resample(brain, first.affine, found.to_template, template, nearest=True)
        if applied
        else None
    )
    sources = {}
    for kind, scan in scans.items():
        name = f"{subject}_{'seg' if kind == MASK else kind}.nii.gz"
        mask = kind in (MASK, BRAIN)
        values = scan.values
        if kind == MASK:
            values = lesion_voxels(scan, rule)
        elif kind == BRAIN:
            values = scan.values > 0.5
        brought = resample(values, scan.affine, found.to_template, template, nearest=mask)
        if kept is not None and not mask:
            brought = np.where(kept, brought, 0)
        described = sidecar.source_file(scan, file_hash(files[kind]), name)
        sources["seg" if kind == MASK else kind] = described.model_copy(
            update={"path": origins[kind]}
        )
        files[kind].unlink()
        write_nifti(folder / name, brought.astype(np.float32), template.affine)
        out.files[kind] = folder / name
    sidecar.Preparation(
        subject=subject, sources=sources, registration=record, matching=None,
        versions=sidecar.versions(),
    ).write(folder)  # fmt: skip
    return out


def _brain(scan: NiftiScan, given: NiftiScan | None) -> tuple[NDArray[np.bool_], bool, list[str]]:
    """Return the brain of the image that is registered, whether the images need it applied, and warnings."""
    if given is not None:
        mask = resample_to(
            given.values > 0.5,
            given.affine,
            np.eye(4),
            scan.values.shape,
            scan.affine,
            nearest=True,
        )
        if not mask.any():
            raise UserError(f"{given.path}: nothing of this brain mask lies in {scan.path.name}")
        return np.asarray(mask, dtype=bool), True, []
    alone = Checked({"image": scan}, None, brain_of(scan.affine, scan.values), {})
    derived, warnings = brain_for(alone)
    return (alone.brain, False, []) if derived is None else (derived, True, warnings)


def _apart(moving: str, first: NiftiScan, scans: Mapping[str, NiftiScan]) -> list[str]:
    reference = brain_of(first.affine, first.values)
    out = []
    for name, scan in scans.items():
        if name == moving or name not in MODALITIES:
            continue
        other = resample_to(
            brain_of(scan.affine, scan.values), scan.affine, np.eye(4), first.values.shape,
            first.affine, nearest=True,
        )  # fmt: skip
        dice = 2 * np.count_nonzero(other & reference) / (other.sum() + reference.sum())
        if dice < TOGETHER:
            out.append(
                f"the brains of {name} and {moving} overlap with a Dice of {dice:.2f} in the world: scans that are "
                "registered to one another wanted"
            )
    return out
