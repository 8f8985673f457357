"""What a data set has to say, and what it gets for nothing.

An adapter says: its subjects (:meth:`DatasetAdapter.find_subjects`: whose scans there are, which file is which
modality, which is the lesion mask), what its folder should look like (``layout``), and what its YAML may say
(``Options``). It gets: splits, reading onto the working grid, training slices, hashes of files and voxels, attributes.

For folders with one folder a subject, :class:`datasets.adapters.folder.FolderAdapter` finds the subjects too.
``docs/add-a-data-set.md`` has a whole example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from andi_bench import registry
from andi_bench.config import PreprocessingConfig, names_in, validated
from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.adapters import contents
from datasets.adapters.contents import Progress
from datasets.adapters.options import AdapterOptions
from datasets.persons import Owned, persons_of
from datasets.scans.bias_field import BiasFields
from datasets.scans.fingerprints import FingerprintCache
from datasets.scans.lesion_mask import LesionRule
from datasets.scans.preprocess import changed_before_resizing, preprocess
from datasets.scans.scan import Scan, read_scan
from datasets.splits import PARTS, Split, find_split
from datasets.subject import Subject
from datasets.volume import MODALITIES, Volume

__all__ = ["AdapterOptions", "DatasetAdapter", "Field", "Progress", "Subject", "register"]

A = TypeVar("A", bound="type[DatasetAdapter]")


def register(name: str) -> Callable[[A], A]:
    """Class decorator: make an adapter of a plug-in file a data set of this name.

    Parameters
    ----------
    name : str
        The name for ``--dataset`` and in tables: lower case, digits and dashes.

    Raises
    ------
    UserError
        When the name has other characters, or is that of another data set.
    """
    if name in names_in("datasets"):
        raise UserError(f"the name '{name}' is taken by a data set of this package: another wanted")
    return registry.register(name, group=registry.DATASETS)


def _persons(subjects: Iterable[Subject]) -> dict[str, str]:
    return persons_of(Owned(s.id, s.person, s.attributes) for s in subjects)


class DatasetAdapter(ABC):
    """A data set: who is in it, and where their files lie.

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
        File that remembers content hashes between runs; bias fields are kept in ``bias`` beside it.

    Raises
    ------
    UserError
        For unknown or invalid options.
    """

    Options: ClassVar[type[AdapterOptions]] = AdapterOptions
    layout: ClassVar[str] = "its scans"
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
        self._fields = BiasFields(None if cache is None else cache.parent / "bias")
        self._found: list[Subject] | None = None
        self._split: Split | None = None

    # --- what an adapter says

    @abstractmethod
    def find_subjects(self) -> Iterable[Subject]:
        """Return who is in the data set: id, file of each modality, lesion mask, and what else is known.

        In any order, and without opening a scan. A subject may lack modalities and the mask; its id is unique.

        Raises
        ------
        UserError
            When the folder cannot be read, or a subject's files are not understood.
        """

    def prepare(self, progress: Progress | None = None, workers: int | None = None) -> None:
        """Make the data ready to be read; here it is only looked for.

        Parameters
        ----------
        progress : callable or None
            Called as it comes along.
        workers : int or None
            Processes to use; None: as many as there are cores.

        Raises
        ------
        UserError
            When the folder is missing or holds no subject.
        """
        self._subjects_on_disk()

    # --- what it gets

    def subjects(self) -> list[Subject]:
        """Return all subjects, sorted by id, with the further columns of the split's CSV.

        Raises
        ------
        UserError
            When the folder holds no subject, or one whose files are not understood; and as :meth:`split`.
        """
        rows = {row.id: row.attributes for part in PARTS for row in self.split().part(part)}
        out = []
        for s in self._subjects_on_disk():
            attributes = {**s.attributes, **rows.get(s.id, {})}
            site = attributes.get("site") or s.site
            person = attributes.get("person") or s.person
            out.append(replace(s, site=site, attributes=attributes, person=person))
        persons = _persons(out)
        return [replace(s, person=persons[s.id]) for s in out]

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of results should know of the folder: here, what the split has to say."""
        return self.split().notes

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
                f"{counted(len(subjects), 'subject')}: at least one wanted"
            )
        return common

    def split(self) -> Split:
        """Return the split, looked up as :func:`datasets.splits.find_split` says."""
        if self._split is None:
            found = self._subjects_on_disk()
            healthy = self.options.missing_mask == "healthy"
            self._split = find_split(
                self.name,
                [s.id for s in found],
                self.root,
                self.splits_dir,
                self.options.split_fractions,
                persons=_persons(found),
                labelled=[s.id for s in found if s.mask is not None or healthy],
                written=self.written_lists(),
            )
        return self._split

    def written_lists(self) -> Collection[str] | None:
        """Return which lists of the split were written by the preparation of the folder; None: it was not prepared."""
        return None

    def revision(self) -> dict[str, Any]:
        """Return what a result depends on beside the files: {} for a data set of this package as it is configured.

        An adapter from outside counts with its file, so that any edit makes another result; and so do options that
        say what a mask means. Shares of the split do not: who is in which part is looked at itself.
        """
        out: dict[str, Any] = {}
        if not type(self).__module__.startswith("datasets."):
            out["adapter"] = registry.source_hash(type(self))
        plain = self.Options().model_dump(mode="json")
        changed = {
            key: value
            for key, value in self.options.model_dump(mode="json").items()
            if key != "split_fractions" and value != plain.get(key)
        }
        if changed:
            out["adapter_options"] = changed
        rules = {self.rule_of(s) for s in self._found or ()} - {self.options.rule}
        if rules:
            out["mask labels"] = sorted(rule.model_dump_json() for rule in rules)
        return out

    def rule_of(self, subject: Subject) -> LesionRule:
        """Return what the values of a subject's mask mean: as its preparation said, else as the options say."""
        if subject.labels is None:
            return self.options.rule
        return LesionRule.model_validate(subject.labels)

    def read_scan(
        self, subject: Subject, modalities: Sequence[str] = MODALITIES, *, lesion: bool = True
    ) -> Scan:
        """Read a subject on the scan's own grid, with the lesion mask as this data set understands it.

        Raises
        ------
        UserError
            As :func:`datasets.scans.scan.read_scan`.
        """
        scan = read_scan(subject, modalities, self.rule_of(subject), lesion=lesion)
        if lesion and scan.lesion is None and self.options.missing_mask == "healthy":
            return replace(scan, lesion=np.zeros(scan.images[0].shape, dtype=bool))
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
            As :func:`datasets.scans.scan.read_scan`.
        """
        scan = self.scan_for(subject, preprocessing, lesion=lesion)
        again = partial(self._before_resizing, subject, preprocessing)
        return replace(preprocess(scan, preprocessing, training=training), before_resizing=again)

    def _before_resizing(
        self,
        subject: Subject,
        preprocessing: PreprocessingConfig,
        modality: str,
        change: Callable[[NDArray[Any]], NDArray[np.floating]],
    ) -> NDArray[np.float32]:
        """Implement :class:`datasets.volume.BeforeResizing`; the scan is read again, for few methods want it."""
        scan = self.scan_for(subject, preprocessing, lesion=False)
        return changed_before_resizing(scan, preprocessing, modality, change)

    def scan_for(
        self, subject: Subject, preprocessing: PreprocessingConfig, *, lesion: bool = True
    ) -> Scan:
        """Read a subject on the scan's own grid, with all that its preprocessing needs: bias fields, where asked for.

        A field is estimated once and kept beside the hashes of the files.

        Raises
        ------
        UserError
            As :func:`datasets.scans.scan.read_scan`.
        """
        scan = self.read_scan(subject, preprocessing.modalities, lesion=lesion)
        if preprocessing.bias == "none":
            return scan
        fields = tuple(
            self._fields.of(self.content(subject, [name], lesion=False), image, scan.affine)
            for name, image in zip(scan.modalities, scan.images, strict=True)
        )
        return replace(scan, log_bias=fields)

    def fingerprint(self, subject: Subject) -> str:
        """Hash the voxels of a subject's FLAIR (else of the first modality that is there).

        Equal for two copies of a scan, whatever their names, compression or number format.
        """
        return contents.first_image(self._hashes, subject)

    def fingerprints(
        self, subjects: Sequence[Subject], progress: Progress | None = None
    ) -> dict[str, str]:
        """Return :meth:`fingerprint` of many subjects, by id; several are read at once."""
        return contents.of_many(self.fingerprint, subjects, "comparing scans", progress)

    def images(
        self,
        subjects: Sequence[Subject],
        modalities: Sequence[str],
        progress: Progress | None = None,
    ) -> dict[str, dict[Path, str]]:
        """Return the hashes of the voxels of each file of some modalities, by subject; several are read at once.

        Raises
        ------
        UserError
            For the first file that is no scan, or cannot be read; for images and a lesion mask that lie on different grids;
            and for a mask that holds what none may.
        """

        def take(subject: Subject) -> dict[Path, str]:
            found = contents.every_image(self._hashes, subject, modalities)
            if not contents.files_agree(self._hashes, subject, modalities, self.rule_of(subject)):
                self.read_scan(subject, [name for name in modalities if name in subject.paths])
            return found

        return contents.of_many(take, subjects, "comparing modalities", progress)

    def content(self, subject: Subject, modalities: Sequence[str], *, lesion: bool = True) -> str:
        """Identify all files that a volume is made of: hashes of their bytes, joined by dashes.

        In the order of the modalities, then the lesion mask, then ``brain:`` and the brain mask, where there are any;
        then what the mask's values mean, where a subject's preparation says it otherwise than the data set. Before the
        hash of an image that former versions read otherwise stands since when it is read as it is.

        Parameters
        ----------
        subject : Subject
            One of :meth:`subjects`.
        modalities : sequence of str
            Which images are read.
        lesion : bool
            Whether the lesion mask counts: an anomaly map depends on the images alone.
        """
        mask = subject.mask if lesion else None
        found = contents.subject_content(self._hashes, subject, modalities, mask)
        rule = self.rule_of(subject)
        if mask is not None and rule != self.options.rule:
            found.append(rule.model_dump_json())
        return "-".join(found)

    def _subjects_on_disk(self) -> list[Subject]:
        if self._found is None:
            self._found = self._checked(self.find_subjects())
        return self._found

    def _checked(self, found: Iterable[Subject]) -> list[Subject]:
        """Sort subjects, and refuse what would go wrong later: none at all, a name twice, no modality."""
        known: dict[str, Subject] = {}
        for subject in found:
            where = f"data set '{self.name}': subject {subject.id}"
            if subject.id in known:
                raise UserError(f"{where} is found twice: every id once wanted")
            other = [name for name in subject.paths if name not in MODALITIES]
            if other or not subject.paths:
                what = f"modality '{other[0]}'" if other else "no modality"
                raise UserError(f"{where} has {what}: some of {', '.join(MODALITIES)} wanted")
            known[subject.id] = subject
        if not known:
            raise UserError(
                f"data set '{self.name}': no subject in {self.root}: {self.layout} wanted"
            )
        return [known[id_] for id_ in sorted(known)]
