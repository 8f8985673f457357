"""The data sets of a run: found, prepared, checked for overlaps, cut into slices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from andi_bench.config import PreprocessingConfig, RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError, unknown_name
from andi_bench.locks import exclusive
from benchmark.recording.guards import (
    Guard,
    each_scan_once,
    no_image_of_two,
    no_overlap,
    other_persons,
    persons_apart,
)
from benchmark.run.modalities import require_modalities
from benchmark.run.request import RunRequest
from benchmark.run.settled_on import SettledOn, guards_of_lent
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.adapters.brain_box import wants_box, with_box
from datasets.adapters.catalogue import find_entry, open_dataset
from datasets.adapters.landmarks import wants_landmarks, with_landmarks
from datasets.slices.store import SliceStore


@dataclass
class RunData:
    """The data sets of a run, opened and checked: what is scored, what is learnt from, and what is settled on."""

    adapter: DatasetAdapter
    source: DatasetAdapter
    source_name: str
    val: list[Subject]
    test: list[Subject]
    settled_on: SettledOn
    guards: list[Guard]
    fingerprints: dict[str, str]
    notes: tuple[str, ...]
    persons: dict[str, str]

    @property
    def place(self) -> str:
        """Hash of the folder that the scored data lie in, 16 hexadecimal digits."""
        root = str(self.adapter.root.resolve())
        return hashlib.blake2b(root.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class DataSets:
    """The data sets of a run, named and found; nothing is read or built yet.

    Parameters
    ----------
    request : RunRequest
        What was asked for.
    adapter : DatasetAdapter
        Data set that is scored.
    source : DatasetAdapter or None
        Data set that is learnt from; None where nothing is learnt.
    source_name : str
        Its name, also where nothing is learnt.
    """

    request: RunRequest
    adapter: DatasetAdapter
    source: DatasetAdapter | None
    source_name: str

    @classmethod
    def find(cls, request: RunRequest, *, learns: bool) -> DataSets:
        """Find the folders of the data sets; without ``learns`` that of the scored one alone.

        Raises
        ------
        UserError
            For a data set that is unknown or whose folder is not there; says which option names it.
        """
        root = request.workspace.root
        name = request.train_on or find_entry(request.dataset).trained_on or request.dataset
        adapter = open_dataset(request.dataset, request.data_root, root, request.splits)
        if not learns:
            return cls(request, adapter, None, name)
        if name == request.dataset:
            return cls(request, adapter, adapter, name)
        source = open_dataset(name, request.train_root, root, None, option="--train-root")
        return cls(request, adapter, source, name)

    def look(self) -> None:
        """Find out before any work whether subjects are in the folders that the user names; what we make ourselves is left.

        Raises
        ------
        UserError
            As :meth:`datasets.adapters.base.DatasetAdapter.subjects`.
        """
        for adapter in filter(None, (self.adapter, self.source)):
            if type(adapter).prepare is DatasetAdapter.prepare:
                adapter.subjects()

    def prepare(self, console: Console) -> None:
        """Make the data sets ready to be read; raises as :func:`prepare_adapter`."""
        prepare_adapter(self.adapter, self.request, console)
        if self.source is not None and self.source is not self.adapter:
            prepare_adapter(self.source, self.request, console)

    def open(
        self,
        console: Console,
        *,
        method: str,
        modalities: Sequence[str],
        needs: Sequence[str] = (),
        settles: bool = False,
    ) -> RunData:
        """Prepare and check the data sets.

        Parameters
        ----------
        console : Console
            Where to show progress.
        method : str
            For messages.
        modalities : sequence of str
            What the configuration names: every subject that is learnt from or scored must have them.
        needs : sequence of str
            What the method cannot do without.
        settles : bool
            Whether labelled validation subjects are needed: where the scored data set has none, the other one lends its.

        Raises
        ------
        UserError
            For a split that is empty, a modality that a scan lacks, or a subject or scan that stands in two splits.
        """
        request, adapter, source = self.request, self.adapter, self.source
        self.prepare(console)
        val, test = _pick(adapter, request)
        known = labelled(adapter, val)
        lent = self._lenders() if settles and not known else []
        read = self._read([*val, *test], lent)
        if not known and labelled(adapter, test):
            console.note(_no_thresholds(adapter, request.dataset))
        require_modalities(modalities, read, method, needs)
        persons = {s.id: s.person for s in adapter.subjects()}
        # Before any scan is read: it is said of the names alone.
        apart, notes = persons_apart(request.dataset, adapter.split(), persons)
        guards, fingerprints = self._guard(val, test, console)
        on = SettledOn(adapter, known, fingerprints)
        if source is not None and lent:
            scored = [(s, fingerprints[s.id]) for s in [*val, *test]]
            on, more = self._lent(source, lent, scored, console)
            guards, notes = [*guards, *more], (*notes, on.said(request.dataset))
        self._every_modality(read, modalities, console)
        return RunData(
            adapter=adapter,
            source=source or adapter,
            source_name=self.source_name,
            val=val,
            test=test,
            settled_on=on,
            guards=[apart, *guards],
            fingerprints=fingerprints,
            notes=(*adapter.notes(), *notes),
            persons=persons,
        )

    def _guard(
        self, val: list[Subject], test: list[Subject], console: Console
    ) -> tuple[list[Guard], dict[str, str]]:
        """Check that no scan stands in two places; return the guards, and what identifies each evaluated scan."""
        adapter, source, dataset = self.adapter, self.source, self.request.dataset
        with console.reporting() as report:
            groups = {
                name: adapter.fingerprints(adapter.subjects_in(name), report)
                for name in ("train", "val", "test")
            }
            learnt = (
                source.fingerprints(source.subjects_in("train"), report)
                if source is not None and source is not adapter
                else {}
            )
        guards = [
            no_overlap(f"splits of {dataset} disjoint ({a}, {b})", groups[a], groups[b], (a, b))
            for a, b in (("train", "val"), ("train", "test"), ("val", "test"))
        ]
        known = groups["val"] | groups[self.request.split]
        evaluated = {subject.id: known[subject.id] for subject in [*val, *test]}
        guards.append(each_scan_once(dataset, groups))
        if source is not None and source is not adapter:
            guards.append(
                other_persons(
                    {s.id: s.person for s in source.subjects_in("train")},
                    {s.id: s.person for s in [*val, *test]},
                    (self.source_name, dataset),
                )
            )
            guards.append(
                no_overlap(
                    "training data and evaluated data disjoint",
                    {f"{self.source_name}/{name}": content for name, content in learnt.items()},
                    evaluated,
                    (f"{self.source_name} (training)", dataset),
                )
            )
        return guards, evaluated

    def _read(self, scored: list[Subject], lent: list[Subject]) -> dict[str, list[Subject]]:
        """Return by data set who is read; where something is learnt, there must be someone to learn from."""
        read = {self.request.dataset: scored}
        if self.source is not None:
            learnt = require_training(self.source, self.source_name)
            read.setdefault(self.source_name, []).extend([*learnt, *lent])
        return read

    def _lenders(self) -> list[Subject]:
        """Return the labelled validation subjects of another data set that is learnt from."""
        source = self.source
        if source is None or source is self.adapter:
            return []
        return labelled(source, source.subjects_in("val"))

    def _lent(
        self,
        source: DatasetAdapter,
        subjects: list[Subject],
        scored: Sequence[tuple[Subject, str]],
        console: Console,
    ) -> tuple[SettledOn, list[Guard]]:
        """Return the validation subjects of the data set that is learnt from, with the guards that they call for."""
        with console.reporting() as report:
            found = source.fingerprints(subjects, report)
            learnt = source.fingerprints(source.subjects_in("train"), report)
        on = SettledOn(source, subjects, found, self.source_name)
        console.note(on.said(self.request.dataset))
        return on, guards_of_lent(on, learnt, scored, self.request.dataset)

    def _every_modality(
        self, read: dict[str, list[Subject]], modalities: Sequence[str], console: Console
    ) -> None:
        """Check that no subject that is read holds a modality of another."""
        adapter, source = self.adapter, self.source
        with console.reporting() as report:
            images = adapter.images(read[self.request.dataset], modalities, report)
            no_image_of_two(images)
            if source is None or source is adapter:
                return
            learnt = source.images(read[self.source_name], modalities, report)
        others = {f"{self.source_name}/{name}": files for name, files in learnt.items()}
        no_image_of_two(others)
        no_image_of_two(images, others)


def _pick(adapter: DatasetAdapter, request: RunRequest) -> tuple[list[Subject], list[Subject]]:
    """Return the validation subjects and the subjects to report on."""
    val, chosen = adapter.subjects_in("val"), adapter.subjects_in(request.split)
    names = [subject.id for subject in chosen]
    for name in request.subjects:
        if name not in names:
            raise unknown_name(f"subject of {request.dataset}'s {request.split} split", name, names)
    if request.subjects:
        chosen = [subject for subject in chosen if subject.id in request.subjects]
    if not chosen:
        raise UserError(
            f"dataset '{request.dataset}': its {request.split} split is empty, "
            "one subject or more wanted"
        )
    return val, chosen


def require_training(source: DatasetAdapter, name: str) -> list[Subject]:
    """Return the subjects that are learnt from.

    Raises
    ------
    UserError
        When there is none.
    """
    train = source.subjects_in("train")
    if not train:
        raise UserError(
            f"dataset '{name}': its train split is empty ({source.split().source}), one subject or more wanted to learn from"
        )
    return train


def _no_thresholds(adapter: DatasetAdapter, dataset: str) -> str:
    """Return what a user should know before a run is measured that cannot be ranked."""
    split = adapter.split()
    found = "has no lesion mask" if split.val else "is empty"
    return (
        f"no rank       the val split of '{dataset}' {found} ({split.source}): thresholds are found there, so this run will "
        "have none; it is scored all the same"
    )


def prepare_adapter(adapter: DatasetAdapter, request: RunRequest, console: Console) -> None:
    """Make a data set ready to be read, one process at a time.

    Raises
    ------
    UserError
        As :meth:`datasets.adapters.base.DatasetAdapter.prepare`.
    """
    lock = exclusive(request.workspace.locks / adapter.name, console)
    with lock, console.reporting() as report:
        adapter.prepare(report, request.workers)


def learns_before_reading(config: PreprocessingConfig) -> bool:
    """Whether something of the training split is to be known before scans are read, so that even a method that learns nothing needs it."""
    return wants_landmarks(config) or wants_box(config)


def settled(run: RunConfig, data: RunData, request: RunRequest, console: Console) -> RunConfig:
    """Return the configuration with what is learnt before scans are read: landmarks and brain box of the training split.

    Raises
    ------
    UserError
        As :func:`datasets.adapters.landmarks.with_landmarks` and :func:`datasets.adapters.brain_box.with_box`.
    """
    learnt, workspace = run.preprocessing, request.workspace
    if wants_landmarks(learnt):
        with exclusive(workspace.landmarks, console), console.reporting() as report:
            learnt = with_landmarks(
                learnt, data.source, workspace.landmarks, request.workers, report
            )
    if wants_box(learnt):
        with exclusive(workspace.boxes, console), console.reporting() as report:
            learnt = with_box(learnt, data.source, workspace.boxes, request.workers, report)
    return run if learnt is run.preprocessing else run.model_copy(update={"preprocessing": learnt})


def build_store(data: RunData, run: RunConfig, request: RunRequest, console: Console) -> SliceStore:
    """Build the store of the healthy training slices, or find it built.

    Raises
    ------
    UserError
        When the training split is empty, or a scan of it cannot be read.
    """
    train = require_training(data.source, data.source_name)
    folder = request.workspace.slices
    with exclusive(folder, console), console.reporting() as report:
        return SliceStore.build(
            folder, data.source, train, run.preprocessing, request.workers, report
        )


def labelled(adapter: DatasetAdapter, subjects: Sequence[Subject]) -> list[Subject]:
    """Return the subjects whose lesions are known."""
    healthy = adapter.options.missing_mask == "healthy"
    return [subject for subject in subjects if subject.mask is not None or healthy]


def contents(subjects: Sequence[Subject], fingerprints: dict[str, str]) -> list[str]:
    """Return what identifies some evaluated subjects: name, scan, and whether the lesions are known."""
    return sorted(f"{s.id}:{fingerprints[s.id]}:{s.mask is not None}" for s in subjects)
