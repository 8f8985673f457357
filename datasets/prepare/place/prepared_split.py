"""Which prepared subjects train, validate and test; the same every time, and never one person in two parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.place import package_data
from datasets.prepare.sidecar import Preparation
from datasets.splits import (
    PARTS,
    Split,
    SplitRow,
    hash_split,
    read_split,
    split_files,
    write_split,
)


def make_split(
    dataset: str,
    prepared: Sequence[Preparation],
    given: Path | None = None,
) -> tuple[Split, list[str]]:
    """Split prepared subjects: as a folder of CSV files says, as each subject's row says, else by hash.

    The folder is the user's own, or ``splits/<dataset>`` of the package where that is there. The hash is that of the
    person, not of the scan: all scans of one stay together. Subjects without a known lesion mask cannot train or
    freeze thresholds; they are in the test split, where they are scored.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    prepared : sequence of Preparation
        Sidecars.
    given : Path or None
        The user's folder with ``scans_{train,val,test}.csv``.

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
    packaged = package_data("splits") / dataset
    folder = given or (packaged if (packaged / "scans_train.csv").is_file() else None)
    if folder is not None:
        return _listed(read_split(folder, rows), rows)
    said = {s.subject: s.part for s in prepared if s.part}
    if said:
        left = [name for name in rows if name not in said]
        notes = [f"{len(left)} subjects name no split and are in none: {left[0]}"] if left else []
        split = _of(said, rows, "the column 'split'")
    else:
        places, notes = _hashed(prepared)
        split = _of(places, rows, "hash of the person's id")
    _require_persons_apart(split, prepared)
    return split, notes


def _listed(split: Split, rows: Mapping[str, SplitRow]) -> tuple[Split, list[str]]:
    kept = {
        part: tuple(
            SplitRow(row.id, {**rows[row.id].attributes, **row.attributes})
            for row in split.part(part)
            if row.id in rows
        )
        for part in PARTS
    }
    out = Split(kept["train"], kept["val"], kept["test"], split.source)
    out.check_disjoint()
    notes = []
    gone = [id_ for part in PARTS for id_ in split.ids(part) if id_ not in rows]
    if gone:
        notes.append(
            f"{len(gone)} subjects of {split.source} are not prepared and left out of the split: {gone[0]}"
        )
    named = {id_ for part in PARTS for id_ in split.ids(part)}
    extra = sorted(set(rows) - named)
    if extra:
        notes.append(f"{len(extra)} prepared subjects are in no part of {split.source}: {extra[0]}")
    return out, notes


def _hashed(prepared: Sequence[Preparation]) -> tuple[dict[str, str], list[str]]:
    labelled = {s.person for s in prepared if s.labelled}
    by_hash = hash_split(sorted(labelled))
    place = {id_: part for part in PARTS for id_ in by_hash.ids(part)}
    notes = list(by_hash.notes)
    out = {}
    unknown = []
    for s in prepared:
        if s.labelled:
            out[s.subject] = place[s.person]
        elif place.get(s.person, "test") == "test":
            out[s.subject] = "test"
            unknown.append(s.subject)
    if unknown:
        notes.append(
            f"{len(unknown)} subjects have no lesion mask: they are in the test split, where they are scored and "
            f"not evaluated: {unknown[0]}"
        )
    return out, notes


def _of(place: Mapping[str, str], rows: Mapping[str, SplitRow], source: str) -> Split:
    parts = {
        part: tuple(rows[name] for name in sorted(place) if place[name] == part) for part in PARTS
    }
    return Split(parts["train"], parts["val"], parts["test"], source)


def _require_persons_apart(split: Split, prepared: Sequence[Preparation]) -> None:
    persons = {s.subject: s.person for s in prepared}
    where: dict[str, tuple[str, str]] = {}
    for part in PARTS:
        for name in split.ids(part):
            other, before = where.setdefault(persons[name], (name, part))
            if before != part:
                raise UserError(
                    f"split ({split.source}): {other} ({before}) and {name} ({part}) are scans of one person: "
                    "one part wanted"
                )


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
