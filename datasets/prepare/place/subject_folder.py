"""One subject, from its files as found to a folder of the data set: whole, checked, with its sidecar, or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from andi_bench.errors import UserError
from andi_bench.files import whole_folder, write_atomically
from datasets.adapters.folder import MASK
from datasets.prepare.check.subject_files import BRAIN, Checked, check_subject
from datasets.prepare.found import Incoming, SourceFile
from datasets.scans.fingerprints import file_hash
from datasets.scans.lesion_mask import LesionRule
from datasets.volume import MODALITIES

SIDECAR = "prepared.json"
_ENDINGS = {MASK: "seg"}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a full disk, a full quota, a file beyond its limit."""


@dataclass(frozen=True)
class Recipe:
    """What is done to every subject.

    Parameters
    ----------
    copy : bool
        Copy files of a folder instead of linking to them.
    rule : LesionRule
        What a mask's values may be.
    strip : bool
        Whether a brain mask is applied where one is given, and derived where a scan is not skull-stripped.
    wanted : tuple of str
        Modalities without which a subject is refused.
    register : bool
        Whether subjects are brought to a template.
    template : Path or None
        Its file; None: the ICBM T1 that nilearn ships.
    """

    copy: bool = False
    rule: LesionRule = field(default_factory=LesionRule)
    strip: bool = False
    wanted: tuple[str, ...] = ()
    register: bool = False
    template: Path | None = None

    def description(self) -> dict[str, Any]:
        """Return what makes two preparations of the same files differ."""
        registered: str | None = None
        if self.register:
            registered = "ICBM" if self.template is None else file_hash(self.template)
        return {
            "registered to": registered,
            "files": "copies" if self.copy else "links",
            "labels": self.rule.model_dump(mode="json"),
            "strip": self.strip,
            "wanted": list(self.wanted),
        }


@dataclass(frozen=True)
class Task:
    """One subject's work, as it is sent to a process."""

    subject: Incoming
    output: Path
    recipe: Recipe

    @property
    def id(self) -> str:
        """The subject's id."""
        return self.subject.id


@dataclass(frozen=True)
class Placed:
    """What became of a subject.

    Parameters
    ----------
    id : str
        The subject.
    problems : tuple of str
        One line each; () for a subject that is prepared.
    full : bool
        Whether the disk was full.
    """

    id: str
    problems: tuple[str, ...] = ()
    full: bool = False


class _Refused(Exception):
    """A subject's files are at fault: its folder is not to appear."""


def place_subject(task: Task) -> Placed:
    """Bring a subject into the output: under a hidden name, checked there, then renamed.

    Nothing is raised for what is wrong with the files: it is in what is returned.
    """
    subject, output = task.subject, task.output
    partial: Path | None = None
    problems: list[str] = []
    try:
        missing = [name for name in task.recipe.wanted if name not in subject.files]
        if missing:
            there = ", ".join(subject.files) or "nothing"
            line = f"{', '.join(missing)} missing ({there} found)"
            return Placed(subject.id, ("; ".join([line, *subject.warnings]),))
        with whole_folder(output / subject.id) as partial:
            try:
                problems = _fill(partial, subject, task.recipe)
            except OSError as error:
                raise UserError(f"{error.filename or output}: {error.strerror or error}") from error
            if problems:
                raise _Refused
    except _Refused:
        return Placed(subject.id, tuple(_relabelled(p, partial, subject) for p in problems))
    except UserError as error:
        full = isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL
        return Placed(subject.id, (_relabelled(str(error), partial, subject),), full)
    except MemoryError:
        return Placed(subject.id, ("not enough memory: fewer --workers may help",))
    for file in subject.files.values():
        if file.kind == "unpacked":
            file.container.unlink(missing_ok=True)
    return Placed(subject.id)


