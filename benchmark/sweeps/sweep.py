"""What one ``run --executor`` does: jobs from runs, followed to their ends, and the tables."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.executor import default_workers
from andi_bench.names import counted, folder_word
from andi_bench.section import Resources
from benchmark.run.detector_source import DetectorSource
from benchmark.run.finished import finished
from benchmark.run.plan import RunPlan, sources_of, time_left
from benchmark.run.request import Outcome, RunRequest
from benchmark.run.summary import summarise
from benchmark.sweeps.executors import make_executor
from benchmark.sweeps.following import Following
from benchmark.sweeps.job_files import read_outcome
from benchmark.sweeps.job_list import Wanted, jobs_in_turn, jobs_of, run_key
from benchmark.sweeps.schedule import Schedule, show_schedule

CLUSTER_CPUS = 4
"""Cores of a job on a cluster, where nobody says."""


@dataclass(frozen=True)
class Sweep:
    """How the runs of a plan are done.

    Parameters
    ----------
    plan : RunPlan
        What is asked for.
    executor : str
        ``local`` or ``slurm``.
    jobs : int or None
        Most jobs at a time; None: one on this machine, as many as there are on a cluster.
    resources : dict
        ``cpus``, ``gpus``, ``memory`` and ``time`` by the command's options; None says nothing.
    options : dict of str to str
        Further options of ``sbatch``.
    plugins : tuple of Path
        Loaded by each job.
    """

    plan: RunPlan
    executor: str
    jobs: int | None = None
    resources: dict[str, int | str | None] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    plugins: tuple[Path, ...] = ()

    @property
    def limit(self) -> int | None:
        """Most jobs at a time; None: any number."""
        return self.jobs or (1 if self.executor == "local" else None)

    @property
    def here(self) -> bool:
        """Whether the runs are done on this machine."""
        return self.executor == "local"

    @property
    def cpus(self) -> int:
        """Cores of a job where neither options nor its method say."""
        if self.executor == "local":
            return max(1, default_workers() // (self.limit or 1))
        return CLUSTER_CPUS

    def check(self) -> None:
        """Find out whether what is said of jobs can be meant.

        Raises
        ------
        UserError
            When it cannot.
        """
        if self.options and self.executor != "slurm":
            raise UserError("--slurm: --executor slurm wanted with it")
        Resources.of_options(self.resources)
        request = self.plan.request
        if self.executor == "slurm" and request.preset is None and request.device == "auto":
            raise UserError(
                "--executor slurm: --preset or --device wanted: whether jobs find an accelerator is not known on the "
                "machine that submits them"
            )


def run_sweep(sweep: Sweep, *, as_json: bool) -> int:
    """Hand the runs of a plan over as jobs, wait for them, write the tables, and return how many required jobs failed.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave; before anything is submitted.
    """
    console, started = Console(), time.monotonic()
    sweep.check()
    executor = make_executor(sweep.executor, sweep.options)
    plan, workspace = sweep.plan, sweep.plan.request.workspace
    workspace.check_writable()
    named, finished_already, wanted = {}, {}, []
    for run, found in runs_of(plan, console, here=sweep.here):
        key = run_key(run.source.request)
        named[key] = run.name
        there = _finished(run.source) if found or _recorded(run.source.request) else None
        if there is None:
            wanted.append(run)
        else:
            finished_already[key] = there
            console.note(f"finished      {run.name}: {there.record}")
    jobs = jobs_of(wanted, sweep.resources, sweep.cpus)
    if jobs:
        console.note(f"to be made    {Schedule(tuple(jobs), sweep.limit).in_words()}")
    following = Following(
        jobs, workspace.jobs, executor, console, limit=sweep.limit, plugins=sweep.plugins
    )
    try:
        following.follow()
    except KeyboardInterrupt:
        console.note(f"stopped: {executor.left}; the same command goes on")
        raise
    finally:
        executor.stop()
    outcomes = {**finished_already, **_left(following)}
    shown = {named[key]: outcomes[key] for key in named if key in outcomes}
    if shown:
        _show(plan, shown, time.monotonic() - started, console, as_json=as_json)
    return _account(following, console)


def show_plan(plan: RunPlan, sweep: Sweep | None, *, as_json: bool) -> None:
    """Print what a command would run, how long that takes, and what it asks for; nothing is run.

    Parameters
    ----------
    plan : RunPlan
        What is asked for.
    sweep : Sweep or None
        How; None: in the command's own process, one run after the other.
    as_json : bool
        For scripts.

    Raises
    ------
    UserError
        As :func:`run_sweep`.
    """
    if sweep is not None:
        sweep.check()
    found = list(runs_of(plan, Console(), here=sweep is None or sweep.here))
    wanted = [run for run, there in found if not there]
    if sweep is None:
        schedule = Schedule(tuple(jobs_in_turn(wanted)), 1)
    else:
        jobs = jobs_of(wanted, sweep.resources, sweep.cpus)
        schedule = Schedule(tuple(jobs), sweep.limit)
    finished = [run.name for run, there in found if there]
    if as_json:
        print(json.dumps({**schedule.as_dict(), "finished": finished}, indent=1))
    else:
        show_schedule(schedule, finished, reserves=sweep is not None)


def runs_of(plan: RunPlan, console: Console, *, here: bool) -> Iterator[tuple[Wanted, bool]]:
    """Yield the runs of a plan, each with whether it seems to be finished.

    Parameters
    ----------
    plan : RunPlan
        What is asked for.
    console : Console
        Where to say what is left out.
    here : bool
        Whether they are run on this machine.

    Raises
    ------
    UserError
        As :func:`benchmark.run.plan.sources_of`.
    """
    plan.check()
    request = plan.request
    if not here and request.preset is None:
        preset = "quick" if request.device == "cpu" else "paper"
        plan = replace(plan, request=replace(request, preset=preset))
    runs = sources_of(plan, console, here=here)
    left = time_left(plan, [source for source, _ in runs])
    for (source, required), planned in zip(runs, list(left.runs), strict=True):
        scored, whole = left.expected(planned, False), left.expected(planned, True)
        learns = scored is not None and whole is not None and not left.has_learnt(planned)
        training = (whole or 0.0) - (scored or 0.0) if learns else 0.0
        name = plan.named(source.request)
        yield Wanted(source, name, required, scored, training), planned.found


def _recorded(request: RunRequest) -> bool:
    """Whether there is a record of the method, data set and seed: of other settings perhaps that change nothing in it."""
    head = f"{folder_word(request.method)}__{folder_word(request.dataset)}__seed{request.seed}__*"
    return any(request.workspace.records.glob(head))


def _finished(source: DetectorSource) -> Outcome | None:
    """Return what a finished run left, looked at on this machine's processor; None where its job must look."""
    request = replace(source.request, device="cpu", tracker=None)
    try:
        return finished(DetectorSource(request, Console(quiet=True), here=False))
    except UserError:  # whatever it is, the run's own job says it
        return None


def _left(following: Following) -> dict[str, Outcome]:
    found = {key: read_outcome(following.place(job)) for key, job in following.done.items()}
    return {key: outcome for key, outcome in found.items() if outcome is not None}


def _show(
    plan: RunPlan,
    outcomes: Mapping[str, Outcome],
    seconds: float,
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Write and show the tables of the data sets that something was measured on."""
    records = plan.request.workspace.records
    datasets = list(dict.fromkeys(place.dataset for place in plan.places))
    measured = [name for name in datasets if any(records.glob(f"*__{folder_word(name)}__*"))]
    summarise(plan.request.workspace, measured, outcomes, seconds, console, as_json=as_json)


def _account(following: Following, console: Console) -> int:
    """Say again at the end what failed, and return how many required jobs did."""
    failed = list(following.failed.values())
    for line in [line for one in failed for line in one.lines()]:
        console.note(line)
    count = sum(one.job.required for one in failed)
    if failed:
        jobs = counted(len(failed), "job")
        console.note(f"{jobs} failed; the same command runs what failed, and nothing that is done")
    return count
