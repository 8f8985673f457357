"""``run``: train, score, evaluate and rank a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    Checkpoint,
    Config,
    Cpus,
    DataRoot,
    Datasets,
    Debug,
    Device,
    ExecutorName,
    Folds,
    Gpus,
    Grid,
    Jobs,
    Json,
    Memory,
    Method,
    PlanOnly,
    Plugin,
    Preset,
    Protocol,
    Seed,
    Set,
    SlurmOptions,
    Split,
    Subjects,
    Time,
    Track,
    TrainOn,
    TrainRoot,
    Workers,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import (
    chosen_methods,
    layers,
    load_plugins,
    read_slurm_options,
    require_executor,
)

COMPANIONS = ("thresholding", "voxel-statistics")
"""Methods that take seconds and run along, so that no method stands in a table alone."""


def run(
    method: Method = None,
    dataset: Datasets = ["phantom-quick"],  # noqa: B006
    train_on: TrainOn = None,
    preset: Preset = None,
    seed: Seed = [0],  # noqa: B006
    split: Split = "test",
    subject: Subjects = None,
    data_root: DataRoot = None,
    train_root: TrainRoot = None,
    splits: Folds = None,
    workspace: WorkspaceFolder = None,
    grid: Grid = None,
    protocol: Protocol = None,
    set_: Set = None,
    config: Config = None,
    plugin: Plugin = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    workers: Workers = None,
    track: Track = None,
    export_maps: Annotated[
        Path | None,
        typer.Option(
            help="folder for the maps of one run, NIfTI on each scan's own grid; original/: on that of the files it was "
            "prepared from; several runs: a folder each in it"
        ),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="without thresholding and voxel-statistics")
    ] = False,
    plan: PlanOnly = False,
    executor: ExecutorName = None,
    jobs: Jobs = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    memory: Memory = None,
    time: Time = None,
    slurm: SlurmOptions = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train, score, evaluate and rank methods. What is finished is found again, not repeated."""
    from andi_bench.workspace import Workspace
    from benchmark.run.plan import RunPlan, run_plan
    from benchmark.run.request import RunRequest

    reserved = {"cpus": cpus, "gpus": gpus, "memory": memory, "time": time}
    sbatch = read_slurm_options(slurm)
    if executor is None:
        require_executor(jobs=jobs, **reserved, slurm=slurm)
    methods = chosen_methods(method, load_plugins(plugin))
    datasets = tuple(dict.fromkeys(dataset))
    folds = tuple(dict.fromkeys(splits or ()))
    asked = RunPlan(
        methods=methods,
        companions=() if alone else tuple(name for name in COMPANIONS if name not in methods),
        seeds=tuple(dict.fromkeys(seed)),
        datasets=datasets,
        splits=folds,
        request=RunRequest(
            method=methods[0],
            dataset=datasets[0],
            workspace=Workspace.at(workspace),
            train_on=train_on,
            preset=preset,
            split=split,
            subjects=tuple(subject or ()),
            data_root=data_root,
            train_root=train_root,
            splits=folds[0] if folds else None,
            overrides=layers(
                assignments=set_, config=config, plugin=plugin, grid=grid, protocol=protocol
            ),
            checkpoint=checkpoint,
            device=device,
            workers=workers,
            tracker=track,
            export=export_maps,
        ),
    )
    if executor is None and not plan:
        run_plan(asked, as_json=json)
        return
    from benchmark.sweeps.sweep import Sweep, run_sweep, show_plan

    sweep = None
    if executor is not None:
        sweep = Sweep(asked, executor, jobs, reserved, sbatch, tuple(plugin or ()))
    if plan:
        show_plan(asked, sweep, as_json=json)
    elif sweep is not None and run_sweep(sweep, as_json=json):
        raise typer.Exit(1)
