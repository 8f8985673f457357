"""What one ``run`` command does: methods and seeds in turn, then the table and where everything lies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from accelerate import PartialState

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.names import folder_word
from andi_bench.records.schema import RunRecord
from benchmark.evaluation.protocol import VERSION
from benchmark.run.detector_source import DetectorSource
from benchmark.run.request import Outcome, RunRequest
from benchmark.run.stages import Run
from benchmark.run.summary import summarise
from benchmark.run.time_left import SHORT, Planned, TimeLeft, records_of, speeds_of


@dataclass(frozen=True)
class RunPlan:
    """What a command asks for.

    Parameters
    ----------
    methods : tuple of str
        Run with every seed.
    companions : tuple of str
        Run along with the first seed; one that cannot run is noted and left out.
    seeds : tuple of int
        Seeds.
    request : RunRequest
        Everything else.
    """

    methods: tuple[str, ...]
    companions: tuple[str, ...]
    seeds: tuple[int, ...]
    request: RunRequest


def run_plan(plan: RunPlan, *, as_json: bool) -> None:
    """Run all methods, write the leaderboard, print the table, and say where things are.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave; what can be known to be wrong, before any work is done.
    """
    console = Console()
    started = time.monotonic()
    runs = [*_asked(plan, console), *_along(plan, console)]
    outcomes: dict[str, Outcome] = {}
    left = _time_left(plan, [source for source, _ in runs])
    console.outlook = left.outlook
    while runs:
        source, required = runs.pop(0)  # a finished run gives its network and its data back
        key = f"{source.request.method}, seed {source.request.seed}"
        if len(left.runs) > 1 or (left.seconds() or 0.0) >= SHORT:
            console.note(f"next          {key} ({left.in_words()})")
        begun = time.monotonic()
        left.begin()
        made = False
        try:
            outcomes[key] = Run(source, console).outcome()
            made = not outcomes[key].reused
        except UserError as error:
            if required:
                raise
            console.note(f"{source.request.method} is left out: {error}")
        left.finish(time.monotonic() - begun, made)
    if not PartialState().is_main_process:
        return
    summarise(
        plan.request.workspace,
        plan.request.dataset,
        outcomes,
        time.monotonic() - started,
        console,
        as_json=as_json,
    )


def _time_left(plan: RunPlan, sources: Sequence[DetectorSource]) -> TimeLeft:
    """Return what the workspace's records say of the runs to come."""
    request = plan.request
    known = records_of(request.workspace)
    here = [
        run for run in known if run.run.split == request.split and run.protocol.version == VERSION
    ]
    runs = [
        Planned(
            source.request.method,
            request.dataset,
            source.request.seed,
            found=any(_same(run, source) for run in here),
        )
        for source in sources
    ]
    speeds = speeds_of(request.workspace, request.device)
    return TimeLeft(runs, known, sources[0].preset if sources else "", speeds=speeds)


def _same(run: RunRecord, source: DetectorSource) -> bool:
    """Whether a record seems to be of the run that is asked for: only its data may have changed."""
    asked = source.request
    if (run.run.method, run.run.dataset, run.run.seed) != (asked.method, asked.dataset, asked.seed):
        return False
    return run.run.preset == source.preset and run.config == source.described()


def _asked(plan: RunPlan, console: Console) -> Iterator[tuple[DetectorSource, bool]]:
    export, several = plan.request.export, len(plan.methods) * len(plan.seeds) > 1
    for name in plan.methods:
        for seed in plan.seeds:
            # One folder holds the maps of one run: names of subjects would else meet.
            own = export / f"{folder_word(name)}__seed{seed}" if export and several else export
            request = replace(plan.request, method=name, seed=seed, export=own)
            yield DetectorSource(request, console), True


def _along(plan: RunPlan, console: Console) -> Iterator[tuple[DetectorSource, bool]]:
    """Yield the companions; they bring their own hyper-parameters, the data and the evaluation are the method's."""
    layers = [
        {key: value for key, value in layer.items() if key not in ("detector", "training")}
        for layer in plan.request.overrides
    ]
    shared = replace(
        plan.request,
        seed=plan.seeds[0],
        overrides=layers,
        checkpoint=None,
        export=None,
        tracker=None,
    )
    for name in plan.companions:
        try:
            yield DetectorSource(replace(shared, method=name), console), False
        except UserError as error:
            console.note(f"{name} is left out: {error}")
