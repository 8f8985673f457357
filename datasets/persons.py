"""Whose scan it is: one person may have several, and they never stand in different parts of a split.

A person is told by a table's column, by a data set's way of naming time points, and by the pairs that are known.
Names of persons compare within one data set; those of public collections compare everywhere (:func:`is_public`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from andi_bench.errors import UserError
from datasets.splits import PARTS, Split, is_published
from datasets.tables import plain_word

KNOWN: tuple[tuple[str, ...], ...] = (
    ("BraTS2021_00557", "BraTS2021_00639"),
    ("BraTS2021_00626", "BraTS2021_00758"),
)
"""Scans of one person under names of their own, 3 and 7 days apart, so that no hash of the images finds them.

Source: the column "BraTS21 ID" of the metadata of UCSF-PDGM (TCIA, doi 10.7937/tcia.bdgf-8v37), where one person's exams
bear both names.
"""

_FIRST = {scan: group[0] for group in KNOWN for scan in group}
_TIME_POINTS = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        r"(?P<person>(BraTS-)?[A-Z]{2,5}-\d{4,5})-\d{3}",  # BraTS 2023 and later: BraTS-GLI-00123-001
        r"(?P<person>.*\d)_FU\d+d",  # UCSF-PDGM: UCSF-PDGM-0391_FU016d
        r"(?P<person>sub-[A-Z0-9]+)(_ses-[A-Z0-9]+)?",  # BIDS
    )
)
_BRATS21 = ("brats21_id", "brats21id", "brats2021_id", "brats2021id")
"""Columns that say which scan of BraTS 2021 a row is, as in the metadata of UCSF-PDGM."""
_PUBLIC = re.compile(r"(BraTS|UCSF-PDGM-|IXI\d|OAS\d|sub-CC\d|sub-r\d+s\d+$|sub-strokecase)", re.I)


@dataclass(frozen=True)
class Owned:
    """What is said of one scan's person.

    Parameters
    ----------
    id : str
        The subject.
    said : str
        The person as a table or a sidecar names it, "" for nothing.
    attributes : mapping of str to str
        Further columns; one that names the scan in BraTS 2021 counts.
    """

    id: str
    said: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def person_of(name: str) -> str:
    """Return the person that a scan's name tells of; the name itself where it tells of none.

    ``BraTS-GLI-00123-001`` is ``BraTS-GLI-00123``, ``UCSF-PDGM-0391_FU016d`` is ``UCSF-PDGM-0391``, ``sub-01_ses-2`` is
    ``sub-01``, and the second scan of a known pair is the first one.
    """
    person = name
    for pattern in _TIME_POINTS:
        found = pattern.fullmatch(person)
        if found is not None:
            person = found["person"]
    short = re.fullmatch(
        r"(UCSF-PDGM-)(\d{3})", person
    )  # folders have four digits, the table three
    person = f"{short[1]}0{short[2]}" if short else person
    return _FIRST.get(person, person)


def persons_of(scans: Iterable[Owned]) -> dict[str, str]:
    """Return the person of each scan: what is said goes before what the name tells; known pairs hold in any case.

    Parameters
    ----------
    scans : iterable of Owned
        All scans of a data set: of two that are one person's, one may be known in BraTS 2021 and the other not.

    Returns
    -------
    dict of str to str
        By subject. A person known in BraTS 2021 bears the name there.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    own: dict[str, str] = {}
    for scan in scans:
        said = scan.said if scan.said not in ("", scan.id) else ""
        mine = person_of(said) if said else person_of(scan.id)
        own[scan.id] = mine
        for other in (_FIRST.get(scan.id), _brats21(scan.attributes)):
            if other is not None and root(mine) != root(other):
                parent[root(mine)] = root(other)
    return {id_: root(mine) for id_, mine in own.items()}


def _brats21(attributes: Mapping[str, str]) -> str | None:
    for key, value in attributes.items():
        if plain_word(key) in _BRATS21:
            number = re.fullmatch(r"(BraTS2021_)?(\d{1,5})", value.strip(), re.IGNORECASE)
            if number is not None:
                return person_of(f"BraTS2021_{int(number[2]):05d}")
    return None


def is_public(person: str) -> bool:
    """Whether a person's name is that of a public collection, and so means the same person in any data set."""
    return _PUBLIC.match(person) is not None


@dataclass(frozen=True)
class Shared:
    """Two scans of one person in two parts of a split."""

    first: str
    where: str
    second: str
    part: str

    def __str__(self) -> str:
        return (
            f"{self.first} ({self.where}) and {self.second} ({self.part}) are scans of one person"
        )


def shared_persons(split: Split, persons: Mapping[str, str]) -> list[Shared]:
    """Return the scans of a person that stand in another part than its first one.

    Parameters
    ----------
    split : Split
        Who is in which part.
    persons : mapping of subject to str
        Whose scan it is; subjects not in it are persons of their own.
    """
    before: dict[str, tuple[str, str]] = {}
    out = []
    for part in PARTS:
        for name in split.ids(part):
            first, where = before.setdefault(persons.get(name, name), (name, part))
            if where != part:
                out.append(Shared(first, where, name, part))
    return out


def require_persons_apart(split: Split, persons: Mapping[str, str]) -> list[str]:
    """Refuse a split that has a person in two parts; published lists that have one are named instead.

    Returns
    -------
    list of str
        A note for each pair of scans in published lists.

    Raises
    ------
    UserError
        Names the first pair of scans, and their parts.
    """
    shared = shared_persons(split, persons)
    if not shared:
        return []
    if not is_published(split):
        more = f" ({len(shared)} such pairs)" if len(shared) > 1 else ""
        raise UserError(f"split ({split.source}): {shared[0]}: one part wanted{more}")
    return [
        f"the published lists have one person in two parts: {pair}; --splits brats21-no-pair are the lists without "
        f"{pair.second}"
        for pair in shared
    ]
