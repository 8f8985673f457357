"""Publish a finished run: a slim copy of its record in a folder of results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.files import sweep, whole_folder
from andi_bench.locks import exclusive
from andi_bench.records.schema import RunInfo, RunRecord
from andi_bench.records.search import find_records
from andi_bench.records.slim import read_lines, write_slim
from andi_bench.records.store import RECORD, read_record
from leaderboard.publishing.told import Wish, published

LARGE = 100 * 1024
"""Bytes: a published run is meant to be smaller."""


@dataclass(frozen=True)
class Published:
    """What was published.

    Parameters
    ----------
    folder : Path
        The published record.
    size : int
        Bytes of its files.
    new : bool
        False where it was there already.
    beside : tuple of str
        Other published records of the same method, preset and seed on the same split.
    """

    folder: Path
    size: int
    new: bool
    beside: tuple[str, ...] = ()


def publish(source: Path, results: Path, wish: Wish, *, replace: bool = False) -> Published:
    """Write the slim copy of a run's record, whole or not at all; a copy that is there already is left alone.

    One process at a time writes in a folder; what a killed one left half-written there goes.

    Parameters
    ----------
    source : Path
        The record's folder.
    results : Path
        Folder that gets a folder a run.
    wish : Wish
        What the copy is to say otherwise.
    replace : bool
        Whether a copy that says something else, and others of the same method, preset and seed, give way.

    Raises
    ------
    UserError
        For a record that is damaged, unfinished or of the validation split; a copy that says something else, where ``replace`` is not; runs there whose subjects are
        named otherwise; or a folder that cannot be written.
    """
    record = read_record(source)
    if record.run.split == "val":
        raise UserError(
            f"{source}: of the validation split, on which its thresholds were found; a run of the test split wanted"
        )
    told = published(record, wish)
    with exclusive(results):
        sweep(results)
        return _put(record, told, results, wish, replace)


def _put(
    record: RunRecord, told: dict[str, Any], results: Path, wish: Wish, replace: bool
) -> Published:
    """Write the copy into a folder that no other process writes in."""
    info = RunInfo.model_validate(told["run"])
    target = results / info.folder_name
    there = find_records(results).records
    _named_alike(RunRecord.model_validate(told), there, results)
    beside = tuple(
        other.folder.name
        for other in there
        if other.folder is not None and other.folder != target and _same(other.run, info)
    )
    if target.exists() and not replace:
        if not _says(target, told, read_lines(record, wish.renamed)):
            raise UserError(
                f"{target}: published already, with other content; --replace puts this record in its place"
            )
        return Published(target, size_of(target), new=False, beside=beside)
    with whole_folder(target) as partial:
        write_slim(partial, record, told, wish.renamed)
    if replace:
        for name in beside:
            shutil.rmtree(results / name)
        beside = ()
    return Published(target, size_of(target), new=True, beside=beside)


def size_of(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _same(one: RunInfo, other: RunInfo) -> bool:
    names = ("method", "label", "dataset", "split", "preset", "seed")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _says(target: Path, told: dict[str, Any], lines: str) -> bool:
    """Whether a published record is what would be written now."""
    there = read_record(target)
    with (target / RECORD).open(encoding="utf-8") as file:
        content = json.load(file)
    return content == json.loads(json.dumps(told)) and read_lines(there) == lines


def _named_alike(record: RunRecord, there: Sequence[RunRecord], results: Path) -> None:
    """Refuse other names for the subjects of published runs: they would be taken for other subjects, and nothing be tested.

    Raises
    ------
    UserError
        Names the run whose subjects are called otherwise.
    """
    for other in there:
        same_scans = (
            other.run.split == record.run.split
            and other.run.dataset == record.run.dataset
            and other.protocol.split_fingerprint == record.protocol.split_fingerprint
        )
        if same_scans and set(other.data.test) != set(record.data.test):
            raise UserError(
                f"{results}: {other.run.folder_name} has the same scans under other names of subjects, the same names wanted: "
                "publish all runs of a data set with --anonymous and one table of pseudonyms, or all without"
            )
