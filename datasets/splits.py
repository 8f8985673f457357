"""Which subjects train, validate and test."""

from __future__ import annotations

import bisect
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from andi_bench.errors import UserError, unknown_name
from andi_bench.files import write_atomically
from andi_bench.names import counted, part_of
from andi_bench.place import package_data
from datasets.prepared_root import require_written, unfinished
from datasets.split_lists import PARTS, Lists, SplitRow, files_beside
from datasets.tables import read_table, there

__all__ = ["PARTS", "Split", "SplitRow", "find_split", "hash_split", "read_split", "write_split"]

FRACTIONS: tuple[float, float, float] = (0.75, 0.05, 0.20)
"""Shares of train, val and test where no file says otherwise."""


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
                    f"({part_of(len(missing), listed, 'subject', 'is', 'are')} missing, 0 wanted)"
                )


def read_split(folder: Path, known: Collection[str] = ()) -> Split:
    """Read ``scans_train.csv``, ``scans_val.csv`` and ``scans_test.csv``; a missing one, and a header alone, is an empty part.

    The first column is the subject id whatever its header says; further columns are kept. Blank lines, spaces
    around cells and a byte-order mark are passed over. See :func:`datasets.tables.read_table` for what else is read.

    Parameters
    ----------
    folder : Path
        Holds at least one of the three files.
    known : collection of str
        Subjects of the data: a first line that starts with one of them is a subject, not a header.

    Raises
    ------
    UserError
        When none of the files is there, or one is empty, is not text, has a row longer than its header, or names a
        subject twice; for a link to nothing, and a file that seems to be one of the three under another name.
    """
    files = {name: folder / f"scans_{name}.csv" for name in PARTS}
    found = {name: path for name, path in files.items() if there(path)}
    notes = files_beside(folder, found)
    if not found:
        raise UserError(f"{folder}: none of scans_train.csv, scans_val.csv, scans_test.csv found")
    tables = {name: read_table(path) for name, path in found.items()}
    lists = Lists(tables, frozenset(known))
    rows = {name: lists.rows(name) if name in tables else () for name in PARTS}
    notes += lists.notes
    return Split(rows["train"], rows["val"], rows["test"], source=str(folder), notes=tuple(notes))


def hash_place(id_: str) -> float:
    """Return where the hash of an id puts it, in [0, 1): train comes first, then val, then test."""
    digest = hashlib.blake2b(id_.encode(), digest_size=8, person=b"andi-bench-split").digest()
    return int.from_bytes(digest, "big") / 2**64


def hash_split(
    ids: Sequence[str],
    fractions: tuple[float, float, float] = FRACTIONS,
    persons: Mapping[str, str] | None = None,
) -> Split:
    """Split by a hash of each subject's person, which is the subject's id where nothing else is known.

    A subject's part depends on its person alone, so it stays when other subjects come or go, and all scans of a person
    share a part. Where few persons leave a part empty, the one whose hash lies nearest to that part stands there, and a
    note says so.

    Parameters
    ----------
    ids : sequence of str
        Subjects.
    fractions : (float, float, float)
        Shares of train, val and test, summing to 1; held in expectation.
    persons : mapping of subject to str, or None
        Whose scan it is, for subjects whose person is not their id.
    """
    whose = {id_: (persons or {}).get(id_, id_) for id_ in ids}
    edges = (0.0, fractions[0], fractions[0] + fractions[1])
    part_of = {
        person: PARTS[bisect.bisect(edges, hash_place(person)) - 1]
        for person in sorted(set(whose.values()))
    }
    notes = []
    for name in reversed(PARTS):
        counts = Counter(part_of.values())
        share = fractions[PARTS.index(name)]
        spare = [person for person, part in part_of.items() if counts[part] > 1]
        if counts[name] or share == 0 or not spare:
            continue
        centre = edges[PARTS.index(name)] + share / 2
        moved = min(spare, key=lambda person: abs(hash_place(person) - centre))
        part_of[moved] = name
        notes.append(f"the hash gave {name} nobody, so {moved} was moved there")
    train, val, test = (
        tuple(SplitRow(id_) for id_ in sorted(whose) if part_of[whose[id_]] == name)
        for name in PARTS
    )
    several = any(id_ != person for id_, person in whose.items())
    source = "hash of the person's id" if several else "hash of the subject id"
    return Split(train, val, test, source, tuple(notes))


