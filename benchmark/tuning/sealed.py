"""The subjects of a search: lists of training and validation subjects that do not name a single test subject.

A search works on these lists in place of the data set's own: nothing that it calls can know, let alone open, a test scan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.records.store import identity
from benchmark.recording.guards import persons_apart
from benchmark.run.data import DataSets, labelled
from benchmark.run.request import RunRequest
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.splits import Split, SplitRow, hash_place, write_split
from datasets.volume import MODALITIES


@dataclass(frozen=True)
class Sealed:
    """Who a search learns from and measures on.

    Parameters
    ----------
    splits : tuple of Split
        One a fold, their test parts empty; one in all where there are no folds.
    persons : int
        Persons whose scans are measured on.
    subjects : tuple of str
        Subjects that are measured on: of their lesions is known where they are.
    tested : int
        Test subjects that the data set has, and that are left alone.
    files : dict of str to str
        For each subject of the search, a hash of its files.
    source : str
        Name of the data set that is learnt from.
    """

    splits: tuple[Split, ...]
    persons: int
    subjects: tuple[str, ...]
    tested: int
    files: dict[str, str]
    source: str

    def write(self, folder: Path) -> list[Path]:
        """Write the lists of each fold into a folder of its own, and return these.

        Raises
        ------
        UserError
            When they cannot be written.
        """
        folders = [folder / f"fold{k}" for k in range(len(self.splits))]
        for split, place in zip(self.splits, folders, strict=True):
            write_split(split, place)
        return folders


def seal(request: RunRequest, *, learns: bool, folds: int | None, console: Console) -> Sealed:
    """Find the subjects of a search; opens no scan.

    Parameters
    ----------
    request : RunRequest
        Names the data sets.
    learns : bool
        Whether anything is read of the training subjects.
    folds : int or None
        Parts that training and validation subjects are dealt into, by person, each measured on in turn; None: the
        validation subjects are.
    console : Console
        Where to show progress.

    Raises
    ------
    UserError
        For a data set that is not there, a person in two parts, no validation subject whose lesions are known, and folds
        that these subjects do not fill.
    """
    found = DataSets.find(request, learns=learns)
    adapter, source = found.adapter, found.source
    found.prepare(console)
    split, everyone = adapter.split(), {s.id: s for s in adapter.subjects()}
    persons = {id_: s.person for id_, s in everyone.items()}
    persons_apart(request.dataset, split, persons)
    known = {s.id for s in labelled(adapter, list(everyone.values()))}
    if folds is not None:
        if source is not None and source is not adapter:
            raise UserError(
                f"--folds: {request.dataset} is not what is learnt from ({found.source_name} is): without it, its "
                "validation subjects are measured on"
            )
        splits = deal(split, persons, known, folds)
    else:
        splits = (Split(split.train, split.val, source="search"),)
    measured = sorted({id_ for one in splits for id_ in one.ids("val")} & known)
    if not measured:
        raise UserError(
            f"dataset '{request.dataset}': no subject of its val split has a lesion mask: nothing to search by"
        )
    used = {id_ for one in splits for part in ("train", "val") for id_ in one.ids(part)}
    files = {id_: _files_of(adapter, everyone[id_]) for id_ in sorted(used)}
    if source is not None and source is not adapter:
        learnt = source.subjects_in("train")
        files |= {f"{found.source_name}/{s.id}": _files_of(source, s) for s in learnt}
    return Sealed(
        splits=splits,
        persons=len({persons[id_] for id_ in measured}),
        subjects=tuple(measured),
        tested=len(split.ids("test")),
        files=files,
        source=found.source_name,
    )


def _files_of(adapter: DatasetAdapter, subject: Subject) -> str:
    """Hash all files of a subject and how they are understood: any modality may be searched."""
    parts = {**adapter.revision(), "files": adapter.content(subject, MODALITIES)}
    return identity(parts)[:16]


def deal(
    split: Split, persons: Mapping[str, str], known: Collection[str], folds: int
) -> tuple[Split, ...]:
    """Deal the training and validation subjects into folds, all scans of a person into one.

    Only persons of whom a lesion mask is known are dealt; the others are learnt from in every fold. Who comes where depends
    on the persons' names alone, by the hash that splits data sets.

    Parameters
    ----------
    split : Split
        The data set's; its test part is not looked at.
    persons : mapping of subject to str
        Whose scan it is.
    known : collection of str
        Subjects whose lesions are known.
    folds : int
        How many, 2 or more.

    Raises
    ------
    UserError
        When there are fewer such persons than folds.
    """
    rows: Sequence[SplitRow] = [*split.train, *split.val]
    dealt = sorted(
        {persons[row.id] for row in rows if row.id in known}, key=lambda p: (hash_place(p), p)
    )
    if not 2 <= folds <= len(dealt):
        raise UserError(
            f"--folds {folds}: 2 to {len(dealt)} wanted: so many persons of the train and val splits have a lesion mask"
        )
    place = {person: k % folds for k, person in enumerate(dealt)}
    out = []
    for fold in range(folds):
        held = [row for row in rows if place.get(persons[row.id]) == fold]
        rest = [row for row in rows if place.get(persons[row.id]) != fold]
        out.append(Split(tuple(rest), tuple(held), source=f"search, fold {fold}"))
    return tuple(out)
