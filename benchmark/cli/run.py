"""``run``: train, score, evaluate and rank a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.asked import evaluation_layer, load_plugins, make_request
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

COMPANIONS = ("thresholding", "voxel-statistics")
"""Methods that take seconds and run along, so that no method stands in a table alone."""


def run(
    method: Method = ["andi"],  # noqa: B006
    dataset: Dataset = "phantom",
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
            help="folder for the maps, NIfTI on each scan's own grid; original/: on that of the files it was prepared from"
        ),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="without thresholding and voxel-statistics")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train, score, evaluate and rank a method. What is finished is found again, not repeated."""
    from benchmark.run.plan import RunPlan, run_plan

    names = load_plugins(plugin)
    methods = list(dict.fromkeys(method))
    if names and method == ["andi"]:
        methods = names
    companions = [] if alone else [name for name in COMPANIONS if name not in methods]
    plan = RunPlan(
        methods=tuple(methods),
        companions=tuple(companions),
        seeds=tuple(dict.fromkeys(seed)),
        request=make_request(
            methods[0], dataset, train_on, preset, split, subject, data_root, train_root, splits,
            workspace, set_, config, plugin, checkpoint, device, workers, track, export_maps,
            evaluation_layer(grid, protocol),
        ),
    )  # fmt: skip
    run_plan(plan, as_json=json)
