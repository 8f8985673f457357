"""Which runs of a leaderboard are published, which are missing, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from andi_bench.config import method_entry
from andi_bench.errors import UserError, reason
from andi_bench.files import write_atomically
from andi_bench.metrics.compared import compared
from andi_bench.records.schema import RunRecord
from leaderboard.publishing.boards import Board, BoardData
from leaderboard.publishing.told import without_paths
from leaderboard.tables.cells import DASH
from leaderboard.tables.pipelines import Choice
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate
from leaderboard.tables.table import Table

NOT_YET = "not run yet"
MISSING_HEADS = ("Methods", "Data sets", "Seeds", "Preset", "Dice", "Why they are missing")
FAILED = "failed.json"
"""Among a data set's published runs: those that failed, with the reason."""


@dataclass(frozen=True)
class Expected:
    """A run that a leaderboard is to have.

    Parameters
    ----------
    data : BoardData
        The data set.
    method : str
        Registered name.
    seed : int
        Seed.
    reason : str
        Why it is missing; "" where it is published.
    """

    data: BoardData
    method: str
    seed: int
    reason: str = ""


def expected_runs(board: Board, records: Sequence[RunRecord], results: Path) -> list[Expected]:
    """Return every run of a leaderboard in the order in which they are run: by seed, by method, by data set.

    A method without chance has the first seed alone: another would give the same maps.

    Parameters
    ----------
    board : Board
        The leaderboard.
    records : sequence of RunRecord
        All that are published of it.
    results : Path
        Folder of the published runs, a folder a data set.

    Raises
    ------
    UserError
        When a note of failed runs cannot be read.
    """
    there = {
        (record.run.dataset, record.run.method, record.run.seed)
        for record in records
        if record.run.preset == board.preset and record.run.split == "test"
    }
    failed = {data.folder: _failures(results / data.folder) for data in board.data}

    def reason(data: BoardData, method: str, seed: int) -> str:
        if (data.shown, method, seed) in there:
            return ""
        return failed[data.folder].get(_key(method, seed, board.preset), NOT_YET)

    return [
        Expected(data, method, seed, reason(data, method, seed))
        for seed in board.seeds
        for method in board.methods
        if seed == board.seeds[0] or _may_vary(method)
        for data in board.data
    ]


def note_failure(board: Board, run: Expected, results: Path, reason: str | None) -> None:
    """Write down why a run failed; None: it did not, and what was written of it goes.

    Raises
    ------
    UserError
        When the note cannot be read or written.
    """
    folder = results / run.data.folder
    noted = _failures(folder)
    key = _key(run.method, run.seed, board.preset)
    if reason is None and noted.pop(key, None) is None:
        return
    if reason is not None:
        noted[key] = str(without_paths(" ".join(reason.split())))
    if noted:
        text = json.dumps(dict(sorted(noted.items())), indent=1, ensure_ascii=False)
        write_atomically(folder / FAILED, text + "\n")
    else:
        (folder / FAILED).unlink(missing_ok=True)


def with_missing(table: Table, expected: Iterable[Expected]) -> Table:
    """Return a data set's table with a row of dashes for each method of which no run is published.

    Parameters
    ----------
    table : Table
        The main table of a data set.
    expected : iterable of Expected
        The leaderboard's runs.
    """
    there = {run.run.method for run in table.runs}
    reasons: dict[str, list[str]] = {}
    for run in expected:
        if run.reason and run.data.shown == table.dataset and run.method not in there:
            reasons.setdefault(run.method, []).append(run.reason)
    rows = [
        _row(table, method, "; ".join(dict.fromkeys(found)))
        for method, found in sorted(reasons.items())
    ]
    both = [replace(row, chain=chain) for row in rows for chain in table.protocol.chains]
    return replace(table, rows=(*table.rows, *rows), every=(*table.every, *both))


def _row(table: Table, method: str, reason: str) -> Row:
    return Row(
        rank=None,
        method=method,
        label=method,
        chain="",
        figures={key: Estimate() for key in compared()},
        costs={},
        reason=reason,
        runs=(),
        choice=Choice(DASH, "only", dict.fromkeys(table.protocol.chains)),
        chance=False,
    )


def missing_cells(missing: Iterable[Expected], preset: str) -> list[list[str]]:
    """Return the missing runs under :data:`MISSING_HEADS`, one line for all that lack the same seeds for one reason."""
    seeds: dict[tuple[str, str, str], list[str]] = {}
    for run in missing:
        seeds.setdefault((run.method, run.data.shown, run.reason), []).append(str(run.seed))
    shown: dict[tuple[str, str, str], list[str]] = {}
    for (method, data, why), found in seeds.items():
        shown.setdefault((method, ", ".join(found), why), []).append(data)
    methods: dict[tuple[str, str, str], list[str]] = {}
    for (method, numbers, why), data_sets in shown.items():
        methods.setdefault((", ".join(data_sets), numbers, why), []).append(method)
    return [
        [", ".join(names), data_sets, numbers, preset, DASH, why]
        for (data_sets, numbers, why), names in methods.items()
    ]


def _may_vary(method: str) -> bool:
    """Whether another seed may give other maps: as the method's file says, or by what it learns from."""
    entry = method_entry(method)
    if entry is None or entry.chance is None:
        return entry is None or entry.learns_from != "nothing"
    return entry.chance


def _key(method: str, seed: int, preset: str) -> str:
    return f"{method}, seed {seed}, preset {preset}"


def _failures(folder: Path) -> dict[str, str]:
    path = folder / FAILED
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: runs and reasons wanted, {type(found).__name__} found")
    return {str(run): str(reason) for run, reason in found.items()}
