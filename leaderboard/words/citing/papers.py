"""The publications of the methods, as the records name them: where to read them, and their entries in a bibliography."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from andi_bench.publications.publication import Publication
from leaderboard.tables.row import Row
from leaderboard.words.citing.citations import citation_key, known_publication
from leaderboard.words.run_facts import plain

_ARXIV = re.compile(r"\barXiv[:\s]\s*(\d{4}\.\d{4,5})(?:v\d+)?\b", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+)")
_ADDRESS = re.compile(r"\bhttps?://[^\s,;]+")
_PARTS = re.compile(r"^(?P<authors>[^,]+?(?: et al\.)?), (?P<title>.+), (?P<where>[^,]+)$")


@dataclass(frozen=True)
class Paper:
    """A publication.

    Parameters
    ----------
    key : str
        Its name in a bibliography: lower-case letters, digits and hyphens.
    text : str
        As the record has it: authors, title, where.
    labels : tuple of str
        The rows whose method it describes.
    year : int or None
        Of the method.
    facts : Publication or None
        What ``configs/publications`` says of it; None where there is no file, as for plug-ins.
    """

    key: str
    text: str
    labels: tuple[str, ...]
    year: int | None
    facts: Publication | None = None

    @property
    def parts(self) -> tuple[str, str, str]:
        """Authors, title, and where it appeared; all of the text as the title where it does not fall into these."""
        found = _PARTS.match(self.text)
        return (found["authors"], found["title"], found["where"]) if found else ("", self.text, "")

    @property
    def arxiv(self) -> str:
        """Number of the preprint; "" without one."""
        found = _ARXIV.search(self.text)
        return found[1] if found else ""


def papers_of(rows: Iterable[Row]) -> list[Paper]:
    """Return the publications of some rows, each once, in the order of the rows."""
    labels: dict[str, list[str]] = {}
    first: dict[str, Row] = {}
    for row in rows:
        text = _paper(row)
        if text:
            labels.setdefault(text, []).append(row.label)
            first.setdefault(text, row)
    out: list[Paper] = []
    taken: set[str] = set()
    for text, names in labels.items():
        run = first[text].runs[0]
        known = known_publication(run.run.method, text)
        author = text.split(",", 1)[0].removesuffix(" et al.")
        word = known[0] if known else citation_key(author, run.method.year)
        key, number = word, 1
        while key in taken:
            number += 1
            key = f"{word}-{number}"
        taken.add(key)
        facts = known[1] if known else None
        out.append(Paper(key, text, tuple(dict.fromkeys(names)), run.method.year, facts))
    return out


def address_of(row: Row) -> str:
    """Return where the publication of a row's method can be read; "" where its record does not tell."""
    text = _paper(row)
    arxiv, doi, address = _ARXIV.search(text), _DOI.search(text), _ADDRESS.search(text)
    if address:
        return quote(address[0].rstrip(".)"), safe=":/?=&%#-._~")
    if doi:
        return "https://doi.org/" + quote(doi[1].rstrip(".)"), safe="/-._~")
    return f"https://arxiv.org/abs/{arxiv[1]}" if arxiv else ""


def _paper(row: Row) -> str:
    return " ".join(plain(row.runs[0].method.paper).split()) if row.runs else ""
