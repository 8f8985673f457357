"""Where every registration goes through: one image is registered, and all files of its subject go along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.names import file_stem
from datasets.prepare.register.affine import register_affine, resample
from datasets.prepare.register.registration_facts import registration_record
from datasets.prepare.register.registration_template import RegistrationTemplate
from datasets.prepare.sidecar import PreparedFile, RegistrationRecord, original_of
from datasets.scans.fingerprints import file_hash
from datasets.scans.nifti import NiftiScan, write_nifti

HOW = "written: registered to the template"


@dataclass(frozen=True)
class Unregistered:
    """A subject's files as read, each on its own grid, all in one world.

    Parameters
    ----------
    subject : str
        Its id.
    scans : mapping of str to NiftiScan
        By kind.
    labels : mapping of str to (X, Y, Z) array
        Of those kinds that are masks, what is carried, by nearest neighbour; images are carried linearly.
    moving : str
        The kind that is registered.
    registered : (X, Y, Z) array
        Its intensities, without the skull.
    brain : bool (X, Y, Z) or None
        On the grid of ``moving``: outside it images become 0. None where they are skull-stripped.
    """

    subject: str
    scans: Mapping[str, NiftiScan]
    labels: Mapping[str, NDArray[Any]]
    moving: str
    registered: NDArray[Any]
    brain: NDArray[np.bool_] | None = None


def carry_to_template(
    found: Unregistered, template: RegistrationTemplate, folder: Path
) -> tuple[dict[str, PreparedFile], RegistrationRecord]:
    """Bring one subject to a template: ``<folder>/<subject>_<kind>.nii.gz``, each interpolated once.

    A file of ``folder`` itself, a link or a copy, is replaced.

    Parameters
    ----------
    found : Unregistered
        The subject.
    template : RegistrationTemplate
        Where to.
    folder : Path
        Where the files are written.

    Returns
    -------
    files : dict of str to PreparedFile
        By kind.
    record : RegistrationRecord
        The transform and how well it fits.

    Raises
    ------
    UserError
        For a registration that finds no overlap, and a file that cannot be written.
    """
    first = found.scans[found.moving]
    transform = register_affine(found.registered, first.affine, template)

    def brought(values: NDArray[Any], scan: NiftiScan, *, nearest: bool) -> NDArray[Any]:
        return resample(values, scan.affine, transform.to_template, template, nearest=nearest)

    brain = None if found.brain is None else brought(found.brain, first, nearest=True)
    files: dict[str, PreparedFile] = {}
    for kind, scan in found.scans.items():
        name = f"{file_stem(found.subject, kind)}.nii.gz"
        if kind in found.labels:
            values = brought(found.labels[kind], scan, nearest=True)
        else:
            values = brought(scan.values, scan, nearest=False)
            values = values if brain is None else np.where(brain, values, 0)
        files[kind] = PreparedFile(
            file=name,
            path=str(scan.path.resolve()),
            how=HOW,
            original=original_of(scan, file_hash(scan.path)),
        )
        if scan.path.parent == folder:
            scan.path.unlink()
        write_nifti(folder / name, values, template.affine)
    return files, registration_record(transform, template, found.moving)
