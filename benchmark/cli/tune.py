"""``tune``: settings of a method, searched on validation subjects alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from andi_bench.metrics.points import RANKING
from andi_bench.names import counted
from benchmark.cli.options import (
    Config,
    DataRoot,
    Debug,
    Device,
    Json,
    Plugin,
    Preset,
    Seed,
    Set,
    Splits,
    TrainOn,
    TrainRoot,
    Workers,
    WorkspaceFolder,
)
from benchmark.cli.shared.asked import layers, load_plugins

if TYPE_CHECKING:
    from benchmark.tuning.search import Found

_SHOWN = 10
_METRIC = "pooled_ap"
"""It needs no threshold, so none is fitted to the few subjects that it is measured on."""


def tune(
    method: Annotated[
        str, typer.Option("--method", "-m", help="method whose settings are searched")
    ],
    space: Annotated[
        Path,
        typer.Option(
            help="YAML file: section.field to [a, b, c] or {low: , high: , log: , step: }"
        ),
    ],
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="data set whose validation subjects are scored")
    ] = "phantom",
    budget: Annotated[
        str | None, typer.Option(help="time of this call, such as 2h, 30m, 90s")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="trials of the search in all, beside the preset as it stands"),
    ] = None,
    metric: Annotated[
        str, typer.Option(help=f"what is searched by, such as ap, pooled_ap, {RANKING}")
    ] = _METRIC,
    pipeline: Annotated[
        Literal["raw", "filtered"], typer.Option(help="of the raw or of the filtered maps")
    ] = "filtered",
    sampler: Annotated[
        Literal["tpe", "random", "grid"], typer.Option(help="how settings are proposed")
    ] = "tpe",
    sampler_seed: Annotated[int, typer.Option(help="of the proposals")] = 0,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="measure on all training and validation subjects, held out in turn by person",
        ),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="file for the best configuration, for run --config")
    ] = None,
    train_on: TrainOn = None,
    preset: Preset = None,
    seed: Seed = [0],  # noqa: B006
    data_root: DataRoot = None,
    train_root: TrainRoot = None,
    splits: Splits = None,
    workspace: WorkspaceFolder = None,
    set_: Set = None,
    config: Config = None,
    plugin: Plugin = None,
    device: Device = "auto",
    workers: Workers = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Search settings of a method on validation subjects; no test scan is opened. Again: goes on."""
    from andi_bench.console import Console, read_duration
    from andi_bench.errors import UserError
    from andi_bench.workspace import Workspace
    from benchmark.run.request import RunRequest
    from benchmark.tuning.budget import Budget
    from benchmark.tuning.objective import read_objective

    if budget is None and trials is None:
        raise UserError("--budget, such as 2h, or --trials, such as 20, wanted")
    limits = Budget(read_duration(budget, "--budget") if budget is not None else None, trials)
    objective = read_objective(metric, pipeline)
    load_plugins(plugin)
    run = RunRequest(
        method=method,
        dataset=dataset,
        workspace=Workspace.at(workspace),
        train_on=train_on,
        preset=preset,
        data_root=data_root,
        train_root=train_root,
        splits=splits,
        overrides=layers(assignments=set_, config=config, plugin=plugin),
        device=device,
        workers=workers,
    )
    from benchmark.tuning.search import SearchRequest, search

    request = SearchRequest(
        run=run,
        space=space,
        objective=objective,
        seeds=tuple(dict.fromkeys(seed)),
        sampler=sampler,
        sampler_seed=sampler_seed,
        folds=folds,
        write=write,
    )
    console = Console()
    found = search(request, limits, console)
    if json:
        print(found.log.model_dump_json(indent=1))
    else:
        _print(found)
    console.note(f"ended         {found.ended}; the same command with more budget goes on")
    console.note(f"log           {found.folder / 'search.md'}")
    if write is not None:
        console.note(f"written       {write}: run --method {method} --config {write}")


def _print(found: Found) -> None:
    """Print the best trials and the baseline, and what to make of them."""
    from rich.markup import escape

    from benchmark.cli.shared.printed_rows import print_rows
    from benchmark.tuning.search_log import short_names, show

    log = found.log
    ranked = log.ranked()
    best = ranked[:_SHOWN]
    base = log.baseline
    if base is not None and base not in best:
        best.append(base)
    names = short_names(list(log.asked["space"]))
    rows = []
    for one in best:
        change = log.improvement(one)
        settings = {name: show(one.settings[key]) for key, name in names.items()}
        rows.append(
            {
                "trial": "0, as it stands" if one.number == 0 else str(one.number),
                **settings,
                log.title: "failed" if one.value is None else f"{one.value:.4f}",
                "better by": "" if change is None or one.number == 0 else f"{change:+.4f}",
                "seconds": f"{one.seconds:.0f}",
            }
        )
    print_rows(
        f"Search {log.name}: {counted(len(ranked), 'trial')}, the best first", rows, as_json=False
    )
    for line in log.words():
        print(f"- {escape(line)}")
