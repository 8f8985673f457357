"""Which prepared subjects train, validate and test; the same every time, and never one person in two parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from andi_bench.names import counted
from datasets.persons import Owned, persons_of, require_persons_apart
from datasets.prepare.found import Incoming
from datasets.prepare.sidecar import Preparation
from datasets.splits import (
    PARTS,
    Split,
    SplitRow,
    hash_split,
    named,
    packaged_split,
    read_split,
    restricted,
    split_files,
    split_folder,
    write_split,
)


def make_split(
    dataset: str,
    prepared: Sequence[Preparation],
    given: Path | None = None,
) -> tuple[Split, list[str]]:
    """Split prepared subjects: as a folder of CSV files says, as each subject's row says, as published, else by hash.

    Published are ``splits/<dataset>`` of the package, for data that holds most of their subjects. The hash is that of
    the person, not of the scan: all scans of one stay together. Subjects without a known lesion mask cannot train or
    freeze thresholds; they are in the test split, where they are scored.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    prepared : sequence of Preparation
        Sidecars.
    given : Path or None
        The user's folder with ``scans_{train,val,test}.csv``, or the name of a packaged one.

    Returns
    -------
    split : Split
    notes : list of str
        What a reader of the splits should know.

    Raises
    ------
    UserError
        As :func:`datasets.splits.read_split`, and where one person stands in two parts.
    """
    rows = {s.subject: SplitRow(s.subject, dict(s.attributes)) for s in prepared}
    persons = persons_of(Owned(s.subject, s.person, s.attributes) for s in prepared)
    said = {s.subject: s.part for s in prepared if s.part}
    notes: list[str] = []
    if given is not None:
        split = restricted(read_split(split_folder(given), rows), rows)
    elif said:
        left = [name for name in rows if name not in said]
        if left:
            notes.append(
                f"{counted(len(left), 'subject names no split and is', 'subjects name no split and are')} in none: {named(left)}"
            )
        split = _of(said, rows, "the column 'split'")
    else:
        published, notes = packaged_split(dataset, rows)
        if published is None:
            places, more = _hashed(prepared, persons)
            split = replace(_of(places, rows, "hash of the person's id"), notes=tuple(more))
        else:
            split = published
    split.check_disjoint()
    apart = require_persons_apart(split, persons)
    return _with_attributes(split, rows), [*notes, *split.notes, *apart]


def require_sound_list(given: Path, subjects: Sequence[Incoming]) -> None:
    """Refuse the user's lists before any work where they cannot be used.

    Raises
    ------
    UserError
        As :func:`make_split`.
    """
    ids = [s.id for s in subjects]
    split = restricted(read_split(split_folder(given), ids), ids)
    split.check_disjoint()
    require_persons_apart(split, persons_of(Owned(s.id, s.person, s.attributes) for s in subjects))


def _with_attributes(split: Split, rows: Mapping[str, SplitRow]) -> Split:
    """Return a split whose rows have what the scans' table says too; what the list says goes before."""
    kept = {
        part: tuple(
            SplitRow(row.id, {**rows[row.id].attributes, **row.attributes})
            for row in split.part(part)
        )
        for part in PARTS
    }
    return Split(kept["train"], kept["val"], kept["test"], split.source)


def _hashed(
    prepared: Sequence[Preparation], persons: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    labelled = {persons[s.subject] for s in prepared if s.labelled}
    by_hash = hash_split(sorted(labelled))
    place = {id_: part for part in PARTS for id_ in by_hash.ids(part)}
    notes = list(by_hash.notes)
    out = {}
    unknown, left = [], []
    for s in prepared:
        part = place.get(persons[s.subject], "test")
        if s.labelled:
            out[s.subject] = part
        elif part == "test":
            out[s.subject] = "test"
            unknown.append(s.subject)
        else:
            left.append(s.subject)
    if unknown:
        notes.append(
            f"{counted(len(unknown), 'subject has', 'subjects have')} no lesion mask: in the test split, scored and "
            f"not evaluated: {named(unknown)}"
        )
    if left:
        notes.append(
            f"{counted(len(left), 'subject has no lesion mask and is', 'subjects have no lesion mask and are')} in no split, because other scans of their persons "
            f"train or validate: {named(left)}"
        )
    return out, notes


def _of(place: Mapping[str, str], rows: Mapping[str, SplitRow], source: str) -> Split:
    parts = {
        part: tuple(rows[name] for name in sorted(place) if place[name] == part) for part in PARTS
    }
    return Split(parts["train"], parts["val"], parts["test"], source)


def write_own_split(
    split: Split,
    folder: Path,
    known: Mapping[str, list[str]],
    remember: Callable[[dict[str, list[str]]], None],
) -> list[str]:
    """Write the three CSV files, unless somebody has changed them since.

    Parameters
    ----------
    split : Split
        What to write.
    folder : Path
        ``<output>/splits``.
    known : mapping of file name to hashes
        What earlier calls have written.
    remember : callable
        Called with such a mapping, before anything is written and after.

    Returns
    -------
    list of str
        A note for each file that is kept as it is found.
    """
    contents = split_files(split)
    hashes = {name: _hash(content) for name, content in contents.items()}
    changed = []
    for name in contents:
        path = folder / name
        if path.is_file() and _hash(path.read_bytes()) not in [*known.get(name, []), hashes[name]]:
            changed.append(name)
    if changed:
        return [f"{folder}: {', '.join(changed)} changed by hand: the splits are kept as they are"]
    remember({name: [*known.get(name, []), hashes[name]] for name in contents})
    write_split(split, folder)
    remember({name: [value] for name, value in hashes.items()})
    return []


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
