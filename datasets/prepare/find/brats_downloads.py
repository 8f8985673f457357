"""BraTS as it is downloaded: which files are whose, in the naming of any year."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from andi_bench.errors import UserError
from datasets.names import BRATS, MASK
from datasets.persons import person_of
from datasets.prepare.find.grouping import passed_over
from datasets.prepare.find.sources import Finding, find_files
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.volume import MODALITIES

_NAME = re.compile(
    rf"^(?P<id>[A-Za-z0-9][A-Za-z0-9._-]*?)[_-](?P<kind>{'|'.join(BRATS)})\.nii(\.gz)?$",
    re.IGNORECASE,
)
_MISNAMED = re.compile(r"seg(m|mentation)?\.nii(\.gz)?$", re.IGNORECASE)
"""``W39_1998.09.19_Segm.nii``, the mask of BraTS20_Training_355, for one."""


def gather(sources: Sequence[Path], unpacked: Path, output: Path) -> Gathered:
    """Find the subjects of BraTS in folders and archives.

    Parameters
    ----------
    sources : sequence of Path
        As downloaded.
    unpacked : Path
        Folder of our own for what has to be unpacked.
    output : Path
        Not looked into.

    Raises
    ------
    UserError
        For a source that does not exist.
    """
    found = find_files(sources, unpacked, skip=output)
    return sort_out(found)


def sort_out(found: Finding) -> Gathered:
    """Group files by subject; the name of a file decides, not the folder it lies in."""
    out = Gathered(problems=list(found.problems))
    files: dict[str, dict[str, SourceFile]] = {}
    warnings: dict[str, list[str]] = {}
    others: list[SourceFile] = []
    refused: set[str] = set()
    left: list[SourceFile] = []
    for file in found.files:
        match = _NAME.match(file.path.name)
        if match is None:
            others.append(file)
            continue
        _add(files, match["id"], BRATS[match["kind"].lower()], file, refused, out)
    for file in others:
        subject = next((p for p in reversed(file.path.parts[:-1]) if p in files), None)
        if subject and MASK not in files[subject] and _MISNAMED.search(file.path.name):
            files[subject][MASK] = file
            warnings.setdefault(subject, []).append(f"mask '{file.path.name}' is named otherwise")
        else:
            left.append(file)
    out.notes += passed_over(left, "its name is not one of BraTS")
    for name in sorted(files):
        if name in refused:
            continue
        ordered = {kind: files[name][kind] for kind in (*MODALITIES, MASK) if kind in files[name]}
        apart = _two_folders(name, files[name])
        if apart is not None:
            out.problems.append(apart)
            continue
        whose = person_of(name)
        lines = tuple(warnings.get(name, ()))
        out.subjects.append(Incoming(name, ordered, whose, warnings=lines))
    return _with_other_formats(out, found)


def _add(
    files: dict[str, dict[str, SourceFile]],
    subject: str,
    kind: str,
    file: SourceFile,
    refused: set[str],
    out: Gathered,
) -> None:
    mine = files.setdefault(subject, {})
    other = mine.setdefault(kind, file)
    if other is file:
        return
    try:
        # The download offers some subjects twice: in the large tar, and in one of their own.
        same = other.size == file.size and _digest(other) == _digest(file)
    except (OSError, UserError) as error:
        same = False
        out.notes.append(f"{file.label}: cannot be compared with {other.label} ({error})")
    if same:
        out.notes.append(f"{file.label}: the same file as {other.label}")
    elif subject not in refused:
        refused.add(subject)
        out.problems.append(
            f"{subject}: {other.label} and {file.label} are both its {kind}, and differ: one of them wanted"
        )


def _two_folders(subject: str, files: dict[str, SourceFile]) -> str | None:
    """Return a line where images of one name lie in two folders of that name: of two sites, for one."""
    places: dict[str, tuple[str, SourceFile]] = {}
    for kind, file in files.items():
        folder = file.path.parent
        if kind in MODALITIES and folder.name == subject:
            places.setdefault(f"{file.origin}:{folder}", (kind, file))
    if len(places) < 2:
        return None
    (one, first), (other, second) = list(places.values())[:2]
    return (
        f"{subject}: its {one} ({first.label}) and its {other} ({second.label}) lie in two folders of that name, so they "
        "may be two subjects: one folder, or names of their own by --csv, wanted"
    )


def _digest(file: SourceFile) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    with file.open() as source:
        while chunk := source.read(1 << 20):
            state.update(chunk)
    return state.digest()


def _with_other_formats(out: Gathered, found: Finding) -> Gathered:
    """Say of a subject that lacks a modality which file of another format bears its name."""
    others = [(Path(label.rsplit(": ", 1)[-1]).name.lower(), label) for label in found.others]
    for place, subject in enumerate(out.subjects):
        for kind in (m for m in MODALITIES if m not in subject.files):
            words = [word for word, meaning in BRATS.items() if meaning == kind]
            stems = tuple(f"{subject.id}{s}{word}.".lower() for word in words for s in "_-")
            label = next((label for name, label in others if name.startswith(stems)), None)
            if label is not None:
                hint = f"{label}: not named .nii or .nii.gz, so it is not taken for {kind}"
                subject = replace(subject, warnings=(*subject.warnings, hint))
        out.subjects[place] = subject
    return out
