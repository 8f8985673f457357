"""Anyone's own scans: which file is whose, as a table says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from andi_bench.errors import UserError
from andi_bench.names import counted
from datasets.names import KINDS, MASK, NIFTI, SYNONYMS
from datasets.persons import person_of
from datasets.prepare.find.grouping import ordered, unusable
from datasets.prepare.find.sources import file_at, scans_in
from datasets.prepare.found import Gathered, Incoming, SourceFile
from datasets.splits import PARTS
from datasets.tables import SUBJECT_WORDS, nearly, plain_word, read_table
from datasets.volume import MODALITIES

HEALTHY = "healthy"
"""In the column of masks: this subject has no lesion, and so needs no file; also a column of its own."""
SHOWN = 12
"""Scans that a table does not mention are named up to so many."""
_OURS = ("split", "person", HEALTHY)
_NAMES = ("subject", "flair", "t1ce", "mask", "brain", "lesion_mask", "brain_mask", *_OURS)


def from_csv(
    table: Path,
    root: Path | None,
    names: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> Gathered:
    """Read which files belong to whom from a CSV with a header: one row a subject.

    Columns: ``subject``; ``flair``, ``t1``, ``t1ce``, ``t2`` (at least one), ``mask`` (a file, empty for not known, or
    ``healthy``), ``healthy`` (yes: no lesion), ``brain``; ``person`` (scans of one person share a part of the split) and
    ``split`` (train, val, test); any further one (site, age, sex) is kept.

    Parameters
    ----------
    table : Path
        As :func:`datasets.tables.read_table` reads it.
    root : Path or None
        Paths are relative to it; None: to the table's folder.
    names : mapping or None
        What the user's names of columns mean, on top of :data:`datasets.names.SYNONYMS`.
    output : Path or None
        A folder whose scans are ours, and need not be mentioned.

    Raises
    ------
    UserError
        When the table cannot be read, has no column of subjects or no modality, or one whose name is nearly a known one.
    """
    out = Gathered()
    header, rows = read_table(table).with_header()
    low = [plain_word(name) for name in header]
    columns = _columns(table, header, low, {k.lower(): v for k, v in (names or {}).items()})
    seen: set[str] = set()
    for number, cells in rows:
        name = cells[columns.subject]
        where = f"{table}, line {number}"
        if name in seen:
            out.problems.append(f"{where}: subject {name} stands there twice, once wanted")
            continue
        seen.add(name)
        found, lines = _row(name, columns, cells, root or table.parent, where)
        out.problems += lines
        if found is not None:
            out.subjects.append(found)
    for k, column in enumerate(header):
        if columns.is_further(k) and any(NIFTI.search(cells[k]) for _, cells in rows):
            out.notes.append(
                f"{table}: column '{column}' names scans and is none of {', '.join(KINDS)}: not used "
                f"(--modality KIND={column} says what it is)"
            )
    out.subjects.sort(key=lambda s: s.id)
    out.problems += _one_file_twice(out.subjects)
    scans = {cell for _, cells in rows for cell in cells if NIFTI.search(cell)}
    mentioned = {_path(root or table.parent, cell).resolve() for cell in scans}
    out.notes += _not_mentioned(table, root, mentioned, output)
    return out


def _not_mentioned(
    table: Path, root: Path | None, mentioned: Collection[Path], output: Path | None
) -> list[str]:
    """Name the scans that lie in the folder, or without one beside those of the table, and that it does not mention."""
    if root is not None:
        found = scans_in(root, output)
    else:
        beside = sorted({path.parent for path in mentioned if path.parent.is_dir()})
        there = [path for folder in beside for path in sorted(folder.iterdir())]
        found = [p for p in there if NIFTI.search(p.name) and p.name[0] != "." and not p.is_dir()]
    left = [path for path in found if path.resolve() not in mentioned]
    shown = [f"{path}: not mentioned in {table.name}, and not used" for path in left[:SHOWN]]
    more = len(left) - SHOWN
    return (
        shown
        if more <= 0
        else [
            *shown,
            f"{counted(more, 'more scan is', 'more scans are')} not mentioned in {table.name}",
        ]
    )


@dataclass(frozen=True)
class _Columns:
    """What the columns of a table of scans are: places in a row."""

    header: Sequence[str]
    subject: int
    kinds: Mapping[int, str]

    def place(self, name: str) -> int | None:
        return self.header.index(name) if name in self.header else None

    def is_further(self, k: int) -> bool:
        """Whether a column is one of those that are kept as they are."""
        name = self.header[k]
        return bool(name) and k != self.subject and k not in self.kinds and name not in _OURS


def _columns(
    table: Path, header: Sequence[str], low: Sequence[str], names: Mapping[str, str]
) -> _Columns:
    subject = next((low.index(name) for name in SUBJECT_WORDS if name in low), None)
    known = {**SYNONYMS, **{plain_word(name): kind for name, kind in names.items()}}
    kinds = {k: known[name] for k, name in enumerate(low) if name in known}
    taken = {*low, *kinds.values()}
    for name in low:
        meant = None if name in (*known, *SUBJECT_WORDS, *_OURS, "") else nearly(name, _NAMES)
        if meant is not None and meant not in taken:
            raise UserError(
                f"{table}: column '{header[low.index(name)]}': '{meant}' meant? Call it so, or something less alike"
            )
    if subject is None or not set(kinds.values()) & set(MODALITIES):
        raise UserError(
            f"{table}: columns {', '.join(header)}: 'subject' and at least one of {', '.join(MODALITIES)} wanted"
        )
    twice = [kind for kind, count in Counter(kinds.values()).items() if count > 1]
    if twice:
        raise UserError(f"{table}: two columns for {twice[0]}: one wanted")
    return _Columns([name.strip().lower() for name in header], subject, kinds)


def _row(
    name: str, columns: _Columns, cells: Sequence[str], root: Path, where: str
) -> tuple[Incoming | None, list[str]]:
    lines = []
    files: dict[str, SourceFile] = {}
    said = {key: cells[place] for key in _OURS if (place := columns.place(key)) is not None}
    healthy = _yes(said.get(HEALTHY, ""))
    if healthy is None:
        lines.append(f"{where}: {name}: healthy '{said[HEALTHY]}': yes, no or nothing wanted")
    for column, kind in columns.kinds.items():
        cell = cells[column]
        if kind == MASK and cell.lower() == HEALTHY:
            healthy = True
        elif cell:
            try:
                files[kind] = file_at(_path(root, cell), Path(cell).name)
            except UserError as error:
                lines.append(f"{where}: {name}, {kind}: {error}")
    if healthy and MASK in files:
        lines.append(f"{where}: {name}: healthy, and with a mask: one of them wanted")
    others = {key: cells[k] for k, key in enumerate(columns.header) if columns.is_further(k)}
    part = said.get("split", "")
    if part not in ("", *PARTS):
        lines.append(f"{where}: split '{part}': {', '.join(PARTS)} or nothing wanted")
    if not lines:
        lines += [f"{where}: {line}" for line in unusable(name, files)]
    if lines:
        return None, lines
    person = said.get("person") or person_of(name)
    return Incoming(name, ordered(files), person, others, bool(healthy), part), []


def _path(root: Path, cell: str) -> Path:
    path = root / cell
    with suppress(RuntimeError):  # there is no such user: a name that begins so
        path = root / Path(cell).expanduser()
    try:
        there = path.exists()
    except OSError:  # a name longer than the file system has them
        there = False
    if "\\" in cell and not there:  # written on Windows
        return root / Path(cell.replace("\\", "/"))
    return path


def _yes(word: str) -> bool | None:
    """Return whether a cell says yes; None where it is no word for yes or no."""
    low = word.lower()
    if low in ("", "0", "0.0", "no", "n", "false", "f", "n/a", "na", "nan"):
        return False
    return True if low in ("1", "1.0", "yes", "y", "true", "t", HEALTHY) else None


def _one_file_twice(subjects: Sequence[Incoming]) -> list[str]:
    """Name files that the table gives to two subjects."""
    owner: dict[Path, str] = {}
    lines = []
    for subject in subjects:
        for kind, file in subject.files.items():
            other = owner.setdefault(file.container.resolve(), subject.id)
            if other != subject.id:
                lines.append(f"{subject.id}: its {kind} is a file of {other} too ({file.label})")
    return lines
