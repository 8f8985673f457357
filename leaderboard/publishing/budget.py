"""What the runs of a leaderboard cost: time, memory and network calls, on the device that they ran on."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from andi_bench.console import in_words
from andi_bench.names import counted
from andi_bench.records.schema import RunRecord
from leaderboard.publishing.boards import Board
from leaderboard.tables.cells import DASH, significant, whole
from leaderboard.tables.references import is_reference
from leaderboard.tables.seeds import shortest

BUDGET_HEADS = (
    "Method",
    "Preset",
    "Data set",
    "Device",
    "Runs",
    "Training (s)",
    "Steps",
    "Training (MiB)",
    "s/volume",
    "Scoring (MiB)",
    "Calls/slice",
)
BUDGET_NUMBERS = BUDGET_HEADS[4:]
BUDGET_NOTE = (
    "Of several runs the shortest times, for other work on a machine only adds to them, and the highest memory; otherwise means. Training: "
    "wall-clock seconds and optimiser steps, and the peak of the process or "
    f"the accelerator. s/volume: scoring alone, without reading, bias field, filter and measuring. {DASH}: nothing is learnt, or the record does not "
    "say. A training that several data sets share is made once. No device told what energy it took."
)


def budget_cells(records: Iterable[RunRecord]) -> list[list[str]]:
    """Return a line for each method, preset, data set and device, under :data:`BUDGET_HEADS`."""
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in sorted(records, key=lambda run: run.run.folder_name):
        info = run.run
        key = (info.label, info.preset or DASH, info.dataset, run.costs.device or DASH)
        groups.setdefault(key, []).append(run)
    return [
        [
            *key,
            str(len(runs)),
            _least([run.costs.training_seconds for run in runs], whole),
            _mean([run.costs.training_steps for run in runs], whole),
            _most([training_memory(run) for run in runs]),
            _least([run.costs.seconds_per_volume for run in runs], significant),
            _most([run.costs.peak_memory_mb for run in runs]),
            _mean([run.costs.network_calls_per_slice for run in runs], significant),
        ]
        for key, runs in groups.items()
    ]


def training_memory(run: RunRecord) -> float | None:
    """Return the peak memory of a run's training, MiB; None where nothing was learnt, or the record does not say."""
    found = run.training.get("peak_memory_mb")
    return float(found) if isinstance(found, int | float) else None


def seconds_of(records: Iterable[RunRecord]) -> dict[str, float]:
    """Return by device what runs took: every training once, and scoring all subjects, validation among them.

    Runs that do not say how long they took count as nothing.
    """
    found: dict[str, float] = {}
    trained: set[tuple[Any, ...]] = set()
    for run in records:
        device = run.costs.device or "a device not recorded"
        learnt = (run.run.method, run.run.seed, run.costs.training_seconds)
        seconds = 0.0 if learnt in trained else run.costs.training_seconds or 0.0
        trained.add(learnt)
        seconds += (run.costs.seconds_per_volume or 0.0) * sum(run.protocol.subjects.values())
        found[device] = found.get(device, 0.0) + seconds
    return found


def budget_sentences(board: Board, records: Sequence[RunRecord]) -> list[str]:
    """Say what all runs took together; and, where the data sets are parts of larger ones, what those would take."""
    lines = [
        f"The {counted(len(records), 'run')} together: {in_words(seconds)} of training and scoring on {device}."
        for device, seconds in seconds_of(records).items()
    ]
    for data in board.data:
        own = [run for run in records if run.run.dataset == data.shown]
        if data.whole is None or not own:
            continue
        methods: dict[str, list[RunRecord]] = {}
        for run in own:
            if not is_reference(run):
                methods.setdefault(run.run.label, []).append(run)
        seconds = sum(_one_seed(runs, data.whole) for runs in methods.values())
        devices = ", ".join(
            dict.fromkeys(r.costs.device for runs in methods.values() for r in runs)
        )
        lines.append(
            f"With the whole data set in place of these patients ({data.shown}, {data.whole:,} volumes to score), the same methods with one "
            f"seed would take some {in_words(seconds)} on the same device ({devices}), three seeds three times as long: trainings take the "
            "same number of steps, whatever the data, and each volume as long as above. Reading, bias field and measuring come on top."
        )
    return lines


def _one_seed(runs: Sequence[RunRecord], volumes: int) -> float:
    """Return the seconds that one training of a method and so many volumes take: the shortest times, as in the table."""
    training = shortest(run.costs.training_seconds for run in runs)
    return (training or 0.0) + volumes * (
        shortest(run.costs.seconds_per_volume for run in runs) or 0.0
    )


def _least(values: Iterable[float | None], form: Callable[[float], str]) -> str:
    known = shortest(values)
    return DASH if known is None else form(known)


def _mean(values: Iterable[float | None], form: Callable[[float], str]) -> str:
    known = [value for value in values if value is not None]
    return form(statistics.fmean(known)) if known else DASH


def _most(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return whole(max(known)) if known else DASH
