"""The publications of the methods, as the records name them: where to read them."""

from __future__ import annotations

import re
from urllib.parse import quote

from leaderboard.tables.row import Row
from leaderboard.words.run_facts import plain

_ARXIV = re.compile(r"\barXiv[:\s]\s*(\d{4}\.\d{4,5})(?:v\d+)?\b", re.IGNORECASE)
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+)")
_ADDRESS = re.compile(r"\bhttps?://[^\s,;]+")


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
