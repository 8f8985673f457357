"""From the published layout of Shifts-MS to one folder a patient: links, or copies; nothing is moved.

The layout (Malinin et al., arXiv 2206.15407): ``<root>/<set>/<split>/<kind>/<n>_<KIND>_isovox.nii.gz``, and
``<n>_isovox_fg_mask.nii.gz``. Passed over are the split ``unsupervised``, which has no masks, and the masks of single
raters (folders and files with ``indiv`` in their name).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.executor import Failure
from andi_bench.files import sweep, whole_folder
from datasets.adapters.folder import Progress
from datasets.adapters.shifts import SETS
from datasets.prepare.step import FoundSubject, StepOutcome

KINDS = {
    "flair": "flair", "t1": "t1", "t1ce": "t1ce", "t2": "t2", "pd": "pd", "gt": "seg",
    "fg_mask": "fg_mask",
}  # fmt: skip
"""Names of the published folders, and what this project calls their content."""

_LAYOUT = "<set>/<split>/<kind>/<n>_<KIND>_isovox.nii.gz"
_IMAGE = re.compile(r"^(?P<n>.+?)_(?P<kind>flair|t1|t1ce|t2|pd|gt)_isovox\.nii(\.gz)?$", re.I)
_FOREGROUND = re.compile(r"^(?P<n>.+?)_isovox_(?P<kind>fg_mask)\.nii(\.gz)?$", re.I)


@dataclass(frozen=True)
class RawShifts:
    """What was found in the published layout.

    Parameters
    ----------
    subjects : tuple of FoundSubject
        Sorted by id, ``<set>_<split>_<n>``.
    failures : tuple of Failure
        Subjects with two files of one kind.
    strange : tuple of Path
        Files in folders of a known kind whose names are not understood.
    """

    subjects: tuple[FoundSubject, ...]
    failures: tuple[Failure, ...]
    strange: tuple[Path, ...]


def kind_of(file: str) -> tuple[str, str] | None:
    """Return a published file's number and kind, None for a name of another pattern."""
    found = _IMAGE.match(file) or _FOREGROUND.match(file)
    if found is None or "indiv" in file.lower():
        return None
    return found["n"], KINDS[found["kind"].lower()]


def find_raw(root: Path) -> RawShifts:
    """Look for the patients below a folder of the published layout, or one above it (both parts side by side).

    Raises
    ------
    UserError
        When the folder cannot be read, or there is no patient.
    """
    files: dict[str, dict[str, list[Path]]] = {}
    strange = []
    try:
        places = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
        for folder in places:
            for collection in _folders(folder):
                if collection.name.lower() not in SETS:
                    continue
                for split in _folders(collection):
                    if split.name.lower() == "unsupervised":
                        continue
                    for kind in _folders(split):
                        if kind.name.lower() not in KINDS:
                            continue
                        for path in sorted(kind.iterdir()):
                            named = kind_of(path.name)
                            if named is None or named[1] != KINDS[kind.name.lower()]:
                                if not path.name.startswith("."):
                                    strange.append(path)
                                continue
                            subject = f"{collection.name.lower()}_{split.name}_{named[0]}"
                            files.setdefault(subject, {}).setdefault(named[1], []).append(path)
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
        ordered = {kind: kinds[kind][0] for kind in KINDS.values() if kind in kinds}
        subjects.append(FoundSubject(subject, ordered))
    return RawShifts(tuple(subjects), tuple(failures), tuple(strange))


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
        Told how far it has come.
    """
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
        named = [(kind_of(path.name), path) for path in sorted(entry.iterdir())]
        files = {kind[1]: path for kind, path in named if kind is not None}
        found.append(FoundSubject(entry.name, {k: files[k] for k in KINDS.values() if k in files}))
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
        strangers = sorted(name for name in found if kind_of(name) is None)
        if strangers:
            raise UserError(
                f"{target} holds '{strangers[0]}', which is no file of Shifts-MS: left alone"
            )
        if found.keys() == wanted.keys() and all(
            _same(found[name], path, copy) for name, path in wanted.items()
        ):
            return False
    with whole_folder(target) as folder:
        for name, path in wanted.items():
            if copy:
                shutil.copy2(path, folder / name)  # with its time, by which it is known again
            else:
                (folder / name).symlink_to(path)
    return True


def _same(found: Path, wanted: Path, copy: bool) -> bool:
    if found.is_symlink() or not copy:
        return not copy and found.is_symlink() and found.readlink() == wanted
    one, other = found.stat(), wanted.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
