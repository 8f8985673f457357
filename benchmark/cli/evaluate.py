"""``evaluate``: anomaly maps made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    Config,
    DataRoot,
    Dataset,
    Debug,
    Grid,
    Json,
    Plugin,
    Preset,
    Protocol,
    Set,
    Split,
    Splits,
    Subjects,
    Workers,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import layers, load_plugins


def evaluate(
    maps: Annotated[Path, typer.Option(help="folder of <subject>.nii.gz, the anomaly maps")],
    name: Annotated[str, typer.Option(help="the method's name in tables")],
    dataset: Dataset = "phantom-quick",
    val_maps: Annotated[
        Path | None,
        typer.Option(
            help="folder of the validation subjects' maps; without it no frozen thresholds, no rank"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="runs of one name with several seeds share a row")] = 0,
    split: Split = "test",
    subject: Subjects = None,
    data_root: DataRoot = None,
    splits: Splits = None,
    preset: Preset = None,
    workspace: WorkspaceFolder = None,
    grid: Grid = None,
    protocol: Protocol = None,
    set_: Set = None,
    config: Config = None,
    plugin: Plugin = None,
    workers: Workers = None,
    export_maps: Annotated[
        Path | None,
        typer.Option(
            help="folder for the maps on the grids of the files that scans were prepared from"
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate anomaly maps made elsewhere, and rank them with the rest."""
    import time

    from andi_bench.console import Console
    from andi_bench.workspace import Workspace
    from benchmark.run.given_source import GivenSource, MapFolders
    from benchmark.run.request import RunRequest
    from benchmark.run.stages import Run
    from benchmark.run.summary import summarise

    load_plugins(plugin)
    given = MapFolders(name, maps, val_maps)
    request = RunRequest(
        method=given.slug,
        dataset=dataset,
        workspace=Workspace.at(workspace),
        preset=preset,
        seed=seed,
        split=split,
        subjects=tuple(subject or ()),
        data_root=data_root,
        splits=splits,
        overrides=layers(assignments=set_, config=config, grid=grid, protocol=protocol),
        workers=workers,
        export=export_maps,
    )
    console, started = Console(), time.monotonic()
    outcome = Run(GivenSource(request, given, console), console).outcome()
    seconds = time.monotonic() - started
    summarise(request.workspace, [dataset], {name: outcome}, seconds, console, as_json=json)
