"""Which published runs were made with other settings than their preset has today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from andi_bench.config import RunConfig, load_run_config, method_entry
from andi_bench.records.schema import RunRecord
from leaderboard.publishing.boards import Board, BoardData
from leaderboard.publishing.missing import Expected
from leaderboard.publishing.rebuild import PublishedRuns
from leaderboard.tables.comparability import changes_maps

_SETTLED = {("preprocessing", "landmarks"), ("preprocessing", "crop_box")}
"""Learnt from the data, where it is asked for."""


def runs_to_make(board: Board, runs: PublishedRuns) -> list[Expected]:
    """Return the runs that are missing, and those that are published with former settings, in the order in which they are run.

    Parameters
    ----------
    board : Board
        The leaderboard.
    runs : PublishedRuns
        What there is of it.

    Raises
    ------
    UserError
        For a preset that is unknown, or settings that are not valid.
    """
    there = {
        (run.run.dataset, run.run.method, run.run.seed): run
        for run in runs.records
        if run.run.preset == board.preset
    }
    out = []
    for run in runs.expected:
        reason = run.reason
        if not reason:
            record = there[run.data.shown, run.method, run.seed]
            reason = former_settings(board, run.data, record)
        if reason:
            out.append(replace(run, reason=reason))
    return out


def former_settings(board: Board, data: BoardData, record: RunRecord) -> str:
    """Say in what a published run differs from the settings of today; "" where it does not.

    Fields that change no map and no figure do not count; of the detector's own those alone that the files of method and preset name.

    Parameters
    ----------
    board : Board
        The leaderboard.
    data : BoardData
        The run's data set.
    record : RunRecord
        The published run.
    """
    method = record.run.method
    wanted = load_run_config(method_entry(method), board.preset, board.layers(data, method), method)
    try:  # a record does not say what was not there when it was made
        made = RunConfig.model_validate(record.config)
    except ValidationError:
        return "published with settings that are no more"
    found = dict(_fields(made.model_dump(mode="json")))
    for path, value in _fields(wanted.model_dump(mode="json")):
        if not changes_maps(path) or path in _SETTLED:
            continue
        if path[0] == "training" and not record.training:
            continue  # nothing was learnt
        if found.get(path) != value:
            name = ".".join(path)
            return f"published with {name} = {found.get(path)}, {value} in {board.preset} today"
    return ""


def _fields(
    config: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _fields(value, (*path, key))
        else:
            yield (*path, key), value
