"""``train``: train a method and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmark.cli.asked import load_plugins, make_request
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


def train(
    method: Method = ["andi"],  # noqa: B006
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="data set to learn from")] = (
        "phantom"
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
    from dataclasses import replace

    from andi_bench.console import Console
    from benchmark.run.one_method import train as train_method

    load_plugins(plugin)
    for name in dict.fromkeys(method):
        for number in dict.fromkeys(seed):
            request = make_request(
                name, dataset, dataset, preset, "test", None, data_root, None, splits, workspace,
                set_, config, plugin, None, device, workers, track, None,
            )  # fmt: skip
            folder = train_method(replace(request, seed=number), Console())
            print(f"{name}: {folder}" if folder else f"{name}: learns nothing")
