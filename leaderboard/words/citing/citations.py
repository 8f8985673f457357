"""What runs are to be cited by: the suite, their methods, their data sets; each publication under its key in a bibliography."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from andi_bench.config import (
    dataset_entry,
    method_entry,
    names_in,
    read_yaml,
    validated,
)
from andi_bench.errors import unknown_name
from andi_bench.place import package_data
from andi_bench.publications.publication import Publication
from andi_bench.records.schema import RunRecord

SUITE = "andi-bench"
"""Key of the suite itself."""

FOLDER = "publications"


def publication(key: str) -> Publication:
    """Return what ``configs/publications/KEY.yaml`` says.

    Raises
    ------
    UserError
        For a key without a file, with the nearest one; for a file that does not hold a publication.
    """
    path = package_data("configs") / FOLDER / f"{key}.yaml"
    if not path.is_file():
        raise unknown_name("publication", key, names_in(FOLDER))
    return validated(Publication, read_yaml(path), str(path))


def cited(named: Iterable[str | Publication]) -> dict[str, Publication]:
    """Return publications by their keys, in the order in which they are named, each once.

    Parameters
    ----------
    named : iterable of str or Publication
        As the YAML file of a method or a data set has them; facts that stand there themselves get a key made of the
        first author and the year.

    Raises
    ------
    UserError
        For a name without a file.
    """
    found: dict[str, Publication] = {}
    for one in named:
        if isinstance(one, str):
            found[one] = publication(one)
        else:
            family = one.authors[0].strip("{}").split(",")[0]
            found[citation_key(family, one.year)] = one
    return found


def citation_key(family: str, year: int | None) -> str:
    """Return a key of lower-case letters, digits and hyphens, such as ``frotscher-2023``, which any bibliography takes."""
    letters = unicodedata.normalize("NFKD", family).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:40] or "paper"
    return f"{word}-{year}" if year else word


def known_publication(method: str, text: str) -> tuple[str, Publication] | None:
    """Return the publication of a method that its record means, with its key; None where the configuration has none.

    Parameters
    ----------
    method : str
        Registered name.
    text : str
        What the record says of the publication. A plug-in of a configured method's name has another one.
    """
    entry = method_entry(method)
    for key, one in cited(entry.publications).items() if entry else ():
        if one.is_meant_by(text):
            return key, one
    return None


@dataclass(frozen=True)
class Citation:
    """A publication, and what it is cited for.

    Parameters
    ----------
    key : str
        Its name in a bibliography.
    publication : Publication or None
        Its facts; None where a record has it in words alone.
    text : str
        The words of the record; "" where there are facts.
    of : tuple of str
        Such as ``method andi`` and ``data set phantom``.
    """

    key: str
    publication: Publication | None
    text: str
    of: tuple[str, ...]


@dataclass
class _Found:
    """Publications gathered so far, what each is cited for, and what has none."""

    facts: dict[str, Publication]
    words: dict[str, str]
    of: dict[str, list[str]]
    without: list[str]

    def add(self, subject: str, named: Iterable[str | Publication]) -> bool:
        found = cited(named)
        self.facts.update(found)
        for key in found:
            self._note(key, subject)
        return bool(found)

    def add_words(self, subject: str, text: str, year: int | None) -> None:
        key = citation_key(text.split(",", 1)[0].removesuffix(" et al."), year)
        while key in self.facts or self.words.get(key, text) != text:
            key += "-2"
        self.words[key] = text
        self._note(key, subject)

    def miss(self, subject: str) -> None:
        if subject not in self.without:
            self.without.append(subject)

    def _note(self, key: str, subject: str) -> None:
        subjects = self.of.setdefault(key, [])
        if subject not in subjects:
            subjects.append(subject)

    def listed(self) -> list[Citation]:
        return [
            Citation(key, self.facts.get(key), self.words.get(key, ""), tuple(subjects))
            for key, subjects in self.of.items()
        ]


def citations_of(records: Sequence[RunRecord]) -> tuple[list[Citation], list[str]]:
    """Return what some runs are to be cited by, the suite first, and the names of what nobody knows a publication of.

    Parameters
    ----------
    records : sequence of RunRecord
        Their methods, the data sets they were measured on, and those that were learnt from.
    """
    found = _Found({}, {}, {}, [])
    found.add("the suite", [SUITE])
    for record in records:
        _add_method(found, record)
    for record in records:
        for name in dict.fromkeys([record.run.dataset, record.data.trained_on]):
            if name:
                _add_data_set(found, name)
    return found.listed(), found.without


def all_citations() -> list[Citation]:
    """Return the publications of the suite, of every configured method and of every configured data set."""
    found = _Found({}, {}, {}, [])
    found.add("the suite", [SUITE])
    for name in names_in("methods"):
        entry = method_entry(name)
        found.add(f"method {name}", entry.publications if entry else ())
    for name in names_in("datasets"):
        found.add(f"data set {name}", dataset_entry(name).publications)
    return found.listed()


def _add_method(found: _Found, record: RunRecord) -> None:
    """Add what the record's words mean; the words themselves where they mean nothing that is known."""
    subject, text = f"method {record.run.method}", " ".join(record.method.paper.split())
    known = known_publication(record.run.method, text) if text else None
    if known:
        found.add(subject, [known[0]] if known[0] in names_in(FOLDER) else [known[1]])
    elif text:
        found.add_words(subject, text, record.method.year)
    else:
        found.miss(subject)


def _add_data_set(found: _Found, name: str) -> None:
    entry = dataset_entry(name) if name in names_in("datasets") else None
    if entry is None or not found.add(f"data set {name}", entry.publications):
        found.miss(f"data set {name}")
