"""What one ``run`` command does: methods and seeds in turn, then the table and where everything lies."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.run.one_method import run_method
from benchmark.run.request import Outcome, RunRequest
from benchmark.run.summary import summarise


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
        For whatever is wrong in what the user gave.
    """
    console = Console()
    started = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    for name in plan.methods:
        for seed in plan.seeds:
            request = replace(plan.request, method=name, seed=seed)
            outcomes[f"{name}, seed {seed}"] = run_method(request, console)
    for name in plan.companions:
        # A companion brings its own hyper-parameters; the data and the evaluation are the method's.
        layers = [
            {k: v for k, v in layer.items() if k not in ("detector", "training")}
            for layer in plan.request.overrides
        ]
        request = replace(
            plan.request, method=name, seed=plan.seeds[0], overrides=layers, checkpoint=None,
            export=None, tracker=None,
        )  # fmt: skip
        try:
            outcomes[f"{name}, seed {plan.seeds[0]}"] = run_method(request, console)
        except UserError as error:
            console.note(f"{name} is left out: {error}")
    if _other_process():
        return
    summarise(
        plan.request.workspace, plan.request.dataset, outcomes, time.monotonic() - started, console,
        as_json=as_json,
    )  # fmt: skip


def _other_process() -> bool:
    from accelerate import PartialState

    return not PartialState().is_main_process
