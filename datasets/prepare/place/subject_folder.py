"""One subject, from its files as found to a folder of the data set: whole, checked, with its sidecar, or not at all."""

from __future__ import annotations

import errno
import os
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from andi_bench.errors import UserError
from andi_bench.files import links_work, whole_folder
from datasets.names import BRAIN, MASK, file_stem, is_of_2023
from datasets.prepare.check.subject_files import Checked, check_subject
from datasets.prepare.found import Incoming, SourceFile
from datasets.prepare.made_with import noted
from datasets.prepare.sidecar import (
    WRITTEN,
    Original,
    Preparation,
    PreparedFile,
    RegistrationRecord,
    versions,
)
from datasets.scans.fingerprints import file_hash
from datasets.scans.lesion_mask import LesionRule, brats_cavity_rule, labels_of
from datasets.scans.nifti import read_nifti, write_nifti
from datasets.volume import MODALITIES

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
    brats : bool
        Whether masks are BraTS's, whose label 4 is a resection cavity where 3 is enhancing tumour.
    """

    copy: bool = False
    rule: LesionRule = field(default_factory=LesionRule)
    strip: bool = False
    wanted: tuple[str, ...] = ()
    register: bool = False
    template: Path | None = None
    brats: bool = False

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


@dataclass
class _Contents:
    """What lies in a subject's folder so far."""

    folder: Path
    subject: Incoming
    paths: dict[str, Path] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    originals: dict[str, Original | None] = field(default_factory=dict)
    registration: RegistrationRecord | None = None
    warnings: list[str] = field(default_factory=list)

    def put(self, kind: str, path: Path, how: str) -> None:
        """Note a file; one of another name that was the kind's before is removed."""
        before = self.paths.get(kind, path)
        if before != path:
            before.unlink(missing_ok=True)
        self.paths[kind], self.how[kind] = path, how

    def write_sidecar(self, checked: Checked, labels: LesionRule | None) -> None:
        """Write ``preparation.json``, with what was said of the mask's labels: the folder is whole then."""
        files = {}
        for kind, path in self.paths.items():
            source = self.subject.files.get(kind)
            files[kind] = PreparedFile(
                file=path.name,
                path=source.label if source else "",
                how=self.how[kind],
                bytes=path.stat().st_size,
                stamp=source.stamp if source else "",
                changed=source.changed if source else "",
                hash=file_hash(source.container) if source and source.kind == "file" else "",
                voxels=checked.hashes.get(kind, ""),
                original=self.originals.get(kind),
            )
        made = any(way.startswith(WRITTEN) for kind, way in self.how.items() if kind in MODALITIES)
        found = Preparation(
            subject=self.subject.id,
            person=self.subject.person or self.subject.id,
            part=self.subject.part,
            attributes=self.subject.attributes,
            files=files,
            facts=checked.facts(),
            labels=labels,
            registration=self.registration,
            warnings=(*self.warnings, *checked.warnings),
            versions=versions() if self.registration is not None else {},
        )
        (noted(found) if made else found).write(self.folder)


def _fill(folder: Path, subject: Incoming, recipe: Recipe) -> list[str]:
    """Fill a subject's folder; return a line for each file at fault."""
    contents = _Contents(folder, subject, warnings=list(subject.warnings))
    # What is registered is written by us: a link will do until then.
    passing = recipe.register and links_work(folder)
    problems = _bring_all(contents, copy=not passing if recipe.register else recipe.copy)
    if recipe.register and not problems:
        problems = _register(contents, recipe)
        if problems:
            return problems
    paths = contents.paths
    images = {name: paths[name] for name in MODALITIES if name in paths}
    rule = _rule(contents, recipe)
    checked, found = check_subject(
        subject.id,
        images,
        paths.get(MASK),
        rule,
        healthy=subject.healthy,
        brain=paths.get(BRAIN) if recipe.strip and not recipe.register else None,
    )
    problems += found
    if problems or checked is None:
        return problems
    if recipe.strip and not recipe.register:
        checked = _strip(contents, checked)
    if MASK not in paths and subject.healthy:
        path = folder / f"{file_stem(subject.id, MASK)}.nii.gz"
        assert checked.lesion is not None
        write_nifti(path, checked.lesion.astype(np.float32), checked.affine)
        contents.put(MASK, path, "written: no lesion")
    said = rule.ignore_labels or (rule.lesion_labels is not None and not recipe.brats)
    contents.write_sidecar(checked, rule if said else None)
    return []


def _rule(contents: _Contents, recipe: Recipe) -> LesionRule:
    """Return what the values of a subject's mask mean, as it lies in the folder."""
    if recipe.register:
        from datasets.prepare.register.own_scans_to_template import carried_rule

        return carried_rule(recipe.rule)
    mask = contents.paths.get(MASK)
    if not recipe.brats or mask is None:
        return recipe.rule
    try:
        labels = labels_of(read_nifti(mask)) or ()
    except UserError:  # it is told when it is checked
        return recipe.rule
    later = 3 in labels or is_of_2023(contents.subject.files[MASK].path.name)
    return brats_cavity_rule() if 4 in labels and later else recipe.rule


def _bring_all(contents: _Contents, *, copy: bool) -> list[str]:
    problems = []
    for kind, file in contents.subject.files.items():
        stem = contents.folder / file_stem(contents.subject.id, kind)
        try:
            path, how = _bring(file, stem, copy)
        except UserError as error:
            problems.append(str(error))
            continue
        contents.put(kind, path, how)
        if path.suffix.lower() != file.path.suffix.lower():
            what = "compressed" if path.suffix == ".gz" else "not compressed"
            contents.warnings.append(f"{file.label} is {what}, whatever its ending says")
    return problems


def _register(contents: _Contents, recipe: Recipe) -> list[str]:
    from datasets.prepare.register.own_scans_to_template import register_own_scans, template_at

    folder = contents.folder
    done = register_own_scans(
        contents.subject.id, folder, contents.paths, recipe.rule, template_at(recipe.template)
    )
    for kind, file in done.files.items():
        contents.put(kind, folder / file.file, file.how)
        contents.originals[kind] = file.original
    contents.registration = done.record
    contents.warnings += done.warnings
    return done.problems


def _strip(contents: _Contents, checked: Checked) -> Checked:
    from datasets.prepare.register.skull_strip import strip

    brain = contents.paths.get(BRAIN)
    stripped = strip(checked, brain, contents.folder, contents.subject.id)
    for name, path in stripped.written.items():
        contents.put(name, path, stripped.how)
    contents.warnings += stripped.warnings
    return stripped.checked


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


def _relabelled(line: str, partial: Path | None, subject: Incoming) -> str:
    """Return a line that names the user's files instead of our hidden copies, and the subject once."""
    line = line.removeprefix(f"subject {subject.id}: ").replace(f" (subject {subject.id})", "")
    if partial is None:
        return line
    sources = {file_stem(subject.id, kind): file for kind, file in subject.files.items()}
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
