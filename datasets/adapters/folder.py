"""The adapter for one folder a subject, files named as in BraTS: the data set ``folder``, and a base for others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from andi_bench.config import validated
from andi_bench.errors import UserError
from datasets.adapters.base import DatasetAdapter
from datasets.names import MASK, NIFTI, brats_kind
from datasets.scans.lesion_mask import LesionRule
from datasets.subject import Subject
from datasets.volume import MODALITIES


class FolderAdapter(DatasetAdapter):
    """A data set in the layout of BraTS.

    ``<root>/<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz``, also ``.nii``, and the names of BraTS 2023 and later
    (``<id>-{t2f,t1n,t1c,t2w,seg}.nii.gz``). Modalities and masks may be missing. Other names and sites: override
    :meth:`kind_of`, :meth:`site_of` and :meth:`folder`.
    """

    layout: ClassVar[str] = "<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz"

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
            When the folder cannot be read or holds no subject, a subject's folder has scans of other names alone, or
            two files are the same modality.
        """
        folder = self.folder()
        found = []
        misnamed: list[Path] = []
        for entry in _folders(folder, self.name):
            files = list(_images(entry))
            paths = self._by_kind(entry.name, files)
            mask = paths.pop(MASK, None)
            if paths:
                ordered = {name: paths[name] for name in MODALITIES if name in paths}
                site, labels = self.site_of(entry.name), _labels(entry)
                found.append(Subject(entry.name, ordered, mask, site, labels=labels))
            elif files:
                misnamed.append(files[0])
        if misnamed:
            # Passed over in silence, a misnamed subject would be missing from every table.
            raise UserError(
                f"data set '{self.name}': {misnamed[0].parent}: no file is named as wanted "
                f"({self.layout}), '{misnamed[0].name}' found ({len(misnamed)} such folders)"
            )
        if not found:
            raise UserError(
                f"data set '{self.name}': no subject in {folder}: {self.layout} wanted"
                + self._hint(folder)
            )
        return found

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
            out[kind] = path
        return out

    def _hint(self, folder: Path) -> str:
        for deeper in _folders(folder, self.name):
            for entry in _folders(deeper, self.name):
                if any(self.kind_of(path.name, entry.name) for path in _images(entry)):
                    return f" (there are subjects in {deeper}: name that folder)"
        return ""


def _labels(folder: Path) -> dict[str, Any] | None:
    """Return what a subject's preparation says of its mask's values; None where nothing was said."""
    path = folder / "preparation.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("labels")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path}: damaged ({reason}): delete it, and prepare {folder.name} again"
        ) from error
    if found is not None:
        validated(LesionRule, found, str(path), "labels.")
    return found


def _folders(folder: Path, dataset: str) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(
            f"data set '{dataset}': {folder}: cannot be read ({error.strerror or error})"
        ) from error
    return (path for path in entries if path.is_dir() and not path.name.startswith("."))


def _images(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.iterdir())
        if NIFTI.search(path.name) and not path.name.startswith(".") and path.is_file()
    )
