"""All run records of some folders, with what is wrong with those that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from andi_bench.errors import UserError
from andi_bench.records.schema import RunRecord
from andi_bench.records.settings import settings_of
from andi_bench.records.store import (
    RECORD,
    check_files,
    first_line,
    read_record,
    without_measured,
)


class Found(NamedTuple):
    """What :func:`find_records` found: records, and (folder, reason) of what was left out."""

    records: list[RunRecord]
    skipped: list[tuple[Path, str]]


def find_records(
    directories: Path | Sequence[Path], glob: str = "*", *, whole: bool = False
) -> Found:
    """Read all records of a folder, or of several; whatever is wrong with one, the others are still read.

    Parameters
    ----------
    directories : Path or sequence of Path
        Folders of the records. Records copied in from elsewhere count like all others.
    glob : str
        Pattern for the names of their folders.
    whole : bool
        Whether the digests of histograms are computed too that an ordinary comparison does not read.

    Returns
    -------
    Found
        Records in the order of their folders' names, and what was skipped with the reason: damaged and other
        folders, and second copies of a run. A second record of a run that says something else than the first is no
        copy: it is skipped too, and the reason says so.

    Raises
    ------
    UserError
        When a folder is absent or cannot be read.
    """
    places = _places(directories)
    found = Found([], [])
    seen: dict[str, RunRecord] = {}
    for folder in [folder for place in places for folder in _folders(place, glob)]:
        if not (folder / RECORD).is_file():
            found.skipped.append((folder, f"{folder}: no {RECORD}: not a run record"))
            continue
        try:
            record = read_record(folder, whole)
        except UserError as error:
            found.skipped.append((folder, str(error)))
            continue
        first = seen.setdefault(record.run.identity, record)
        if first is record:
            found.records.append(record)
            continue
        assert first.folder is not None
        name = str(first.folder) if len(places) > 1 else first.folder.name
        reason = f"{folder}: the same run as {name}"
        if results_of(record) != results_of(first):
            reason += f", but other results ({_clash(first, record)}): the first one stands"
        found.skipped.append((folder, reason))
    return found


def verify_records(directories: Path | Sequence[Path], glob: str = "*") -> int:
    """Hold every file of all records of a folder, or of several, against its digest; return how many records there are.

    Parameters as for :func:`find_records`.

    Raises
    ------
    UserError
        Names the first file that is missing, or was truncated or changed after the run, with both digests; or a folder
        that is absent or cannot be read.
    """
    number = 0
    for folder in [folder for place in _places(directories) for folder in _folders(place, glob)]:
        if (folder / RECORD).is_file():
            check_files(folder)
            number += 1
    return number


def _places(directories: Path | Sequence[Path]) -> list[Path]:
    return [directories] if isinstance(directories, Path) else list(dict.fromkeys(directories))


def _folders(directory: Path, glob: str) -> list[Path]:
    if not directory.is_dir():
        raise UserError(
            f"{directory}: no such folder of run records: run something first, or name --workspace or --records"
        )
    try:
        return sorted(
            entry
            for entry in directory.glob(glob)
            if entry.is_dir() and not entry.name.startswith(".") and entry.parent == directory
        )
    except (OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{directory}: '{glob}' cannot be listed ({first_line(error)})") from error


def results_of(record: RunRecord) -> Any:
    """Return what a run found, without times, memory and the machine it ran on."""
    content = record.model_dump(mode="json", exclude={"costs", "provenance", "training"})
    content["config"] = settings_of(record)
    return without_measured(content)


def _clash(first: RunRecord, second: RunRecord) -> str:
    """Name the first figure in which two records of one run differ."""
    for chain, results in first.summary.items():
        others = second.summary.get(chain)
        for name, figure in results.subjects.items():
            other = others.subjects.get(name) if others else None
            if other is None or other.mean != figure.mean:
                mean = None if other is None else other.mean
                return f"{name}, {chain}: {_number(mean)} instead of {_number(figure.mean)}"
    return "not the same record.json"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
