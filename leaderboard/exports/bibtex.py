"""Publications as BibTeX: of the rows of a table, and of runs (``cite``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from andi_bench import __version__
from andi_bench.publications.publication import Publication
from leaderboard.exports.latex_text import escaped
from leaderboard.words.citing.citations import Citation
from leaderboard.words.citing.papers import Paper

_VENUE = {"article": "journal", "inproceedings": "booktitle"}
"""The field that says where a publication appeared; ``howpublished`` for every other kind."""

_ENTRY = {"software": "misc"}
"""Kinds that plain BibTeX has no entry for."""


def bibliography_of(papers: Sequence[Paper]) -> str:
    """Return the publications of a table's rows: facts where the configuration has them, else a misc entry of the words."""
    return "\n".join(
        publication_entry(paper.key, paper.facts) if paper.facts else words_entry(paper)
        for paper in papers
    )


def cited_bibliography(citations: Sequence[Citation]) -> str:
    """Return what runs are to be cited by; a comment above each entry says what it stands for."""
    parts = []
    for one in citations:
        facts = one.publication
        entry = (
            publication_entry(one.key, facts)
            if facts
            else words_entry(Paper(one.key, one.text, (), None))
        )
        parts.append(f"% {escaped('; '.join(one.of))}\n{entry}")
    return "\n".join(parts)


def publication_entry(key: str, publication: Publication) -> str:
    """Return a publication as an entry that plain BibTeX and biblatex read.

    Parameters
    ----------
    key : str
        Its name in the bibliography.
    publication : Publication
        Its facts.
    """
    authors = [*publication.authors, *(["others"] if publication.others else [])]
    venue = _VENUE.get(publication.kind, "howpublished")
    software = f"Software, version {__version__}" if publication.kind == "software" else ""
    where = publication.venue or software
    if publication.arxiv and not where:
        where = f"arXiv {publication.arxiv}"
    return _entry(
        _ENTRY.get(publication.kind, publication.kind),
        key,
        {
            "author": " and ".join(map(_author, authors)),
            "title": f"{{{escaped(publication.title)}}}",
            venue: escaped(where),
            "volume": escaped(publication.volume),
            "number": escaped(publication.number),
            "pages": escaped(publication.pages).replace("-", "--"),
            "year": str(publication.year),
            "doi": publication.doi,
            "eprint": publication.arxiv,
            "archiveprefix": "arXiv" if publication.arxiv else "",
            "url": publication.url,
        },
    )


def words_entry(paper: Paper) -> str:
    """Return a publication of which a record has words alone: a misc entry, which any style prints."""
    authors, title, where = paper.parts
    return _entry(
        "misc",
        paper.key,
        {
            "author": escaped(re.sub(r" et al\.$", " and others", authors)),
            "title": f"{{{escaped(title)}}}",
            "howpublished": escaped(where),
            "eprint": paper.arxiv,
            "archiveprefix": "arXiv" if paper.arxiv else "",
            "year": str(paper.year or ""),
        },
    )


def _author(name: str) -> str:
    """Return a name as BibTeX reads it: that of a group stays whole."""
    if name.startswith("{") and name.endswith("}"):
        return f"{{{escaped(name[1:-1])}}}"
    return escaped(name)


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])
