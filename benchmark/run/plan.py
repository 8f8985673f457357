"""What one ``run`` command does: methods and seeds in turn, then the table and where everything lies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from accelerate import PartialState
from pydantic import ValidationError

from andi_bench.config import RunConfig
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
from methods.catalogue import described_run, detector_class


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
    datasets : tuple of str
        Each is scored; () for the request's.
    splits : tuple of Path
        Folders of a split's CSV files, a fold each; () for the request's.
    """

    methods: tuple[str, ...]
    companions: tuple[str, ...]
    seeds: tuple[int, ...]
    request: RunRequest
    datasets: tuple[str, ...] = ()
    splits: tuple[Path, ...] = ()

    @property
    def places(self) -> list[RunRequest]:
        """What is asked of each data set and fold."""
        return [
            replace(self.request, dataset=dataset, splits=splits)
            for dataset in self.datasets or (self.request.dataset,)
            for splits in self.splits or (self.request.splits,)
        ]

    def named(self, request: RunRequest) -> str:
        """Return a run's name in what is printed: data set and fold are told where there are several."""
        words = f"{request.method}, seed {request.seed}"
        if len(self.datasets) > 1:
            words += f", {request.dataset}"
        if len(self.splits) > 1:
            words += f", {request.splits}"
        return words

    def check(self) -> None:
        """Find out whether each option is one for all runs.

        Raises
        ------
        UserError
            When an option that belongs to one data set is given for several.
        """
        request = self.request
        own = {
            "--data-root": request.data_root,
            "--train-root": request.train_root,
            "--subject": request.subjects,
            "--splits": self.splits,
        }
        for option, value in own.items():
            if value and len(self.datasets) > 1:
                raise UserError(
                    f"{option}: belongs to one data set, {len(self.datasets)} given; a command for each wanted, or the "
                    "variable of each that `datasets` names"
                )
        names = [folder.name for folder in self.splits]
        if self.request.export is not None and len(set(names)) < len(names):
            raise UserError(
                "--splits: with --export-maps each folder needs a name of its own, "
                f"{', '.join(names)} given"
            )


def run_plan(plan: RunPlan, *, as_json: bool) -> None:
    """Run all methods, write the leaderboard, print the table, and say where things are.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave; what can be known to be wrong, before any work is done.
    """
    plan.check()
    console = Console()
    started = time.monotonic()
    runs = sources_of(plan, console)
    outcomes: dict[str, Outcome] = {}
    left = time_left(plan, [source for source, _ in runs])
    console.outlook = left.outlook
    while runs:
        source, required = runs.pop(0)  # a finished run gives its network and its data back
        key = plan.named(source.request)
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
        plan.datasets or (plan.request.dataset,),
        outcomes,
        time.monotonic() - started,
        console,
        as_json=as_json,
    )


def sources_of(
    plan: RunPlan, console: Console, *, here: bool = True
) -> list[tuple[DetectorSource, bool]]:
    """Return the runs of a plan, in order, each with whether it is required; a companion that cannot run is noted and left out.

    Parameters
    ----------
    plan : RunPlan
        What is asked for.
    console : Console
        Where to show progress.
    here : bool
        Whether they are run on this machine, whose device is then looked for.

    Raises
    ------
    UserError
        As :class:`benchmark.run.detector_source.DetectorSource`, of runs that are required.
    """
    asked = [(DetectorSource(request, console, here=here), True) for request in _asked(plan)]
    # Else the last data set of several would be found missing when those before are done.
    for source in {source.request.dataset: source for source, _ in asked}.values():
        source.data_sets.look()
    return [*asked, *((source, False) for source in _along(plan, console, here))]


def time_left(plan: RunPlan, sources: Sequence[DetectorSource]) -> TimeLeft:
    """Return what the workspace's records say of the runs to come."""
    request = plan.request
    known = records_of(request.workspace)
    here = [
        run for run in known if run.run.split == request.split and run.protocol.version == VERSION
    ]
    runs = [
        Planned(
            source.request.method,
            source.request.dataset,
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
    cls = detector_class(asked.method)
    try:  # an older record leaves out what stood at its default
        made = described_run(cls, RunConfig.model_validate(run.config))
    except (ValidationError, UserError):
        return False
    return run.run.preset == source.preset and made == described_run(cls, source.config)


def _asked(plan: RunPlan) -> Iterator[RunRequest]:
    several = len(plan.methods) * len(plan.seeds) * len(plan.places) > 1
    for place in plan.places:
        for name in plan.methods:
            for seed in plan.seeds:
                request = replace(place, method=name, seed=seed)
                if request.export is not None and several:
                    request = replace(request, export=request.export / _folder(plan, request))
                yield request


def _folder(plan: RunPlan, request: RunRequest) -> str:
    """Return the folder of one run's exported maps among others': names of subjects would else meet."""
    parts = [folder_word(request.method)]
    if len(plan.datasets) > 1:
        parts.append(folder_word(request.dataset))
    if len(plan.splits) > 1 and request.splits is not None:
        parts.append(folder_word(request.splits.name))
    return "__".join([*parts, f"seed{request.seed}"])


def _along(plan: RunPlan, console: Console, here: bool) -> Iterator[DetectorSource]:
    """Yield the companions; they bring their own hyper-parameters, the data and the evaluation are the method's."""
    layers = [
        {key: value for key, value in layer.items() if key not in ("detector", "training")}
        for layer in plan.request.overrides
    ]
    for place in plan.places:
        shared = replace(
            place,
            seed=plan.seeds[0],
            overrides=layers,
            checkpoint=None,
            export=None,
            tracker=None,
        )
        for name in plan.companions:
            try:
                yield DetectorSource(replace(shared, method=name), console, here=here)
            except UserError as error:
                console.note(f"{name} is left out: {error}")
