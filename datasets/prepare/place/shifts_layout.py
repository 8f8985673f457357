"""From the published layout of Shifts-MS to one folder a patient: links, or copies; nothing is moved.

The layout (Malinin et al., arXiv 2206.15407): ``<root>/<set>/<split>/<kind>/<n>_<KIND>_isovox.nii.gz``, and
``<n>_isovox_fg_mask.nii.gz``. Passed over are the split ``unsupervised``, which has no masks, and the masks of single
raters (folders and files with ``indiv`` in their name).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.files import links_work, sweep, whole_folder
from datasets.adapters.base import Progress
from datasets.adapters.shifts import SETS
from datasets.names import SHIFTS, shifts_kind
from datasets.prepare.step import FoundSubject, StepOutcome
from datasets.scans.fingerprints import file_hash

_LAYOUT = "<set>/<split>/<kind>/<n>_<KIND>_isovox.nii.gz"


@dataclass(frozen=True)
class RawShifts:
    """What was found in the published layout.

    Parameters
    ----------
    subjects : tuple of FoundSubject
        Sorted by id, ``<set>_<split>_<n>``.
    failures : tuple of Failure
        Subjects with two files of one kind.
    unknown : tuple of Path
        Files in folders of a known kind whose names are not understood.
    """

    subjects: tuple[FoundSubject, ...]
    failures: tuple[Failure, ...]
    unknown: tuple[Path, ...]


def find_raw(root: Path) -> RawShifts:
    """Look for the patients below a folder of the published layout, or one above it (both parts side by side).

    Raises
    ------
    UserError
        When the folder cannot be read, or there is no patient.
    """
    files: dict[str, dict[str, list[Path]]] = {}
    unknown = []
    try:
        for kind, folder in _kind_folders(root):
            split = folder.parent
            for path in sorted(folder.iterdir()):
                named = shifts_kind(path.name)
                if named is not None and named[1] == kind:
                    subject = f"{split.parent.name.lower()}_{split.name}_{named[0]}"
                    files.setdefault(subject, {}).setdefault(kind, []).append(path)
                elif not path.name.startswith("."):
                    unknown.append(path)
    except OSError as error:
        raise UserError(f"{root}: cannot be read ({error.strerror or error})") from error
    if not files:
        raise UserError(
            f"{root}: no patient of Shifts-MS as it is unpacked: {_LAYOUT} wanted, with the sets {', '.join(SETS)}"
        )
    subjects, failures = [], []
    for subject, kinds in sorted(files.items()):
        twice = next((paths for paths in kinds.values() if len(paths) > 1), None)
        if twice is not None:
            failures.append(Failure(subject, f"{twice[0]} and {twice[1]}: one of them wanted"))
            continue
        ordered = {kind: kinds[kind][0] for kind in SHIFTS.values() if kind in kinds}
        gone = next((path for path in ordered.values() if not path.is_file()), None)
        if gone is not None:
            why = "a link to nothing" if gone.is_symlink() else "not a regular file"
            failures.append(Failure(subject, f"{gone}: cannot be read ({why})"))
            continue
        subjects.append(FoundSubject(subject, ordered))
    return RawShifts(tuple(subjects), tuple(failures), tuple(unknown))


def _kind_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Iterate over kinds and folders ``<set>/<split>/<kind>`` below a folder or the folders in it."""
    for place in [root, *sorted(path for path in root.iterdir() if path.is_dir())]:
        for hospital in _folders(place):
            if hospital.name.lower() not in SETS:
                continue
            for split in _folders(hospital):
                if split.name.lower() == "unsupervised":
                    continue
                for folder in _folders(split):
                    if folder.name.lower() in SHIFTS:
                        yield SHIFTS[folder.name.lower()], folder


def organise(
    raw: RawShifts, output: Path, *, copy: bool = False, progress: Progress | None = None
) -> StepOutcome:
    """Lay patients out as ``<output>/<set>_<split>_<n>/``, files named as published.

    Parameters
    ----------
    raw : RawShifts
        From :func:`find_raw`.
    output : Path
        Made if need be.
    copy : bool
        Copy files; else link to them (symbolic), which needs no space.
    progress : callable or None
        Called as it comes along.

    Raises
    ------
    UserError
        When links are wanted and the file system has none.
    """
    output.mkdir(parents=True, exist_ok=True)
    if not copy and not links_work(output):
        raise UserError(
            f"{output}: its file system has no symbolic links: --copy copies the files instead"
        )
    sweep(output)
    made: list[str] = []
    kept: list[str] = []
    failures = list(raw.failures)
    for done, subject in enumerate(raw.subjects, start=1):
        try:
            (made if _lay_out(subject, output / subject.id, copy) else kept).append(subject.id)
        except UserError as error:
            failures.append(Failure(subject.id, str(error)))
        if progress is not None:
            progress("organising", done, len(raw.subjects))
    failures.sort(key=lambda failure: failure.subject)
    return StepOutcome(tuple(made), tuple(kept), tuple(failures))


def organised_subjects(folder: Path) -> list[FoundSubject]:
    """Return the patients that :func:`organise` laid out, sorted.

    Raises
    ------
    UserError
        When there are none.
    """
    found = []
    for entry in _folders(folder) if folder.is_dir() else []:
        if entry.name.startswith("."):
            continue
        named = [(shifts_kind(path.name), path) for path in sorted(entry.iterdir())]
        files = {kind[1]: path for kind, path in named if kind is not None}
        found.append(FoundSubject(entry.name, {k: files[k] for k in SHIFTS.values() if k in files}))
    if not found:
        raise UserError(f"{folder}: no organised patient: the step organise wanted first")
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and "indiv" not in path.name.lower()
    )


def _lay_out(subject: FoundSubject, target: Path, copy: bool) -> bool:
    wanted = {path.name: path.resolve() for path in subject.files.values()}
    if target.is_dir():
        found = {path.name: path for path in target.iterdir()}
        others = sorted(name for name in found if shifts_kind(name) is None)
        if others:
            raise UserError(
                f"{target} holds '{others[0]}', which is no file of Shifts-MS: left alone"
            )
        if found.keys() == wanted.keys() and all(
            _same(found[name], path, copy) for name, path in wanted.items()
        ):
            return False
    with whole_folder(target) as folder:
        for name, path in wanted.items():
            if copy:
                shutil.copy2(path, folder / name)
            else:
                (folder / name).symlink_to(path)
    return True


def _same(found: Path, wanted: Path, copy: bool) -> bool:
    if found.is_symlink() or not copy:
        return not copy and found.is_symlink() and found.readlink() == wanted
    # By their bytes: size and time may have been kept when the file was corrected.
    return found.stat().st_size == wanted.stat().st_size and file_hash(found) == file_hash(wanted)
