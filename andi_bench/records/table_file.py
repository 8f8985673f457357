"""The file with a record's table of subjects: plain text in a run's record, packed (xz) in a published one."""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

SUBJECTS, PACKED = "subjects.csv", "subjects.csv.xz"


def table_path(folder: Path) -> Path:
    """Return the file that a record's table of subjects is in; the plain one where there is none."""
    packed = folder / PACKED
    return packed if packed.is_file() else folder / SUBJECTS


@contextmanager
def opened_table(folder: Path) -> Iterator[TextIO]:
    """Open a record's table of subjects for :mod:`csv`, packed or not.

    Raises
    ------
    OSError
        When it cannot be read, also where what was packed is damaged.
    """
    path = table_path(folder)
    if path.name != PACKED:
        with path.open(encoding="utf-8", newline="") as plain:
            yield plain
        return
    try:
        with lzma.open(path, "rt", encoding="utf-8", newline="") as text:
            yield text
    except (lzma.LZMAError, EOFError) as error:
        raise OSError(f"packed data are damaged: {error}") from error


def packed_text(text: str) -> bytes:
    """Return what a packed table of this text holds."""
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
