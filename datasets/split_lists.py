"""The lists of a split as they stand in files: which line is a header, and what lies beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.tables import SUBJECT_WORDS, Table, is_header_word, plain_word, shape_of

PARTS: tuple[str, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class SplitRow:
    """One subject of a split.

    Parameters
    ----------
    id : str
        The subject.
    attributes : mapping of str to str
        Further columns of the CSV (site, age, sex, ...); "" where a cell is empty.
    """

    id: str
    attributes: dict[str, str] = field(default_factory=dict)


_OTHER_NAMES = {
    **dict.fromkeys(("training", "tr", "trn"), "train"),
    **dict.fromkeys(("valid", "validation", "validate", "dev", "vl"), "val"),
    **dict.fromkeys(("testing", "tst", "ts", "eval", "evaluation"), "test"),
    **{part: part for part in PARTS},
}
"""Words for the parts of a split in other people's file names."""


def files_beside(folder: Path, found: Collection[str]) -> list[str]:
    """Name the tables beside the lists; one that seems to be a list which is not there is refused."""
    notes = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        stem, ending = path.stem.lower(), path.suffix.lower()
        if ending not in (".csv", ".tsv", ".txt") or path.name.startswith("."):
            continue
        if path.name in {f"scans_{part}.csv" for part in PARTS}:
            continue
        part = _OTHER_NAMES.get(stem.removeprefix("scans").strip("_- "))
        if part is not None and part not in found:
            raise UserError(
                f"{path}: scans_{part}.csv wanted as the name of the {part} split, and there is none: rename it"
            )
        if ending != ".txt":
            notes.append(f"{path}: passed over: no list of a split by its name")
    return notes


class Lists:
    """The lists of a split as they stand in the files: which line is a header is settled over all of them.

    Parameters
    ----------
    tables : mapping of part to Table
        Those that are there.
    known : frozenset of str
        Subjects of the data.
    """

    def __init__(self, tables: Mapping[str, Table], known: frozenset[str]) -> None:
        self.tables, self.known = tables, known
        self.notes: list[str] = []
        firsts = {name: table.rows[0][1] for name, table in tables.items() if table.rows}
        self._firsts = Counter(cells[0] for cells in firsts.values())
        self._bare = any(cells[0] in known for cells in firsts.values())
        below = {cells[0] for table in tables.values() for _, cells in table.rows[1:]}
        self._shapes = {shape_of(id_) for id_ in {*below, *known} if re.search(r"\d", id_)}

    def rows(self, part: str) -> tuple[SplitRow, ...]:
        """Return the subjects of one part.

        Raises
        ------
        UserError
            For a file without a line, a row without a subject, one longer than the header, and a subject that stands there
            twice.
        """
        table = self.tables[part]
        lines = table.rows
        if not lines:
            raise UserError(
                f"{table.path}: empty: a header and a line for each subject wanted ('Subject_ID' alone where nobody is in "
                f"the {part} split)"
            )
        if self._is_header(table):
            header, lines = lines[0][1], lines[1:]
        else:
            width = max(len(cells) for _, cells in lines)
            header = ["Subject_ID", *(f"column_{k}" for k in range(2, width + 1))]
        return tuple(_rows_of(table.path, header, lines))

    def _is_header(self, table: Table) -> bool:
        number, cells = table.rows[0]
        first = cells[0]
        if first in self.known:
            return False
        if not first or is_header_word(first):
            return True
        if shape_of(first) in self._shapes:
            return False
        if self._firsts[first] > 1:
            return True
        if self._bare:
            return False
        self.notes.append(
            f"{table.path}, line {number}: '{first}' is taken for the header, not for a subject: 'Subject_ID' wanted there"
        )
        return True


def _rows_of(
    path: Path, header: Sequence[str], lines: Sequence[tuple[int, list[str]]]
) -> Iterable[SplitRow]:
    words = [plain_word(name) for name in header]
    column = 0
    if not is_header_word(words[0]):  # such as the numbers that pandas puts before every row
        column = next((k for k, word in enumerate(words) if word in SUBJECT_WORDS), 0)
    seen = set()
    for number, cells in lines:
        id_ = cells[column] if column < len(cells) else ""
        if not id_:
            what = "the first column" if column == 0 else f"column '{header[column]}'"
            raise UserError(f"{path}, line {number}: {what} is empty: a subject id wanted")
        if any(cells[len(header) :]):
            raise UserError(
                f"{path}, line {number}: {counted(len(cells), 'column')}, {len(header)} wanted (as in the header)"
            )
        if id_ in seen:
            raise UserError(f"{path}, line {number}: subject {id_} stands there twice, once wanted")
        seen.add(id_)
        cells = cells + [""] * (len(header) - len(cells))
        pairs = zip(header, cells, strict=False)
        yield SplitRow(
            id_, {key: cell for k, (key, cell) in enumerate(pairs) if key and k != column}
        )
