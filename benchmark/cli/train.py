"""``train``: train a method and nothing else."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from benchmark.cli.options import (
    Config,
    DataRoot,
    Debug,
    Device,
    Method,
    Plugin,
    Preset,
    Seed,
    Set,
    Splits,
    Track,
    Workers,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import chosen_methods, layers, load_plugins


def train(
    method: Method = None,
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="data set to learn from")] = (
        "phantom-quick"
    ),
    preset: Preset = None,
    seed: Seed = [0],  # noqa: B006
    data_root: DataRoot = None,
    splits: Splits = None,
    workspace: WorkspaceFolder = None,
    set_: Set = None,
    config: Config = None,
    plugin: Plugin = None,
    device: Device = "auto",
    workers: Workers = None,
    track: Track = None,
    debug: Debug = False,
) -> None:
    """Train a method and nothing else; ``run`` finds the result again."""
    from andi_bench.console import Console
    from andi_bench.workspace import Workspace
    from benchmark.run.detector_source import DetectorSource
    from benchmark.run.request import RunRequest
    from benchmark.run.time_left import Planned, TimeLeft, records_of, speeds_of

    console = Console()
    methods = chosen_methods(method, load_plugins(plugin))
    requests = [
        RunRequest(
            method=name,
            dataset=dataset,
            workspace=Workspace.at(workspace),
            train_on=dataset,
            preset=preset,
            seed=number,
            data_root=data_root,
            splits=splits,
            overrides=layers(assignments=set_, config=config, plugin=plugin),
            device=device,
            workers=workers,
            tracker=track,
        )
        for name in methods
        for number in dict.fromkeys(seed)
    ]
    sources = [DetectorSource(request, console) for request in requests]
    left = TimeLeft(
        [Planned(one.request.method, dataset, one.request.seed) for one in sources],
        records_of(requests[0].workspace),
        sources[0].preset,
        scores=False,
        speeds=speeds_of(requests[0].workspace, device),
    )
    console.outlook = left.outlook
    while sources:
        source = sources.pop(0)
        name = source.request.method
        begun = time.monotonic()
        left.begin()
        folder = source.train()
        left.finish(time.monotonic() - begun, folder is not None)
        print(f"{name}: {folder}" if folder else f"{name}: learns nothing")
