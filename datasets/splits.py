"""Which subjects train, validate and test."""

from __future__ import annotations

import bisect
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from andi_bench.errors import UserError, unknown_name
from andi_bench.files import write_atomically
from andi_bench.place import package_data

PARTS: tuple[str, ...] = ("train", "val", "test")
FRACTIONS: tuple[float, float, float] = (0.75, 0.05, 0.20)
"""Shares of train, val and test where no file says otherwise."""


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


@dataclass(frozen=True)
class Split:
    """Three lists of subjects.

    Parameters
    ----------
    train, val, test : tuple of SplitRow
        In the order of the files.
    source : str
        Where the split comes from: a folder, or "hash of the subject id".
    notes : tuple of str
        What a reader of its results should know.
    """

    train: tuple[SplitRow, ...] = ()
    val: tuple[SplitRow, ...] = ()
    test: tuple[SplitRow, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()

    def part(self, name: str) -> tuple[SplitRow, ...]:
        """Return one part by name.

        Raises
        ------
        UserError
            For a name other than train, val, test.
        """
        if name not in PARTS:
            raise unknown_name("split", name, PARTS)
        rows: tuple[SplitRow, ...] = getattr(self, name)
        return rows

    def ids(self, name: str) -> list[str]:
        """Return the subjects of one part."""
        return [row.id for row in self.part(name)]

    def fingerprint(self, *parts: str) -> str:
        """Hash which subjects stand in which part (all three by default), whatever their order."""
        text = "\n".join(
            f"{name}\t{id_}" for name in parts or PARTS for id_ in sorted(self.ids(name))
        )
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def check_disjoint(self, contents: Mapping[str, str] | None = None) -> None:
        """Refuse a split that has a subject, or a scan, in two parts.

        Parameters
        ----------
        contents : mapping of subject to str, or None
            Content hash of each subject's scan; subjects not in it are compared by name alone.

        Raises
        ------
        UserError
            Names the pair of subjects and the two parts.
        """
        place: dict[str, str] = {}
        scan: dict[str, tuple[str, str]] = {}
        for name in PARTS:
            for row in self.part(name):
                if row.id in place:
                    raise UserError(
                        f"split ({self.source}): subject {row.id} is in {place[row.id]} and in {name}: "
                        "one of them wanted"
                    )
                place[row.id] = name
                content = (contents or {}).get(row.id)
                if content is None:
                    continue
                other, where = scan.setdefault(content, (row.id, name))
                if where != name:
                    raise UserError(
                        f"split ({self.source}): {other} ({where}) and {row.id} ({name}) are the same scan "
                        "under two names: one of them wanted"
                    )

    def check_present(self, known: Collection[str]) -> None:
        """Refuse a split that names subjects which the data lacks.

        Raises
        ------
        UserError
            Names the first of them, and says how many there are.
        """
        there = set(known)
        for name in PARTS:
            missing = [id_ for id_ in self.ids(name) if id_ not in there]
            if missing:
                listed = len(self.ids(name))
                raise UserError(
                    f"split ({self.source}), scans_{name}.csv: subject {missing[0]} is not in the data "
                    f"({len(missing)} of {listed} are missing, 0 wanted)"
                )


def read_split(folder: Path, known: Collection[str] = ()) -> Split:
    """Read ``scans_train.csv``, ``scans_val.csv`` and ``scans_test.csv``; a missing one is an empty part.

    The first column is the subject id whatever its header says; further columns are kept. Blank lines, spaces
    around cells and a byte-order mark are passed over.

    Parameters
    ----------
    folder : Path
        Holds at least one of the three files.
    known : collection of str
        Subjects of the data: a first line that starts with one of them is a subject, not a header.

    Raises
    ------
    UserError
        When none of the files is there, or one is not text, has a row longer than its header, or names a
        subject twice.
    """
    files = {name: folder / f"scans_{name}.csv" for name in PARTS}
    if not any(path.is_file() for path in files.values()):
        raise UserError(f"{folder}: none of scans_train.csv, scans_val.csv, scans_test.csv found")
    rows = {
        name: _read_rows(path, set(known)) if path.is_file() else () for name, path in files.items()
    }
    return Split(rows["train"], rows["val"], rows["test"], source=str(folder))


def _read_rows(path: Path, known: set[str]) -> tuple[SplitRow, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [
            (number, [cell.strip() for cell in cells])
            for number, cells in enumerate(csv.reader(io.StringIO(text)), start=1)
        ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        return ()
    first = lines[0][1]
    if first[0] in known:
        width = max(len(cells) for _, cells in lines)
        header = ["Subject_ID", *(f"column_{k}" for k in range(2, width + 1))]
    else:
        header, lines = first, lines[1:]
    rows: dict[str, SplitRow] = {}
    for number, cells in lines:
        id_ = cells[0]
        if not id_:
            raise UserError(
                f"{path}, line {number}: the first column is empty: a subject id wanted"
            )
        if any(cells[len(header) :]):
            raise UserError(
                f"{path}, line {number}: {len(cells)} columns, {len(header)} wanted (as in the header)"
            )
        if id_ in rows:
            raise UserError(f"{path}, line {number}: subject {id_} stands there twice, once wanted")
        cells = cells + [""] * (len(header) - len(cells))
        attributes = {key: cell for key, cell in zip(header[1:], cells[1:], strict=False) if key}
        rows[id_] = SplitRow(id_, attributes)
    return tuple(rows.values())


def hash_place(id_: str) -> float:
    """Return where the hash of an id puts it, in [0, 1): train comes first, then val, then test."""
    digest = hashlib.blake2b(id_.encode(), digest_size=8, person=b"andi-bench-split").digest()
    return int.from_bytes(digest, "big") / 2**64


def hash_split(ids: Sequence[str], fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Split by a hash of each subject's id.

    A subject's part depends on its id alone, so it stays when other subjects come or go. Where few subjects leave a
    part empty, the one whose hash lies nearest to that part stands there, and a note says so.

    Parameters
    ----------
    ids : sequence of str
        Subjects.
    fractions : (float, float, float)
        Shares of train, val and test, summing to 1; held in expectation.
    """
    edges = (0.0, fractions[0], fractions[0] + fractions[1])
    part_of = {id_: PARTS[bisect.bisect(edges, hash_place(id_)) - 1] for id_ in sorted(ids)}
    notes = []
    for name in reversed(PARTS):
        counts = Counter(part_of.values())
        share = fractions[PARTS.index(name)]
        spare = [id_ for id_, part in part_of.items() if counts[part] > 1]
        if counts[name] or share == 0 or not spare:
            continue
        centre = edges[PARTS.index(name)] + share / 2
        moved = min(spare, key=lambda id_: abs(hash_place(id_) - centre))
        part_of[moved] = name
        notes.append(f"the hash gave {name} nobody, so {moved} stands there")
    train, val, test = (
        tuple(SplitRow(id_) for id_, part in part_of.items() if part == name) for name in PARTS
    )
    return Split(train, val, test, "hash of the subject id", tuple(notes))


def find_split(
    dataset: str,
    ids: Sequence[str],
    root: Path,
    given: Path | None = None,
    fractions: tuple[float, float, float] = FRACTIONS,
) -> Split:
    """Look a data set's split up.

    In this order: the folder given by the user, ``<root>/splits``, the packaged ``splits/<dataset>``, the
    hash of the subject ids.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    ids : sequence of str
        Its subjects on disk.
    root : Path
        Its folder.
    given : Path or None
        A folder named by the user, which must then hold a split.
    fractions : (float, float, float)
        For the hash.

    Raises
    ------
    UserError
        As :func:`read_split`, and for subjects that the data lacks.
    """
    if given is not None:
        split = read_split(given, ids)
    else:
        for folder in (root / "splits", package_data("splits") / dataset):
            if any((folder / f"scans_{name}.csv").is_file() for name in PARTS):
                split = read_split(folder, ids)
                break
        else:
            return hash_split(ids, fractions)
    split.check_present(ids)
    return split


def write_split(split: Split, folder: Path) -> None:
    """Write the three CSV files, each atomically; empty parts too.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    for name, content in split_files(split).items():
        write_atomically(folder / name, content)


def split_files(split: Split) -> dict[str, bytes]:
    """Return the content of the three CSV files by their names."""
    out = {}
    for name in PARTS:
        rows = split.part(name)
        keys = list(dict.fromkeys(key for row in rows for key in row.attributes))
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["Subject_ID", *keys])
        writer.writerows([row.id, *(row.attributes.get(key, "") for key in keys)] for row in rows)
        out[f"scans_{name}.csv"] = buffer.getvalue().encode()
    return out
