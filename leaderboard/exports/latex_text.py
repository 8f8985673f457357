"""Text as LaTeX: any name prints as it is, with any engine and font encoding, and in a bibliography."""

from __future__ import annotations

import textwrap
import unicodedata

_MARKS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\textbraceleft{}",  # BibTeX counts braces, those behind a backslash too
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",  # \textquotedbl is unknown to the default encoding, and babel makes the mark itself active
    "–": "--",
    "—": "---",
    "−": r"$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "°": r"$^\circ$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∩": r"$\cap$",
    "µ": r"$\mu$",
    "…": r"\ldots{}",
    "’": "{'}",
    "'": "{'}",
    "`": "{`}",
    "*": "{*}",  # behind a line break it would be part of the command
    "[": "{[}",
    "]": "{]}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
"""Combining marks that every encoding has an accent for."""

_LONGEST_WORD, _PIECE = 16, 12


def escaped(text: str) -> str:
    """Return text that LaTeX prints as it is; what no usual font has a letter for becomes its code point."""
    return "".join(map(_mark, " ".join(text.split())))


def _mark(mark: str) -> str:
    if mark in _MARKS:
        return _MARKS[mark]
    if " " <= mark < "\x7f":
        return mark
    apart = unicodedata.normalize("NFD", mark)
    letter, accent = apart[:1], _ACCENTS.get(apart[1:])
    if accent and letter.isascii() and letter.isalpha():
        base = rf"\{letter}" if letter in "ij" else letter
        return rf"\{accent}{{{base}}}"
    return f"U+{ord(mark):04X}"


def breakable(text: str) -> str:
    """Return text like :func:`escaped` that may break within words too long for a column."""
    words = []
    for word in text.split():
        pieces = [word]
        if len(word) > _LONGEST_WORD:
            pieces = textwrap.wrap(word, _PIECE, break_on_hyphens=False) or [word]
        words.append(r"\allowbreak{}".join(map(escaped, pieces)))
    return " ".join(words)
