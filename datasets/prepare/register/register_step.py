"""The step that brings each subject to the template: the T1 is registered, all else goes along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.files import sweep, whole_folder
from datasets.adapters.base import Progress
from datasets.names import FOREGROUND, MASK
from datasets.prepare.check.exchanged import exchanged
from datasets.prepare.made_with import current_reading
from datasets.prepare.register.carrying import Unregistered, carry_to_template
from datasets.prepare.register.registration_template import RegistrationTemplate
from datasets.prepare.sidecar import Preparation, read_preparation, versions
from datasets.prepare.step import FoundSubject, StepOutcome, made_unless_current, run_step
from datasets.scans.brain import brain_of
from datasets.scans.fingerprints import file_hash
from datasets.scans.lesion_mask import LesionRule, lesion_voxels
from datasets.scans.nifti import NiftiScan, read_nifti, require_same_grid, turned_along
from datasets.scans.scan import read_image

MASKS = (MASK, FOREGROUND)
"""Kinds that are carried by nearest neighbour, with their labels; all others linearly."""


def register_subject(
    subject: FoundSubject, target: Path, template: RegistrationTemplate
) -> Preparation:
    """Bring one patient to a template, by the T1: ``<target>/<id>_<kind>.nii.gz`` and the sidecar, whole or not at all.

    Parameters
    ----------
    subject : FoundSubject
        The files, all on one grid.
    target : Path
        The patient's folder; replaced if it is there.
    template : RegistrationTemplate
        Where to.

    Raises
    ------
    UserError
        For a missing, damaged or empty file, grids that differ, a registration that finds no overlap, and a folder
        that cannot be written.
    """
    if "t1" not in subject.files:
        there = ", ".join(subject.files) or "none"
        raise UserError(f"no t1 file, which registration needs ({there} found)")
    # All are read before the one is registered: a damaged file costs no time.
    scans = {kind: _read(path, kind) for kind, path in subject.files.items()}
    first = scans["t1"]
    for kind, scan in scans.items():
        scans[kind] = turned_along(scan, first.values.shape, first.affine)
        require_same_grid(subject.id, first, scans[kind])
    images = {kind: scan for kind, scan in scans.items() if kind not in MASKS}
    labels = {kind: mask_labels(scan) for kind, scan in scans.items() if kind in MASKS}
    line = exchanged(images, brain_of(first.affine, first.values))
    with whole_folder(target) as folder:
        found = Unregistered(subject.id, scans, labels, "t1", first.values)
        files, record = carry_to_template(found, template, folder)
        preparation = Preparation(
            subject=subject.id,
            person=subject.id,
            files=files,
            registration=record,
            warnings=() if line is None else (line,),
            versions=versions(),
        )
        preparation.write(folder)
    return preparation


@dataclass(frozen=True)
class _Register:
    output: Path
    template: RegistrationTemplate

    def __call__(self, subject: FoundSubject) -> bool:
        target = self.output / subject.id
        return made_unless_current(
            target,
            lambda found: self._current(found, subject, target),
            lambda: register_subject(subject, target, self.template),
        )

    def _current(self, found: Preparation, subject: FoundSubject, target: Path) -> bool:
        """Whether a prepared patient comes from these very files, and is all there."""
        originals = {kind: file.original for kind, file in found.files.items()}
        same = (
            found.registration is not None
            and found.registration.template_hash == self.template.hash
            and originals.keys() == subject.files.keys()
            and all((target / file.file).is_file() for file in found.files.values())
            and all(
                original is not None and original.hash == file_hash(subject.files[kind])
                for kind, original in originals.items()
            )
        )
        images = [path for kind, path in subject.files.items() if kind not in MASKS]
        return same and current_reading(found, images, target)


def register(
    subjects: Sequence[FoundSubject],
    output: Path,
    template: RegistrationTemplate,
    *,
    replace: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> StepOutcome:
    """Bring all subjects to a template; finished ones are found again, those whose files changed are redone.

    Parameters
    ----------
    subjects : sequence of FoundSubject
        Before.
    output : Path
        Folder of the registered subjects' folders.
    template : RegistrationTemplate
        Where to.
    replace : bool
        Whether subjects that were registered to another template may be replaced.
    workers : int or None
        Processes.
    progress : callable or None
        Called as it comes along.

    Raises
    ------
    UserError
        When the folder holds subjects registered to another template, and ``replace`` is not set.
    """
    sweep(output)
    if not replace:
        for subject in subjects:
            try:
                found = read_preparation(output / subject.id)
            except UserError:  # this one's own line comes when its turn does
                continue
            known = found.registration if found is not None else None
            if known is not None and known.template_hash != template.hash:
                raise UserError(
                    f"{output / subject.id} was registered to another template ({known.template}, not "
                    f"{template.name}): name that one, another output folder, or --replace"
                )
    return run_step("registering", _Register(output, template), subjects, workers, progress)


def _read(path: Path, kind: str) -> NiftiScan:
    """Read a file; an image that shows nothing is no scan, a mask that does is a healthy person's."""
    return read_nifti(path) if kind in MASKS else read_image(path, path.parent.name)


def mask_labels(scan: NiftiScan) -> NDArray[np.uint8]:
    """Return a mask's labels, uint8; of one that was resampled, what is above a half."""
    lesion = lesion_voxels(scan, LesionRule())
    labels = np.rint(scan.values[lesion])
    if labels.size and (labels.max() > 255 or np.abs(labels - scan.values[lesion]).max() > 1e-3):
        return lesion.astype(np.uint8)
    out = np.zeros(lesion.shape, dtype=np.uint8, order="F")
    out[lesion] = labels
    return out
