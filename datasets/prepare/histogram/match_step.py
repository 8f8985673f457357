"""The step that matches each registered subject's intensities to the reference's, into a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.files import sweep, whole_folder, write_atomically
from datasets.adapters.base import Progress
from datasets.prepare.histogram.brain_quantiles import brain_quantiles, match
from datasets.prepare.made_with import current_reading
from datasets.prepare.sidecar import (
    MatchRecord,
    Preparation,
    Reference,
    read_preparation,
    readable,
    versions,
)
from datasets.prepare.step import FoundSubject, StepOutcome, made_unless_current, run_step
from datasets.scans.fingerprints import file_hash
from datasets.scans.nifti import write_nifti
from datasets.scans.read_otherwise import reading_of_file
from datasets.scans.scan import read_scan
from datasets.subject import Subject
from datasets.volume import MODALITIES

REFERENCE = "reference.json"


def registered_subjects(folder: Path) -> tuple[list[FoundSubject], list[Failure]]:
    """Return the subjects that the step register finished, sorted, and those whose sidecar is damaged.

    Raises
    ------
    UserError
        When there are none.
    """
    out, failures = [], []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        try:
            found = read_preparation(entry)
        except UserError as error:
            failures.append(Failure(entry.name, str(error)))
            continue
        if found is not None:
            files = {kind: entry / file.file for kind, file in found.files.items()}
            out.append(FoundSubject(entry.name, files))
    if not out and not failures:
        raise UserError(f"{folder}: no registered subject: the step register wanted first")
    return out, failures


def match_subject(subject: FoundSubject, target: Path, reference: Reference | None) -> Preparation:
    """Match one registered subject, into ``target``; its registered files are left as they are.

    A subject's own lesion mask is not looked at: it is what detectors are tested on.

    Parameters
    ----------
    subject : FoundSubject
        From :func:`registered_subjects`.
    target : Path
        The subject's folder; replaced if it is there.
    reference : Reference or None
        None: intensities stay as they are, files are hard links (copies where the disk has none).

    Raises
    ------
    UserError
        For a damaged file, or a folder that cannot be written.
    """
    source_folder = next(iter(subject.files.values())).parent
    before = read_preparation(source_folder)
    if before is None:
        raise UserError(
            f"{source_folder} is not from a preparation: the step register wanted first"
        )
    record = None
    with whole_folder(target) as folder:
        matched: dict[str, tuple[float, ...]] = {}
        if reference is not None:
            names = [name for name in MODALITIES if name in subject.files]
            scan = read_scan(Subject(subject.id, subject.files), names, lesion=False)
            brain = scan.brain()
            for name, image in zip(names, scan.images, strict=True):
                if name not in reference.files:
                    continue
                quantiles = tuple(brain_quantiles(image, brain).tolist())
                moved = match(image, quantiles, reference.files[name].values)
                write_nifti(folder / subject.files[name].name, moved, scan.affine)
                matched[name] = quantiles
            record = MatchRecord(reference=reference, source=matched)
        for kind, path in subject.files.items():
            if kind not in matched:
                _link_or_copy(path, folder / path.name)
        after = before.model_copy(update={"matching": record, "versions": versions()})
        after.write(folder)
    return after


def _link_or_copy(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, to)


@dataclass(frozen=True)
class _Match:
    output: Path
    reference: Reference | None

    def __call__(self, subject: FoundSubject) -> bool:
        target = self.output / subject.id
        return made_unless_current(
            target,
            lambda found: self._current(found, subject, target),
            lambda: match_subject(subject, target, self.reference),
        )

    def _current(self, found: Preparation, subject: FoundSubject, target: Path) -> bool:
        before = read_preparation(next(iter(subject.files.values())).parent)
        known = found.matching.reference if found.matching is not None else None
        images = [path for kind, path in subject.files.items() if kind in MODALITIES]
        return (
            before is not None
            and (found.files, found.registration) == (before.files, before.registration)
            and known == self.reference
            and all((target / path.name).is_file() for path in subject.files.values())
            and (known is None or current_reading(found, images, target))
        )


def match_all(
    subjects: Sequence[FoundSubject],
    output: Path,
    reference: Reference | None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> StepOutcome:
    """Match all subjects; finished ones are found again, those registered again are redone.

    Parameters
    ----------
    subjects : sequence of FoundSubject
        From :func:`registered_subjects`.
    output : Path
        Folder of the finished subjects' folders.
    reference : Reference or None
        See :func:`match_subject`.
    workers, progress
        As for :func:`datasets.prepare.step.run_step`.
    """
    sweep(output)
    return run_step("matching", _Match(output, reference), subjects, workers, progress)


def read_reference(root: Path) -> Reference | None:
    """Read the reference that a prepared data set was matched to; None where it was not yet.

    Raises
    ------
    UserError
        When ``reference.json`` is there and cannot be understood.
    """
    path = root / REFERENCE
    try:
        return Reference.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path}: damaged ({first}): delete it to choose a reference again"
        ) from error


def changed_files(reference: Reference) -> list[Path]:
    """Return those files of a reference that hold something else than when its histogram was taken, or are read otherwise.

    A file that is not there any more, or that this machine never had, says nothing: the histogram is kept.
    """
    known = [(Path(file.path), file.hash) for file in reference.files.values()]
    if reference.mask is not None:
        known.append((Path(reference.mask.path), reference.mask.hash))
    changed = [path for path, hash_ in known if path.is_file() and file_hash(path) != hash_]
    images = [(Path(file.path), file.reading) for file in reference.files.values()]
    otherwise = [
        path for path, since in images if path.is_file() and reading_of_file(path) != since
    ]
    return changed + [path for path in otherwise if path not in changed]


def write_reference(root: Path, reference: Reference) -> None:
    """Write ``reference.json``, atomically.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    write_atomically(root / REFERENCE, readable(reference).encode())
