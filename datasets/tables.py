"""Tables that people make: CSV as programs and as Excel write it, read in one place.

Comma, semicolon or tab between cells, with or without Excel's ``sep=;``; UTF-8, UTF-16 or Windows-1252, with or without a
byte-order mark; line ends of any system. What is no such table is refused by what it is.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.names import counted

SUBJECT_WORDS = ("subject", "subject_id", "id", "participant_id", "case")
"""What the column of subjects is called in a table of scans."""
_HEADER = re.compile(
    r"(subject|sub|case|patient|participant|scan|brats(20)?21|brats|image|file)s?(_?(id|name)s?)?|ids?|names?|identifier|key"
)
"""What the first column of a list of subjects may be called beside."""
_SEPARATOR = re.compile(r"^sep=(.)\s*$", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_NO_TABLE = {
    b"PK": "an Excel workbook or a zip",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"\x1f\x8b": "a compressed file",
    b"version https://git-lfs": "a pointer of Git LFS, whose content was not fetched",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Table:
    """The lines of a table that are not empty.

    Parameters
    ----------
    path : Path
        The file.
    rows : list of (number, list of str)
        Line number in the file, from 1, and its cells without spaces around them.
    """

    path: Path
    rows: list[tuple[int, list[str]]] = field(default_factory=list)

    def with_header(self) -> tuple[list[str], list[tuple[int, list[str]]]]:
        """Return the header, and the other rows filled up to its length.

        Raises
        ------
        UserError
            When there is no row beside the header, or one is longer than it.
        """
        if len(self.rows) < 2:
            raise UserError(f"{self.path}: a header and one row a subject wanted")
        header = self.rows[0][1]
        out = []
        for number, cells in self.rows[1:]:
            if any(cells[len(header) :]):
                raise UserError(
                    f"{self.path}, line {number}: {counted(len(cells), 'column')}, {len(header)} wanted (as in the header)"
                )
            cells = cells[: len(header)]
            out.append((number, cells + [""] * (len(header) - len(cells))))
        return header, out


def there(path: Path) -> bool:
    """Whether a file is there; a link to nothing and a folder are refused rather than taken for an absent file.

    Raises
    ------
    UserError
        For a link to nothing, and for what is there and no file.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: cannot be read (a link to nothing)")
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: no file: a table wanted there, or nothing of that name")
    return path.is_file()


def read_table(path: Path) -> Table:
    """Read a table, whoever wrote it.

    Parameters
    ----------
    path : Path
        CSV or TSV.

    Raises
    ------
    UserError
        When it cannot be read, or is no such table; an Excel workbook, a web page and so on are called so.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        gone = path.is_symlink() and not path.exists()
        why = "a link to nothing" if gone else (error.strerror or str(error))
        raise UserError(f"{path}: cannot be read as CSV ({why})") from error
    for start, what in _NO_TABLE.items():
        if content[: len(start)].lower() == start.lower():
            raise UserError(f"{path}: {what}: CSV wanted, one row a subject (save it as CSV)")
    text = _decoded(content, path)
    separator, text, before = _separator(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)
        rows = [(reader.line_num + before, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error
    return Table(path, [(number, cells) for number, cells in rows if any(cells)])


def _decoded(content: bytes, path: Path) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif content[1:2] == b"\0":
        encodings = ["utf-16-le"]
    elif content[:1] == b"\0":
        encodings = ["utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise UserError(
        f"{path}: cannot be read as CSV (no text in UTF-8, UTF-16 or Windows-1252): save it as 'CSV UTF-8'"
    )


def _separator(text: str) -> tuple[str, str, int]:
    """Return what stands between cells, the text without Excel's line about it, and how many lines that took."""
    lines = text.lstrip("\r\n").splitlines()
    first = lines[0] if lines else ""
    said = _SEPARATOR.match(first)
    if said is not None:
        skipped = text.index(first) + len(first)
        return said[1], text[skipped:].lstrip("\r").removeprefix("\n"), 1
    plain = _QUOTED.sub("", next((line for line in lines if line.strip(" ,;\t")), first))
    for separator in "\t;":
        if separator in plain:
            return separator, text, 0
    return ",", text, 0


def shape_of(name: str) -> str:
    """Return a name with every run of digits as ``#``: names of one series are alike then."""
    return re.sub(r"\d+", "#", name)


def plain_word(name: str) -> str:
    """Return a column's name as it is compared: lower case, with ``_`` for spaces and dashes."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def is_header_word(name: str) -> bool:
    """Whether a cell is a usual header of the column of subjects."""
    return _HEADER.fullmatch(plain_word(name)) is not None


def nearly(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that another is nearly, such as ``person`` for ``persn``; None where there is none."""
    found = difflib.get_close_matches(plain_word(word), list(known), n=1, cutoff=0.84)
    return found[0] if found else None
