"""Names as they stand in names of files; numbers of things in words."""

from __future__ import annotations

import re

_ONE = re.compile(
    r"(?<![\d.,/-])\b1 ((?:brain |lesion |lesion-free |training |validation |test )*)"
    r"(lesion|person|scan|split|subject|thread|voxel)s\b"
)
_ONE_OF = re.compile(r"(?<![\d.,/-])\b1 of (\d+ lesions?) have\b")


def slug(name: str, keep: str = "") -> str:
    """Return a name in lower-case letters, digits and dashes; "" where it has none of these.

    Parameters
    ----------
    name : str
        Any text.
    keep : str
        Further characters that stay, but for the ends.
    """
    return re.sub(f"[^a-z0-9{re.escape(keep)}]+", "-", name.lower()).strip(f"-{keep}")


def folder_word(name: str) -> str:
    """Return a name as part of a folder's name: as :func:`slug`, dots kept; ``unnamed`` where nothing is left."""
    return slug(name, keep=".") or "unnamed"


def counted(number: float, noun: str, plural: str = "", form: str = "") -> str:
    """Return a number of things in words: ``1 subject``, ``2 subjects``, ``0 subjects``.

    Parameters
    ----------
    number : float
        How many; of what is measured also between whole numbers.
    noun : str
        Of one of them, with what goes with it: ``validation subject``, ``scan is``.
    plural : str
        Of several, where that is not the noun with an s.
    form : str
        How the number is written, such as ``,``.
    """
    return f"{number:{form}} {noun if number == 1 else plural or noun + 's'}"


def part_of(part: int, whole: int, noun: str, one: str = "", several: str = "") -> str:
    """Return how many of some things in words: ``1 of 4 subjects lacks``, ``2 of 4 subjects lack``.

    Parameters
    ----------
    part, whole : int
        How many, and of how many.
    noun : str
        Of one of them.
    one, several : str
        What is said of one, and of none or several: the number before *of* decides.
    """
    said = one if part == 1 else several
    return f"{part} of {counted(whole, noun)}{said and ' '}{said}"


def in_number(text: str) -> str:
    """Return a text of a record with ``1 threads``, ``1 of 4 lesions have`` and their like mended, which earlier versions wrote."""
    return _ONE_OF.sub(r"1 of \1 has", _ONE.sub(r"1 \1\2", text))
