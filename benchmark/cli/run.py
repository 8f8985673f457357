"""``run``: train, score, evaluate and rank a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    Checkpoint,
    Config,
    DataRoot,
    Dataset,
    Debug,
    Device,
    Grid,
    Json,
    Method,
    Plugin,
    Preset,
    Protocol,
    Seed,
    Set,
    Split,
    Splits,
    Subjects,
    Track,
    TrainOn,
    TrainRoot,
    Workers,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import chosen_methods, layers, load_plugins

COMPANIONS = ("thresholding", "voxel-statistics")
"""Methods that take seconds and run along, so that no method stands in a table alone."""


def run(
    method: Method = None,
    dataset: Dataset = "phantom-quick",
    train_on: TrainOn = None,
    preset: Preset = None,
    seed: Seed = [0],  # noqa: B006
    split: Split = "test",
    subject: Subjects = None,
    data_root: DataRoot = None,
    train_root: TrainRoot = None,
    splits: Splits = None,
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
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train, score, evaluate and rank a method. What is finished is found again, not repeated."""
    from andi_bench.workspace import Workspace
    from benchmark.run.plan import RunPlan, run_plan
    from benchmark.run.request import RunRequest

    methods = chosen_methods(method, load_plugins(plugin))
    plan = RunPlan(
        methods=methods,
        companions=() if alone else tuple(name for name in COMPANIONS if name not in methods),
        seeds=tuple(dict.fromkeys(seed)),
        request=RunRequest(
            method=methods[0],
            dataset=dataset,
            workspace=Workspace.at(workspace),
            train_on=train_on,
            preset=preset,
            split=split,
            subjects=tuple(subject or ()),
            data_root=data_root,
            train_root=train_root,
            splits=splits,
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
    run_plan(plan, as_json=json)
