"""``evaluate``: anomaly maps made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.asked import evaluation_layer, make_request
from benchmark.cli.options import (
    Config,
    DataRoot,
    Dataset,
    Debug,
    Grid,
    Json,
    Preset,
    Protocol,
    Set,
    Split,
    Splits,
    Subjects,
    Workers,
    WorkspaceFolder,
)


def evaluate(
    maps: Annotated[Path, typer.Option(help="folder of <subject>.nii.gz, the anomaly maps")],
    name: Annotated[str, typer.Option(help="the method's name in tables")],
    dataset: Dataset = "phantom",
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
    from dataclasses import replace

    from andi_bench.console import Console
    from benchmark.run.given_maps_run import ForeignMaps, evaluate_maps
    from benchmark.run.original_maps import export_originals
    from benchmark.run.summary import summarise

    given = ForeignMaps(name, maps, val_maps)
    request = make_request(
        given.slug, dataset, None, preset, split, subject, data_root, None, splits, workspace,
        set_, config, None, None, "auto", workers, None, None, evaluation_layer(grid, protocol),
    )  # fmt: skip
    console, started = Console(), time.monotonic()
    outcome = evaluate_maps(replace(request, seed=seed), given, console)
    if export_maps is not None:
        export_originals(request, given, export_maps, console)
    place = request.workspace
    summarise(place, dataset, {name: outcome}, time.monotonic() - started, console, as_json=json)
