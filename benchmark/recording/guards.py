"""The protocol's guards: what a hard reviewer would ask, answered by machine at every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.persons import is_public, person_of, require_persons_apart
from datasets.scans.nifti import read_nifti
from datasets.scans.scan import has_few_values
from datasets.splits import PARTS, Split, is_published


@dataclass(frozen=True)
class Guard:
    """One question and its answer.

    Parameters
    ----------
    name : str
        What is guarded.
    passed : bool or None
        None where it cannot be known (weights from elsewhere).
    detail : str
        The answer in words.
    """

    name: str
    passed: bool | None
    detail: str

    def record(self) -> dict[str, Any]:
        """Return the guard as it stands in the run record."""
        return asdict(self)


def no_overlap(
    what: str, first: Mapping[str, str], second: Mapping[str, str], names: tuple[str, str]
) -> Guard:
    """Check that two groups of subjects share neither a subject nor a scan.

    Parameters
    ----------
    what : str
        Name of the guard.
    first, second : mapping of subject to content hash
        The groups.
    names : (str, str)
        What the groups are called.

    Raises
    ------
    UserError
        Names the first subject, or pair of subjects, that stands in both.
    """
    shared = sorted(set(first) & set(second))
    if shared:
        raise UserError(
            f"{what}: subject {shared[0]} is in {names[0]} and in {names[1]} "
            f"({len(shared)} in both, 0 wanted)"
        )
    by_content = {content: subject for subject, content in first.items()}
    for subject, content in sorted(second.items()):
        if content in by_content:
            raise UserError(
                f"{what}: {by_content[content]} ({names[0]}) and {subject} ({names[1]}) "
                "are the same scan under two names"
            )
    return Guard(
        what, True, f"{len(first)} in {names[0]}, {len(second)} in {names[1]}, none in both"
    )


def each_scan_once(dataset: str, groups: Mapping[str, Mapping[str, str]]) -> Guard:
    """Check that no scan counts for two subjects of one part.

    Parameters
    ----------
    dataset : str
        Its name.
    groups : mapping of part to mapping of subject to content hash
        The splits.

    Raises
    ------
    UserError
        Names the first pair of subjects that are one scan.
    """
    name = f"each scan of {dataset} once in its split"
    for part, group in groups.items():
        first: dict[str, str] = {}
        for subject, content in sorted(group.items()):
            other = first.setdefault(content, subject)
            if other != subject:
                raise UserError(
                    f"{name}: {other} and {subject} (both {part}) are the same scan under two names: one of them wanted"
                )
    subjects = counted(sum(map(len, groups.values())), "subject")
    return Guard(name, True, f"{subjects}, {counted(len(groups), 'split')}")


def no_image_of_two(
    images: Mapping[str, Mapping[Path, str]], others: Mapping[str, Mapping[Path, str]] | None = None
) -> None:
    """Check that no two subjects hold one image, whatever modality it is called.

    Says nothing where it passes: by their first modality alone scans are compared by :func:`no_overlap` and
    :func:`each_scan_once`, whose answers name a run.

    Parameters
    ----------
    images : mapping of subject to mapping of file to content hash
        Files that hold one value alone are not in it; nor does an image count that is a mask by its values.
    others : mapping, or None
        Those that ``images`` are compared with; None: with one another.

    Raises
    ------
    UserError
        Names the two files and their subjects.
    """
    known: dict[str, tuple[str, Path]] = {}
    for subject, files in sorted((images if others is None else others).items()):
        for path, content in files.items():
            other, there = known.setdefault(content, (subject, path))
            if others is None and other != subject:
                _refuse_image(there, other, path, subject)
    for subject, files in sorted(images.items()) if others is not None else ():
        for path, content in files.items():
            if content in known:
                _refuse_image(known[content][1], known[content][0], path, subject)


def _refuse_image(first: Path, owner: str, second: Path, subject: str) -> None:
    if has_few_values(read_nifti(second)):
        return
    raise UserError(
        f"one scan under two names: {first} ({owner}) and {second} ({subject}) hold the same voxels: "
        "one of the two subjects wanted, or the right file"
    )


def persons_apart(
    dataset: str, split: Split, persons: Mapping[str, str]
) -> tuple[Guard, tuple[str, ...]]:
    """Check that no person has scans in two parts of a split.

    Parameters
    ----------
    dataset : str
        Its name.
    split : Split
        Who is in which part.
    persons : mapping of subject to str
        Whose scan it is.

    Returns
    -------
    guard : Guard
        Not known to be passed where the lists are published ones that have a person in two parts.
    notes : tuple of str
        For the table, in that case.

    Raises
    ------
    UserError
        As :func:`datasets.persons.require_persons_apart`.
    """
    name = f"splits of {dataset} disjoint by person"
    notes = require_persons_apart(split, persons)
    if notes:
        return Guard(name, None, "; ".join(notes)), tuple(notes)
    ids = [id_ for part in PARTS for id_ in split.ids(part)]
    count = len({persons.get(id_, id_) for id_ in ids})
    whose = f"{counted(count, 'person')}, {counted(len(ids), 'scan')}"
    return Guard(name, True, f"{whose}, no person in two splits"), ()


def other_persons(
    training: Mapping[str, str],
    evaluated: Mapping[str, str],
    names: tuple[str, str],
    use: str = "training",
) -> Guard:
    """Check that no person of the training data is evaluated under another data set's name.

    Parameters
    ----------
    training, evaluated : mapping of subject to person
        Persons count whose names mean the same everywhere (:func:`datasets.persons.is_public`).
    names : (str, str)
        The data sets.
    use : str
        What the first one is used for.

    Raises
    ------
    UserError
        Names the first pair of scans of one person.
    """
    owner = {person: subject for subject, person in training.items() if is_public(person)}
    for subject, person in sorted(evaluated.items()):
        if person in owner:
            raise UserError(
                f"{use} data and evaluated data disjoint by person: {owner[person]} ({names[0]}, {use}) and "
                f"{subject} ({names[1]}) are scans of one person ({person}): leave one of them out"
            )
    return Guard(
        f"{use} data and evaluated data disjoint by person",
        True,
        f"{counted(len(set(training.values())), 'person')} in {names[0]}, {len(set(evaluated.values()))} in {names[1]}, "
        "none known to be in both",
    )


def unseen_in_training(
    training: Iterable[str] | None,
    evaluated: Iterable[str],
    same_dataset: bool,
    persons: Mapping[str, str] | None = None,
    split: Split | None = None,
) -> Guard:
    """Check that no evaluated subject, and no other scan of an evaluated person, gave a training slice.

    Parameters
    ----------
    training : iterable of str or None
        Subjects of the slice store; None where the training is not known.
    evaluated : iterable of str
        Subjects that thresholds are frozen on or that are reported.
    same_dataset : bool
        Whether the names come from one data set: names of different ones may coincide by chance, and there
        content decides (see :func:`no_overlap`).
    persons : mapping of subject to str, or None
        Whose scan it is; subjects not in it are asked by their name.
    split : Split or None
        Where it is a published one, a person in two parts is named and not refused.

    Raises
    ------
    UserError
        Names the first subject, or pair of scans, found in both.
    """
    name = "no evaluated person among the training slices"
    if training is None:
        return Guard(name, None, "weights or maps come from elsewhere: not known")
    seen, reported = set(training), sorted(set(evaluated))
    both = sorted(seen & set(reported)) if same_dataset else []
    if both:
        raise UserError(f"{name}: subject {both[0]} is ({len(both)} in all)")
    if same_dataset:
        whose = {id_: (persons or {}).get(id_) or person_of(id_) for id_ in (*seen, *reported)}
        owner = {whose[id_]: id_ for id_ in sorted(seen)}
        pairs = [
            f"{owner[whose[id_]]} (training) and {id_} are scans of one person"
            for id_ in reported
            if whose[id_] in owner
        ]
        if pairs and (split is None or not is_published(split)):
            raise UserError(f"{name}: {pairs[0]} ({len(pairs)} in all, 0 wanted)")
        if pairs:
            return Guard(name, None, f"by the published lists: {'; '.join(pairs)}")
    return Guard(name, True, counted(len(seen), "training subject"))