def _fill(folder: Path, subject: Incoming, recipe: Recipe) -> list[str]:
    warnings = list(subject.warnings)
    placed: dict[str, Path] = {}
    how: dict[str, str] = {}
    problems: list[str] = []
    copy = recipe.copy and not recipe.register  # what is registered is written anew
    for kind, file in subject.files.items():
        try:
            placed[kind], how[kind] = _bring(file, folder / _stem(subject.id, kind), copy)
        except UserError as error:
            problems.append(str(error))
            continue
        if placed[kind].suffix.lower() != file.path.suffix.lower():
            what = "compressed" if placed[kind].suffix == ".gz" else "not compressed"
            warnings.append(f"{file.label} is {what}, whatever its ending says")
    if recipe.register and not problems:
        from datasets.prepare.register.own_scans_to_template import bring_to_template, template_at

        origins = {kind: file.label for kind, file in subject.files.items()}
        brought = bring_to_template(
            subject.id, folder, placed, origins, recipe.rule, template_at(recipe.template)
        )
        if brought.problems:
            return brought.problems
        placed = brought.files
        how = dict.fromkeys(placed, "written: registered to the template")
        warnings += brought.warnings
    images = {name: placed[name] for name in MODALITIES if name in placed}
    checked, found = check_subject(
        subject.id, images, placed.get(MASK), recipe.rule, healthy=subject.healthy
    )
    problems += found
    if problems or checked is None:
        return problems
    if recipe.strip and not recipe.register:
        from datasets.prepare.register.skull_strip import strip

        stripped = strip(checked, placed.get(BRAIN), folder, subject.id)
        warnings += stripped.warnings
        checked = stripped.checked
        how.update(dict.fromkeys(stripped.written, stripped.how))
        for name, path in stripped.written.items():
            if placed[name] != path:
                placed[name].unlink(missing_ok=True)
            placed[name] = path
    if MASK not in placed and subject.healthy:
        from datasets.scans.nifti import write_nifti

        placed[MASK] = folder / f"{_stem(subject.id, MASK)}.nii.gz"
        assert checked.lesion is not None
        write_nifti(placed[MASK], checked.lesion.astype(np.float32), checked.affine)
        how[MASK] = "written: no lesion"
    _write_sidecar(folder, subject, checked, placed, how, [*warnings, *checked.warnings])
    return []


def _stem(subject: str, kind: str) -> str:
    return f"{subject}_{_ENDINGS.get(kind, kind)}"


def _bring(file: SourceFile, stem: Path, copy: bool) -> tuple[Path, str]:
    try:
        with file.open() as source:
            compressed = source.read(2) == b"\x1f\x8b"
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{file.label}: damaged in the archive ({error})") from error
    target = stem.with_name(stem.name + (".nii.gz" if compressed else ".nii"))
    if file.kind == "unpacked":
        try:
            # A second name for the same bytes: a kill before the folder is whole loses nothing.
            os.link(file.container, target)
        except OSError:  # a file system without such names
            file.copy(target)
        return target, "unpacked"
    if file.kind == "file" and not copy:
        target.symlink_to(file.container)
        return target, "link"
    file.copy(target)
    return target, "copy" if file.kind == "file" else "unpacked"


def _write_sidecar(
    folder: Path,
    subject: Incoming,
    checked: Checked,
    placed: dict[str, Path],
    how: dict[str, str],
    warnings: list[str],
) -> None:
    files = {}
    for kind, path in placed.items():
        source = subject.files.get(kind)
        files[kind] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "how": how[kind],
            "from": source.label if source else "",
            "stamp": source.stamp if source else "",
        }
    content = {
        "subject": subject.id,
        "person": subject.person or subject.id,
        "files": files,
        "voxels": checked.hashes,
        "facts": checked.facts(),
        "attributes": subject.attributes,
        "part": subject.part,
        "warnings": warnings,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_atomically(folder / SIDECAR, text.encode())


def _relabelled(line: str, partial: Path | None, subject: Incoming) -> str:
    """Return a line that names the user's files instead of our hidden copies, and the subject not twice."""
    line = line.removeprefix(f"subject {subject.id}: ").replace(f" (subject {subject.id})", "")
    if partial is None:
        return line
    sources = {_stem(subject.id, kind): file for kind, file in subject.files.items()}
    if not sources:
        return line
    names = "|".join(re.escape(stem) for stem in sources)

    def of_user(found: re.Match[str]) -> str:
        file = sources[found["stem"]]
        return file.label if found["folder"] else file.path.name

    folder = re.escape(f"{partial}/")
    line = re.sub(rf"(?P<folder>{folder})?(?P<stem>{names})\.nii(\.gz)?", of_user, line)
    one = next(iter(subject.files.values()))
    where = str(one.container.parent) if one.kind == "file" else one.label.rsplit("/", 1)[0]
    return line.replace(str(partial), where)


def read_sidecar(folder: Path) -> dict[str, Any] | None:
    """Return the sidecar of a prepared subject; None where the folder is not whole.

    Every file that it names must be there, of the size it says.
    """
    try:
        found = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
        whole = all(
            (folder / entry["file"]).stat().st_size == entry["bytes"]
            for entry in found["files"].values()
        )
        return found if whole and found["subject"] == folder.name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_done(subject: Incoming, sidecar: dict[str, Any] | None) -> bool:
    """Whether a subject is prepared already, from these very files."""
    if sidecar is None:
        return False
    done = {k: entry["stamp"] for k, entry in sidecar["files"].items() if entry["from"]}
    return done == {k: file.stamp for k, file in subject.files.items()}
