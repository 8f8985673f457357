"""``speed``: seconds and memory of a method on this machine, before anything is trained."""

from __future__ import annotations

import json as json_format
from typing import Annotated, Literal

import typer

from benchmark.cli.options import (
    Config,
    Debug,
    Device,
    Json,
    Method,
    Plugin,
    Set,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import chosen_methods, layers, load_plugins


def speed(
    method: Method = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(help="may be repeated; default: quick on a CPU, paper on a GPU"),
    ] = None,
    set_: Set = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="values of a field, one after the other: scoring.batch_size=16,64"),
    ] = None,
    what: Annotated[
        Literal["all", "scoring", "training"], typer.Option(help="what is measured")
    ] = "all",
    reference: Annotated[
        bool,
        typer.Option(
            "--reference", help="in turn with a plain loop, written as the publication describes it"
        ),
    ] = False,
    cpu_time: Annotated[
        bool,
        typer.Option(
            "--cpu-time", help="count what one thread computed, not what passed: on a busy machine"
        ),
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="measurements; the median counts")] = 3,
    limit: Annotated[
        float,
        typer.Option(
            min=1,
            help="seconds for scoring, and again for training; what takes longer is measured in part, and scaled",
        ),
    ] = 60,
    config: Config = None,
    plugin: Plugin = None,
    device: Device = "auto",
    workspace: WorkspaceFolder = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure seconds and memory per volume and per training step, on synthetic brains: no data needed.

    Prints rows for the table of docs/speed.md. What a preset takes is kept in the workspace, where `run` tells its time left by it.
    """
    from andi_bench.console import Console
    from andi_bench.records.speeds import keep_speed
    from andi_bench.workspace import Workspace
    from benchmark.speed.measure import Asked, Measurer
    from benchmark.speed.speed_rows import head, notes, row
    from benchmark.speed.variants import variants

    methods = chosen_methods(method, load_plugins(plugin))
    given = tuple(layers(assignments=set_, config=config, plugin=plugin))
    files = (f"--config {config.name}",) if config else ()
    presets: list[str | None] = [None] if not preset else [*preset]
    measurers = [
        Measurer(
            Asked(
                method=name,
                preset=chosen,
                settings=(*files, *(set_ or ()), *settings),
                overrides=(*given, layer),
                device=device,
                what=what,
                repeats=repeats,
                limit=limit,
                reference=reference,
                cpu_time=cpu_time,
            )
        )
        for name in methods
        for chosen in presets
        for settings, layer in variants(vary or [])
    ]
    console, found = Console(), []
    folder = Workspace.at(workspace).speeds
    if not json:
        print("\n".join(head()))
    for measurer in measurers:
        console.note(f"measuring {measurer.title}")
        found.append(measurer.measured())
        if what == "all":
            keep_speed(folder, found[-1])
        if not json:
            print(row(found[-1]), flush=True)
    if json:
        print(json_format.dumps(found, indent=1))
        return
    for note in notes(found):
        console.note(note)
