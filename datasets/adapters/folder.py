"""The generic adapter: one folder a subject, files named as in BraTS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from andi_bench.config import PreprocessingConfig, Section, validated
from andi_bench.errors import UserError
from andi_bench.executor import default_workers
from andi_bench.registry import DATASETS, register, source_hash
from datasets.scans.fingerprints import FingerprintCache
from datasets.scans.lesion_mask import LesionRule
from datasets.scans.preprocess import Scan, preprocess, read_scan
from datasets.splits import FRACTIONS, Split, find_split
from datasets.subject import Subject
from datasets.volume import MODALITIES, Volume

__all__ = ["AdapterOptions", "FolderAdapter", "Progress", "Subject"]

Progress = Callable[[str, int, int], None]
"""Called with what is done, the number done, and the number of all."""

MASK = "mask"
BRATS_KINDS = {
    "flair": "flair", "t2f": "flair",
    "t1": "t1", "t1n": "t1",
    "t1ce": "t1ce", "t1c": "t1ce",
    "t2": "t2", "t2w": "t2",
    "seg": MASK,
}  # fmt: skip
"""What the last word of a BraTS file's name says, of any year."""
_ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)


class AdapterOptions(Section):
    """What a data set's YAML may say under ``options``."""

    lesion_labels: tuple[int, ...] | None = Field(
        None, min_length=1, description="mask labels that are lesion; null: every label above 0"
    )
    other_labels: tuple[int, ...] = Field(
        (), description="labels a mask may hold beside lesion_labels; any else is refused"
    )
    mask_threshold: float = Field(
        0.5, gt=0, lt=1, description="a resampled mask (values between 0 and 1) is lesion above it"
    )
    missing_mask: Literal["unknown", "healthy"] = Field(
        "unknown", description="what a subject without a mask is; healthy: it has no lesion"
    )
    split_fractions: tuple[float, float, float] = Field(
        FRACTIONS, description="shares of train, val and test where no file splits the subjects"
    )

    @model_validator(mode="after")
    def _shares(self) -> AdapterOptions:
        if min(self.split_fractions) < 0 or abs(sum(self.split_fractions) - 1) > 1e-6:
            raise ValueError(
                f"split_fractions = {list(self.split_fractions)}: three shares that sum to 1 wanted"
            )
        return self

    @property
    def rule(self) -> LesionRule:
        """The part that says what a mask's values mean."""
        return LesionRule(
            lesion_labels=self.lesion_labels,
            other_labels=self.other_labels,
            mask_threshold=self.mask_threshold,
        )


