"""The adapter for one folder a subject, files named as in BraTS: the data set ``folder``, and a base for others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.adapters.base import DatasetAdapter
from datasets.adapters.sidecars import Said, read_said
from datasets.names import EXPECTED, MASK, NIFTI, brats_kind, looks_like_mask
from datasets.prepared_root import read_marker, written_lists
from datasets.subject import Subject
from datasets.tables import shape_of
from datasets.volume import MODALITIES

SHOWN = 12
"""Files that were passed over are named up to so many."""


class FolderAdapter(DatasetAdapter):
    """A data set in the layout of BraTS.

    ``<root>/<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz``, also ``.nii``, and the names of BraTS 2023 and later
    (``<id>-{t2f,t1n,t1c,t2w,seg}.nii.gz``). Modalities and masks may be missing. Other names and sites: override
    :meth:`kind_of`, :meth:`site_of` and :meth:`folder`.
    """

    layout: ClassVar[str] = "<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz"

    _unused: tuple[str, ...] = ()

    def folder(self) -> Path:
        """Return the folder that holds the subjects' folders."""
        return self.root

    def site_of(self, subject: str) -> str:
        """Return what a subject's id tells of its scanner or hospital, "" for nothing."""
        return ""

    def kind_of(self, file: str, subject: str) -> str | None:
        """Tell what a file of a subject is by its name.

        Returns
        -------
        str or None
            A modality, ``"mask"``, or None for a file that is passed over.
        """
        return brats_kind(file, subject)

    def find_subjects(self) -> list[Subject]:
        """Return the subjects, one a folder.

        Raises
        ------
        UserError
            When the folder cannot be read or holds no subject, its ``dataset.json`` is damaged, a subject's folder has
            scans of other names alone, two files are the same modality, or a file is a link to nothing or gone though
            the sidecar names it.
        """
        read_marker(self.root)  # cut or garbled it says that the folder is not as it was left
        folder = self.folder()
        found = []
        misnamed: list[Path] = []
        empty: list[Path] = []
        unused: list[str] = []
        for entry in _folders(folder, self.name):
            files = list(_images(entry))
            paths = self._by_kind(entry.name, files)
            said = read_said(entry) if files else Said()
            mask = paths.pop(MASK, None)
            if paths:
                ordered = {name: paths[name] for name in MODALITIES if name in paths}
                found.append(
                    Subject(
                        entry.name,
                        ordered,
                        mask,
                        self.site_of(entry.name),
                        person=said.person if said.person != entry.name else "",
                        labels=said.labels,
                    )
                )
                known = {*ordered.values(), *((mask,) if mask else ())}
                known |= {entry / name for name in (said.files or {}).values()}
                unused += self._passed_over(entry.name, files, known, masked=mask is not None)
            elif files:
                misnamed.append(files[0])
            else:
                empty.append(entry)
        if misnamed:
            # Passed over in silence, a misnamed subject would be missing from every table.
            raise UserError(
                f"data set '{self.name}': {misnamed[0].parent}: no file is named as wanted "
                f"({self.layout}), '{misnamed[0].name}' found ({counted(len(misnamed), 'such folder')})"
            )
        if not found:
            raise UserError(
                f"data set '{self.name}': no subject in {folder}: {self.layout} wanted"
                + self._hint(folder)
            )
        unused += _without_scans(empty, {shape_of(s.id) for s in found})
        self._unused = (*unused, *_loose(folder))
        return found

    def written_lists(self) -> Collection[str] | None:
        """Return the lists that ``dataset.json`` names; None of a folder that ``prepare`` did not make."""
        return written_lists(self.root)

    def notes(self) -> tuple[str, ...]:
        """Return what the split has to say, and what was found in the folder and not understood."""
        notes = super().notes()
        shown = self._unused[:SHOWN]
        more = len(self._unused) - SHOWN
        last = (
            [f"{counted(more, 'more file or folder is', 'more files or folders are')} passed over"]
            if more > 0
            else []
        )
        return (*notes, *shown, *last)

    def expected(self, file: str, subject: str) -> bool:
        """Whether a file that is no scan and no lesion mask is known all the same, such as a brain mask."""
        stem = NIFTI.sub("", file)
        word = stem[len(subject) + 1 :] if stem.startswith(subject) else stem
        return word.lower() in EXPECTED

    def _passed_over(
        self, subject: str, files: Sequence[Path], known: Collection[Path], *, masked: bool
    ) -> list[str]:
        """Name the files of a subject that are nothing we know; of one with a mask, another mask is no news."""
        out = []
        for path in files:
            stem = NIFTI.sub("", path.name)
            word = stem[len(subject) + 1 :].lower() if stem.startswith(subject) else stem.lower()
            if path in known or self.expected(path.name, subject):
                continue
            if looks_like_mask(stem) and not masked:
                out.append(
                    f"{path}: looks like a lesion mask and is not used: name it {subject}_seg.nii.gz, or say what "
                    f"it is by 'prepare folder --pattern ... --modality mask={word}'"
                )
            elif not looks_like_mask(stem):
                out.append(f"{path}: passed over: no file of the layout {self.layout}")
        return out

    def _by_kind(self, subject: str, files: Sequence[Path]) -> dict[str, Path]:
        out: dict[str, Path] = {}
        for path in files:
            kind = self.kind_of(path.name, subject)
            if kind is None:
                continue
            if kind in out:
                raise UserError(
                    f"subject {subject}: '{out[kind].name}' and '{path.name}' are both its {kind}: "
                    f"one wanted ({path.parent})"
                )
            if not path.is_file():
                why = "a link to nothing" if path.is_symlink() else "not a regular file"
                raise UserError(
                    f"subject {subject}: {path}: cannot be read ({why}): its {kind} wanted there, or no such file"
                )
            out[kind] = path
        return out

    def _hint(self, folder: Path) -> str:
        for deeper in _folders(folder, self.name):
            for entry in _folders(deeper, self.name):
                if any(self.kind_of(path.name, entry.name) for path in _images(entry)):
                    return f" (there are subjects in {deeper}: name that folder)"
        return ""


def _folders(folder: Path, dataset: str) -> Iterator[Path]:
    """Iterate over the folders in a folder; a link to a folder that is gone is refused."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"data set '{dataset}': {folder}: cannot be read ({error.strerror or error})"
        ) from error
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield path
        elif path.is_symlink() and not path.exists() and not _FILE.search(path.name):
            raise UserError(
                f"data set '{dataset}': {path}: cannot be read (a link to nothing): a subject's folder wanted there, "
                "or no such link"
            )


_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}(\.gz)?$")
"""An ending as files have it, and folders hardly."""


def _images(folder: Path) -> Iterator[Path]:
    """Iterate over what is named as a scan, be it a link to nothing."""
    return (
        path
        for path in sorted(folder.iterdir())
        if NIFTI.search(path.name) and not path.name.startswith(".") and not path.is_dir()
    )


def _without_scans(folders: Sequence[Path], shapes: Collection[str]) -> list[str]:
    """Name the folders without a scan that are called as subjects are."""
    return [
        f"{folder}: passed over: no scan lies in it (*.nii, *.nii.gz)"
        for folder in folders
        if shape_of(folder.name) in shapes and re.search(r"\d", folder.name)
    ]


def _loose(folder: Path) -> list[str]:
    files = list(_images(folder))
    if not files:
        return []
    return [
        f"{counted(len(files), 'scan lies', 'scans lie')} in {folder} itself and in no subject's folder; passed over: {files[0].name}"
    ]