def find_split(
    dataset: str,
    ids: Sequence[str],
    root: Path,
    given: Path | None = None,
    fractions: tuple[float, float, float] = FRACTIONS,
    *,
    persons: Mapping[str, str] | None = None,
    labelled: Collection[str] | None = None,
    written: Collection[str] | None = None,
) -> Split:
    """Look a data set's split up.

    In this order: the folder given by the user, ``<root>/splits``, the packaged ``splits/<dataset>`` where the data holds
    most of its subjects (:func:`packaged_split`), the hash of the persons. Where nobody's lesions are known, all subjects
    are the test split.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    ids : sequence of str
        Its subjects on disk.
    root : Path
        Its folder.
    given : Path or None
        A folder named by the user, which must then hold a split; or the name of a packaged one.
    fractions : (float, float, float)
        For the hash.
    persons : mapping of subject to str, or None
        Whose scan it is, for the hash; None: each is a person.
    labelled : collection of str or None
        Subjects whose lesions are known; None: all.
    written : collection of str or None
        Files that ``prepare`` wrote into ``<root>/splits``; None: it did not make the folder.

    Raises
    ------
    UserError
        As :func:`read_split`; for subjects that the data lacks, and for lists in ``<root>/splits`` that were written and
        are gone, or were to be written yet.
    """
    if given is not None:
        split = read_split(split_folder(given), ids)
        if split_folder(given) != given:
            return restricted(split, ids)
        split.check_present(ids)
        return split
    own = _beside(root / "splits", ids, written)
    if own is not None:
        return own
    published, notes = packaged_split(dataset, ids)
    if published is not None:
        return published
    if labelled is not None and not labelled:
        notes = [*notes, "no lesion is known of anybody, so all subjects are the test split"]
        rows = tuple(SplitRow(id_) for id_ in sorted(ids))
        return Split(test=rows, source="all subjects", notes=tuple(notes))
    split = hash_split(ids, fractions, persons)
    return replace(split, notes=(*notes, *split.notes))


def _beside(own: Path, ids: Sequence[str], written: Collection[str] | None) -> Split | None:
    """Return the split that lies beside the subjects, None where there is none."""
    if own.is_symlink() and not own.exists():
        raise UserError(f"{own}: cannot be read (a link to nothing)")
    if own.exists() and not own.is_dir():
        raise UserError(f"{own}: a file: a folder with the lists of the split wanted, or none")
    found = [name for name in PARTS if there(own / f"scans_{name}.csv")]
    files_beside(own, found)  # a list under another name is refused, not taken for none
    require_written(own, written or ())
    if found:
        split = read_split(own, ids)
        split.check_present(ids)
        return split
    if written is not None:
        raise unfinished(own.parent)
    return None


ENOUGH = 0.9
"""Published lists split data that holds so large a share of their subjects."""


def split_folder(given: Path) -> Path:
    """Return a folder of lists as the user named it: a path, or the name of packaged lists."""
    packaged = package_data("splits") / given
    named = not given.is_dir() and len(given.parts) == 1 and packaged.is_dir()
    return packaged if named else given


def packaged_split(dataset: str, ids: Collection[str]) -> tuple[Split | None, list[str]]:
    """Return the published split of a data set where the data holds most of its subjects, else None with a note.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    ids : collection of str
        Its subjects.

    Returns
    -------
    split : Split or None
        Without the subjects that are not there; its notes name who is left out on either side.
    notes : list of str
        Why there is none.

    Raises
    ------
    UserError
        As :func:`read_split`.
    """
    folder = package_data("splits") / dataset
    if not any((folder / f"scans_{name}.csv").is_file() for name in PARTS):
        return None, []
    split = read_split(folder, ids)
    listed = {id_ for name in PARTS for id_ in split.ids(name)}
    found = listed & set(ids)
    if len(found) >= ENOUGH * len(listed):
        return restricted(split, ids), []
    if not found:
        return None, []
    return None, [
        f"{len(found)} of the {counted(len(listed), 'subject')} of the published lists (splits/{dataset}) {'is' if len(found) == 1 else 'are'} here, so they are "
        f"not used: 'prepare {dataset} --splits {dataset}' splits these subjects as they say"
    ]


def restricted(split: Split, ids: Collection[str]) -> Split:
    """Return a split without the subjects that the data lacks; notes name them, and subjects that are in no part."""
    there_ = set(ids)
    parts = {name: tuple(r for r in split.part(name) if r.id in there_) for name in PARTS}
    listed = [id_ for name in PARTS for id_ in split.ids(name)]
    gone = [id_ for id_ in listed if id_ not in there_]
    extra = sorted(there_ - set(listed))
    notes = list(split.notes)
    if gone:
        notes.append(
            f"{part_of(len(gone), len(listed), 'subject')} of {split.source} {'is' if len(gone) == 1 else 'are'} not here and left out of the split: "
            f"{named(gone)}"
        )
    if extra:
        notes.append(
            f"{counted(len(extra), 'subject is', 'subjects are')} in no part of {split.source}: {named(extra)}"
        )
    return Split(parts["train"], parts["val"], parts["test"], split.source, tuple(notes))


def named(ids: Sequence[str], most: int = 5) -> str:
    """Return the first few names of a list, and how many more there are."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def is_published(split: Split) -> bool:
    """Whether a split puts every subject where one of the packaged lists does."""
    places = {id_: name for name in PARTS for id_ in split.ids(name)}
    for folder in sorted(p for p in package_data("splits").iterdir() if p.is_dir()):
        if not any((folder / f"scans_{name}.csv").is_file() for name in PARTS):
            continue
        lists = read_split(folder)
        published = {id_: name for name in PARTS for id_ in lists.ids(name)}
        if places and all(published.get(id_) == name for id_, name in places.items()):
            return True
    return False


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