@register("folder", group=DATASETS)
class FolderAdapter:
    """A data set in the layout of BraTS.

    ``<root>/<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz``, also ``.nii``, and the names of BraTS 2023 and later
    (``<id>-{t2f,t1n,t1c,t2w,seg}.nii.gz``). Modalities and masks may be missing.

    Parameters
    ----------
    name : str
        The data set's name (one adapter may serve several).
    root : Path
        Its folder.
    options : mapping
        Values of the class's own ``Options``.
    splits_dir : Path or None
        The user's own folder of ``scans_{train,val,test}.csv``.
    cache : Path or None
        File that remembers content hashes between runs.

    Raises
    ------
    UserError
        For unknown or invalid options.
    """

    Options: ClassVar[type[AdapterOptions]] = AdapterOptions
    layout: ClassVar[str] = "<id>/<id>_{flair,t1,t1ce,t2,seg}.nii.gz"
    """What the folder should look like, for messages."""
    built_in: ClassVar[bool] = False
    """Whether the data comes into being by itself, in the workspace, when no folder is named."""

    name: str

    def __init__(
        self,
        name: str,
        root: Path,
        options: dict[str, Any] | None = None,
        splits_dir: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        self.name = name
        self.root = Path(root)
        self.options = validated(
            self.Options, options or {}, f"options of data set '{name}'", "options."
        )
        self.splits_dir = splits_dir
        self._hashes = FingerprintCache(cache)
        self._found: list[Subject] | None = None
        self._split: Split | None = None

    def prepare(self, progress: Progress | None = None, workers: int | None = None) -> None:
        """Make the data ready to be read; here it is only looked for.

        Parameters
        ----------
        progress : callable or None
            Told how far it has come.
        workers : int or None
            Processes to use; None: as many as there are cores.

        Raises
        ------
        UserError
            When the folder is missing or holds no subject.
        """
        self._subjects_on_disk()

    def subjects(self) -> list[Subject]:
        """Return all subjects, sorted by id, with the further columns of the split's CSV.

        Raises
        ------
        UserError
            When the folder holds no subject, or one whose files are not understood; and as :meth:`split`.
        """
        split = self.split()
        rows = {
            row.id: row.attributes for part in ("train", "val", "test") for row in split.part(part)
        }
        return [
            Subject(
                s.id, s.paths, s.mask, rows.get(s.id, {}).get("site") or s.site, rows.get(s.id, {})
            )
            for s in self._subjects_on_disk()
        ]

    def subjects_in(self, part: str) -> list[Subject]:
        """Return the subjects of ``train``, ``val`` or ``test``, in the split's order."""
        known = {subject.id: subject for subject in self.subjects()}
        return [known[id_] for id_ in self.split().ids(part)]

    def available(self, modalities: Sequence[str]) -> tuple[str, ...]:
        """Return those of the modalities that every subject has, in the order asked for.

        Raises
        ------
        UserError
            When no modality is common to all subjects.
        """
        subjects = self._subjects_on_disk()
        common = tuple(name for name in modalities if all(name in s.paths for s in subjects))
        if not common:
            raise UserError(
                f"data set '{self.name}': no modality of {', '.join(modalities)} is there for all "
                f"{len(subjects)} subjects: at least one wanted"
            )
        return common

    @classmethod
    def revision(cls) -> dict[str, str]:
        """Return what identifies the code of an adapter from outside this package: its file, so that any edit counts."""
        return {} if cls.__module__.startswith("datasets.") else {"adapter": source_hash(cls)}

    def split(self) -> Split:
        """Return the split, looked up as :func:`datasets.splits.find_split` says."""
        if self._split is None:
            ids = [subject.id for subject in self._subjects_on_disk()]
            self._split = find_split(
                self.name, ids, self.root, self.splits_dir, self.options.split_fractions
            )
        return self._split

    def read_scan(
        self, subject: Subject, modalities: Sequence[str] = MODALITIES, *, lesion: bool = True
    ) -> Scan:
        """Read a subject on the scan's own grid, with the lesion mask as this data set understands it.

        Raises
        ------
        UserError
            As :func:`datasets.scans.preprocess.read_scan`.
        """
        scan = read_scan(subject, modalities, self.options.rule, lesion=lesion)
        if lesion and scan.lesion is None and self.options.missing_mask == "healthy":
            none = np.zeros(scan.images[0].shape, dtype=bool)
            return Scan(scan.subject, scan.modalities, scan.images, none, scan.affine)
        return scan

    def read(
        self,
        subject: Subject,
        preprocessing: PreprocessingConfig,
        lesion: bool = True,
        *,
        training: bool = False,
    ) -> Volume:
        """Read a subject onto the working grid.

        Parameters
        ----------
        subject : Subject
            One of :meth:`subjects`.
        preprocessing : PreprocessingConfig
            Grid, modalities, normalisation.
        lesion : bool
            Whether to read the lesion mask; off, its file is not opened and ``Volume.lesion`` is None.
        training : bool
            See :func:`datasets.scans.preprocess.preprocess`.

        Raises
        ------
        UserError
            As :func:`datasets.scans.preprocess.read_scan`.
        """
        scan = self.read_scan(subject, preprocessing.modalities, lesion=lesion)
        return preprocess(scan, preprocessing, training=training)

    def fingerprint(self, subject: Subject) -> str:
        """Hash the voxels of a subject's FLAIR (else of the first modality that is there).

        Equal for two copies of a scan, whatever their names, compression or number format.
        """
        first = next(name for name in MODALITIES if name in subject.paths)
        return self._hashes.hash(subject.paths[first], "voxels")

    def fingerprints(
        self, subjects: Sequence[Subject], progress: Progress | None = None
    ) -> dict[str, str]:
        """Return :meth:`fingerprint` of many subjects, by id; several are read at once."""
        out: dict[str, str] = {}
        with ThreadPoolExecutor(default_workers()) as pool:
            hashes = pool.map(self.fingerprint, subjects)
            for done, (subject, found) in enumerate(zip(subjects, hashes, strict=True), start=1):
                out[subject.id] = found
                if progress is not None:
                    progress("comparing scans", done, len(subjects))
        return out

    def content(self, subject: Subject, modalities: Sequence[str]) -> str:
        """Identify all files that a volume is made of: hashes of their bytes, joined by dashes."""
        paths = [subject.paths[name] for name in modalities if name in subject.paths]
        if subject.mask is not None:
            paths.append(subject.mask)
        return "-".join(self._hashes.hash(path, "file") for path in paths)

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
        stem = _ENDING.sub("", file)
        if not stem.lower().startswith(subject.lower()) or stem[len(subject) :][:1] not in (
            "_",
            "-",
        ):
            return None
        return BRATS_KINDS.get(stem[len(subject) + 1 :].lower())

    def _subjects_on_disk(self) -> list[Subject]:
        if self._found is None:
            self._found = self._search()
        return self._found

    def _search(self) -> list[Subject]:
        folder = self.folder()
        found = []
        strange: list[Path] = []
        for entry in _folders(folder, self.name):
            files = list(_images(entry))
            paths = self._sorted_out(entry.name, files)
            mask = paths.pop(MASK, None)
            if paths:
                ordered = {name: paths[name] for name in MODALITIES if name in paths}
                found.append(Subject(entry.name, ordered, mask, self.site_of(entry.name)))
            elif files:
                strange.append(files[0])
        if strange:
            # Passed over in silence, a misnamed subject would be missing from every table.
            raise UserError(
                f"data set '{self.name}': {strange[0].parent}: no file is named as wanted "
                f"({self.layout}), '{strange[0].name}' found ({len(strange)} such folders)"
            )
        if not found:
            raise UserError(
                f"data set '{self.name}': no subject in {folder}: {self.layout} wanted"
                + self._hint(folder)
            )
        return found

    def _sorted_out(self, subject: str, files: Sequence[Path]) -> dict[str, Path]:
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
        if _ENDING.search(path.name) and not path.name.startswith(".") and path.is_file()
    )
