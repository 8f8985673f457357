"""The run record: one folder a run, readable without this package, written whole or not at all.

A record's folder holds

``record.json``
    What was run, how it was measured, and the results (:class:`RunRecord`).
``subjects.csv``
    One line per grid, subject, chain of post-processing and operating point; an empty cell is an undefined value.
``histograms.npz``
    Score histograms as plain arrays, so that pooled figures need no volume again.
``pooled.npz``
    The histograms of the reported subjects, cut down to what resampling them needs
    (:class:`andi_bench.metrics.histograms.grouped.GroupedCounts`); absent from older records.
``confirmed``
    Rarely: when a run found it again although a newer record of the run, on other data, was there
    (:mod:`andi_bench.records.states`).
``SHA256SUMS``
    Digests of these, for ``sha256sum -c``: a record edited by hand is noticed.

and whatever the run attaches: ``config.yaml``, ``loss.csv``, ``figures/*.png``, ``previews/*.npz``
(:mod:`andi_bench.records.previews`), ``report.html``. A published record (:mod:`andi_bench.records.slim`) has ``subjects.csv.xz`` in place of
``subjects.csv``, no ``histograms.npz``, and nothing attached; it is read like any other. Folders whose name begins with a dot are unfinished and never read.
Two runs of the same command differ in :data:`MEASURED` fields only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from andi_bench.errors import UserError
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.records.arrays import (
    HISTOGRAMS,
    POOLED,
    read_grouped,
    write_histograms,
)
from andi_bench.records.digests import check_digests, listed_digests, write_digests
from andi_bench.records.schema import (
    GRID,
    READABLE,
    ChainSummary,
    Costs,
    DataInfo,
    GridResults,
    Group,
    GuardResult,
    MethodInfo,
    Paper,
    PaperChain,
    Pooled,
    Protocol,
    RecordedThreshold,
    RunInfo,
    RunRecord,
    SubjectSummary,
    jsonable,
)
from andi_bench.records.table_file import PACKED, SUBJECTS, opened_table, table_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ChainSummary",
    "Costs",
    "DataInfo",
    "GridResults",
    "Group",
    "GuardResult",
    "MethodInfo",
    "Paper",
    "PaperChain",
    "Pooled",
    "Protocol",
    "RecordedThreshold",
    "RunInfo",
    "RunRecord",
    "SubjectSummary",
    "find_run",
    "identity",
    "read_grouped",
    "read_record",
    "read_subjects",
    "without_measured",
    "write_record",
]

T = TypeVar("T")

RECORD = "record.json"
CONFIRMED = "confirmed"
"""File with the time at which a run found the record to be of the data as they are, beside a newer record of other data."""
KEYS = ("subject", "chain", "point")
"""What names a line of ``subjects.csv``, together with ``grid`` where there is more than one."""
TEXT_COLUMNS = (*KEYS, GRID, "site")
MEASURED = ("created", "peak_memory_mb", "seconds")
"""Fields so named, or with one of these within the name, are time and memory: all others are the same when the
same command runs again."""


def identity(parts: Mapping[str, Any]) -> str:
    """Return the hash of what identifies a run, 64 hexadecimal digits.

    Parameters
    ----------
    parts : mapping
        Data, method, hyper-parameters, seed and the like, of types that JSON knows (and numpy numbers, paths,
        tuples). The order of keys does not matter; leave out device, workers and batch size, which change no map.

    Raises
    ------
    ValueError
        For a value that JSON does not know, or a number that is not finite.
    """
    text = json.dumps(
        parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=jsonable
    )
    return hashlib.sha256(text.encode()).hexdigest()


def write_record(
    records_dir: Path,
    record: RunRecord,
    subjects: pd.DataFrame,
    histograms: Mapping[str, NDArray[Any]],
    attach: Callable[[Path], None] | None = None,
) -> Path:
    """Write a run record: the folder appears whole, or not at all.

    Parameters
    ----------
    records_dir : Path
        Folder of the records; made if absent.
    record : RunRecord
        The run.
    subjects : DataFrame
        Columns ``subject``, ``chain``, ``point`` (each triple once, on each ``grid``) and any others.
    histograms : mapping of str to array
        Plain arrays; score histograms of the reported subjects as ``test/<chain>/<subject>/<array>``.
    attach : callable, optional
        Called with the unfinished folder, to add figures and other files. What it raises leaves no record.

    Returns
    -------
    Path
        The record's folder. Where a finished record of the same identity is there already, that one: it is never
        written again.

    Raises
    ------
    UserError
        When the folder cannot be written, or holds a damaged or another record under this name.
    ValueError
        When the table lacks a key column or names a line twice, an array is not plain, or a number is not finite.
    """
    target = records_dir / record.run.folder_name
    if find_run(records_dir, record.run) is not None:
        return target
    text = record.to_json() + "\n"
    _check_table(subjects)

    def fill(folder: Path) -> None:
        (folder / RECORD).write_text(text, encoding="utf-8")
        subjects.to_csv(folder / SUBJECTS, index=False, lineterminator="\n")
        write_histograms(folder, histograms)
        names = (RECORD, SUBJECTS, HISTOGRAMS, POOLED)
        write_digests(folder, names)
        if attach is not None:
            attach(folder)

    try:
        _write_whole(target, fill, lambda: find_run(records_dir, record.run) is not None)
    except OSError as error:
        where = error.filename or target
        raise UserError(f"{where}: cannot be written ({error.strerror or error})") from error
    return target


def _write_whole(target: Path, fill: Callable[[Path], None], there: Callable[[], bool]) -> None:
    """Fill a folder under another name and give it its own; one that is there already stays as it is."""
    # The process number keeps two runs apart that write the same record at once: the first to finish wins.
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        fill(partial)
        try:
            partial.rename(target)
        except OSError:
            if not there():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def find_run(records_dir: Path, run: RunInfo) -> RunRecord | None:
    """Return the finished record of a run, None where there is none.

    Raises
    ------
    UserError
        When the folder of that name is damaged, or holds a run of another identity.
    """
    folder = records_dir / run.folder_name
    if not folder.exists():
        return None
    try:
        found = read_record(folder)
    except UserError as error:
        raise UserError(f"{error}; remove {folder} to run it again") from error
    if found.run.identity != run.identity:
        raise UserError(
            f"{folder / RECORD}: run.identity = {found.run.identity}, {run.identity} wanted; "
            "remove or rename the folder"
        )
    return found


def read_record(path: Path, whole: bool = True) -> RunRecord:
    """Read a run record.

    Parameters
    ----------
    path : Path
        The record's folder, or its ``record.json``.
    whole : bool
        Whether the digests of all its files are computed; otherwise not that of ``histograms.npz`` where
        ``pooled.npz`` is there in its place, and comparisons then do not read it: it is most of a record.

    Raises
    ------
    UserError
        Names the file that is missing, truncated, of another schema, or changed after it was written.
    """
    folder = path.parent if path.name == RECORD else path
    file = folder / RECORD
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        content = json.loads(data)
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({first_line(error)})") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema not in READABLE:
        raise UserError(f"{file}: schema = {schema!r}, {READABLE[0]} to {READABLE[-1]} wanted")
    try:
        more = {"folder": folder, "confirmed": _confirmed(folder)}
        record = RunRecord.model_validate({**content, **more})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{file}: {key} = {_short(first['input'])}: {first['msg']}") from error
    check_files(folder, () if whole or _needs_histograms(record) else (HISTOGRAMS,))
    return record


def _needs_histograms(record: RunRecord) -> bool:
    """Whether every comparison reads the histograms themselves.

    Of other regions ``pooled.npz`` has nothing, and an older record does not say what its threshold reaches on the
    validation subjects (:func:`andi_bench.records.validation.validation_dice`).
    """
    frozen = [
        points[RANKING_POINT.name]
        for grid in record.grids
        for points in record.on_grid(grid).operating_points.values()
        if RANKING_POINT.name in points
    ]
    untold = any(point.threshold is not None and point.reached is None for point in frozen)
    return untold or record.protocol.region != "brain"


def _confirmed(folder: Path) -> str:
    try:
        return (folder / CONFIRMED).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def read_subjects(folder: Path, grid: str | None = None) -> pd.DataFrame:
    """Read a record's per-subject table; undefined values are NaN in number columns, "" in text columns.

    Parameters
    ----------
    folder : Path
        The record's.
    grid : str, optional
        Only the lines of this grid; all lines, if not given, or where the table knows of no grid.

    Raises
    ------
    UserError
        When the table cannot be read or lacks one of its key columns.
    """
    import pandas as pd

    path = table_path(folder)
    try:
        # "NA" and "007" are subjects' names: every cell is read as text first
        with opened_table(folder) as text:
            table = pd.read_csv(text, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({first_line(error)})") from error
    for key in KEYS:
        if key not in table.columns:
            raise UserError(f"{path}: no column '{key}'")
    if grid is not None and GRID in table.columns:
        table = table[table[GRID] == grid].reset_index(drop=True)
    for name in [column for column in table.columns if column not in TEXT_COLUMNS]:
        try:
            table[name] = [float(cell) if cell else np.nan for cell in table[name]]
        except ValueError:  # a column of words, such as sex
            continue
    return table


def without_measured(content: T) -> T:
    """Return a record's JSON content without the :data:`MEASURED` fields, however deep they stand."""
    if isinstance(content, dict):
        return {  # type: ignore[return-value]
            key: without_measured(value)
            for key, value in content.items()
            if not any(name in str(key) for name in MEASURED)
        }
    if isinstance(content, list):
        return [without_measured(value) for value in content]  # type: ignore[return-value]
    return content


def _check_table(subjects: pd.DataFrame) -> None:
    missing = [key for key in KEYS if key not in subjects.columns]
    if missing:
        raise ValueError(f"the table of subjects has no column {missing[0]!r}")
    keys = [*KEYS, GRID] if GRID in subjects.columns else list(KEYS)
    twice = subjects.duplicated(keys)
    if twice.any():
        line = tuple(subjects.loc[twice, keys].iloc[0])
        raise ValueError(f"the table of subjects holds {line} twice")


def check_files(folder: Path, unread: Collection[str] = ()) -> None:
    """Hold a record's files against their digests, all but those that nobody is going to read.

    Raises
    ------
    UserError
        Names the first file that is missing, or was truncated or changed after the run, with both digests.
    """
    listed = listed_digests(folder)
    if PACKED in listed:
        check_digests(folder, (RECORD, PACKED, POOLED))
        return
    short = POOLED in listed or (folder / POOLED).exists()
    names = (RECORD, SUBJECTS, HISTOGRAMS, *((POOLED,) if short else ()))
    check_digests(folder, names, unread if short else ())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def first_line(error: Exception) -> str:
    """Return what an error says in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
