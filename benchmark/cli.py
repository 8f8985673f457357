"""The command line. Heavy imports stay inside the commands that need them: ``--help`` answers at once."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.cli_compare import compare, show
from benchmark.cli_options import (
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
from benchmark.cli_prepare import prepare_app
from benchmark.errors import UserError

app = typer.Typer(
    name="andi-bench",
    help="Train, run, score and rank unsupervised anomaly detectors on brain MRI.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(prepare_app, name="prepare")
app.command("compare")(compare)
app.command("show")(show)

COMPANIONS = ("thresholding", "voxel-statistics")
"""Methods that take seconds and run along, so that no method stands in a table alone."""


@app.command()
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
    from benchmark.run_plan import RunPlan, run_plan

    names = _plugins(plugin)
    methods = list(dict.fromkeys(method))
    if plugin and method == ["andi"]:
        methods = names
    companions = [] if alone else [name for name in COMPANIONS if name not in methods]
    plan = RunPlan(
        methods=tuple(methods),
        companions=tuple(companions),
        seeds=tuple(dict.fromkeys(seed)),
        request=_request(
            methods[0], dataset, train_on, preset, split, subject, data_root, train_root, splits,
            workspace, set_, config, plugin, checkpoint, device, workers, track, export_maps,
            _evaluation(grid, protocol),
        ),
    )  # fmt: skip
    run_plan(plan, as_json=json)


@app.command()
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

    from benchmark.console import Console
    from benchmark.runner import train as train_method

    _plugins(plugin)
    for name in dict.fromkeys(method):
        for number in dict.fromkeys(seed):
            request = _request(
                name, dataset, dataset, preset, "test", None, data_root, None, splits, workspace,
                set_, config, plugin, None, device, workers, track, None,
            )  # fmt: skip
            folder = train_method(replace(request, seed=number), Console())
            print(f"{name}: {folder}" if folder else f"{name}: learns nothing")


@app.command()
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

    from benchmark.console import Console
    from benchmark.foreign_run import ForeignMaps, evaluate_maps
    from benchmark.original_maps import export_originals
    from benchmark.run_summary import summarise

    given = ForeignMaps(name, maps, val_maps)
    request = _request(
        given.slug, dataset, None, preset, split, subject, data_root, None, splits, workspace,
        set_, config, None, None, "auto", workers, None, None, _evaluation(grid, protocol),
    )  # fmt: skip
    console, started = Console(), time.monotonic()
    outcome = evaluate_maps(replace(request, seed=seed), given, console)
    if export_maps is not None:
        export_originals(request, given, export_maps, console)
    place = request.workspace
    summarise(place, dataset, {name: outcome}, time.monotonic() - started, console, as_json=json)


@app.command()
def methods(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="list the options of this method instead")
    ] = None,
    plugin: Plugin = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the methods that can be run, or the options of one."""
    from benchmark.listing import show_methods, show_options

    _plugins(plugin)
    if method is None:
        show_methods(as_json=json)
    else:
        show_options(method, as_json=json)


@app.command("test")
def conformance(
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="method; default: the plug-in's only one")
    ] = None,
    plugin: Plugin = None,
    check: Annotated[
        list[str] | None, typer.Option(help="only this check, by its name in the table; repeated")
    ] = None,
    set_: Set = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Take a detector through the whole contract, on a tiny phantom; exit code 1 if it breaks it."""
    from benchmark.config import parse_assignments
    from benchmark.conformance.suite import conforms, run_suite, show
    from benchmark.console import Console

    names = _plugins(plugin)
    if method is None and len(names) != 1:
        found = f"the plug-in registers {', '.join(names)}" if names else "none given"
        raise UserError(f"--method NAME wanted: {found}")
    chosen = method or names[0]
    outcomes = run_suite(
        chosen, plugin or [], overrides=parse_assignments(set_ or []), checks=check or None,
        console=Console(),
    )  # fmt: skip
    show(chosen, outcomes, as_json=json)
    if not conforms(outcomes):
        raise typer.Exit(1)


@app.command()
def datasets(json: Json = False, debug: Debug = False) -> None:
    """List the data sets, and what each one wants."""
    from benchmark.listing import show_datasets

    show_datasets(as_json=json)


def _plugins(paths: list[Path] | None) -> list[str]:
    """Import plug-in files; return the names they register."""
    from benchmark.registry import load_plugin

    return [name for path in paths or [] for name in load_plugin(path)]


def _evaluation(grid: str | None, protocol: str | None) -> dict[str, str]:
    """Return what the options --grid and --protocol say, as a layer of the configuration."""
    from benchmark.errors import unknown_name

    chosen = {}
    for key, value, valid in (
        ("grid", grid, ("working", "native")),
        ("protocol", protocol, ("standard", "paper")),
    ):
        if value is not None and value not in valid:
            raise unknown_name(key, value, valid)
        if value is not None:
            chosen[key] = value
    return chosen


def _request(
    method: str,
    dataset: str,
    train_on: str | None,
    preset: str | None,
    split: str,
    subject: list[str] | None,
    data_root: Path | None,
    train_root: Path | None,
    splits: Path | None,
    workspace: Path | None,
    assignments: list[str] | None,
    config: Path | None,
    plugin: list[Path] | None,
    checkpoint: Path | None,
    device: str,
    workers: int | None,
    track: str | None,
    export: Path | None,
    evaluation: dict[str, str] | None = None,
) -> Any:
    from benchmark.config import parse_assignments, read_yaml
    from benchmark.errors import unknown_name
    from benchmark.workspace import Workspace

    for kind, value, valid in (
        ("device", device, ("auto", "cpu", "cuda")),
        ("split", split, ("test", "val")),
        ("tracker", track, (None, "tensorboard", "wandb", "mlflow")),
    ):
        if value not in valid:
            raise unknown_name(kind, str(value), [name for name in valid if name])
    layers: list[dict[str, Any]] = []
    for path in plugin or []:  # a plug-in may bring its YAML beside it
        beside = path.with_suffix(".yaml")
        if beside.is_file():
            layers.append(read_yaml(beside))
    if config is not None:
        layers.append(read_yaml(config))
    layers.append(parse_assignments(assignments or []))
    if evaluation:
        layers.append({"evaluation": evaluation})

    from benchmark.request import RunRequest

    return RunRequest(
        method=method, dataset=dataset, train_on=train_on, preset=preset, split=split,
        subjects=tuple(subject or ()), data_root=data_root, train_root=train_root, splits=splits,
        workspace=Workspace(workspace) if workspace else Workspace.default(), overrides=layers,
        checkpoint=checkpoint, device=device, workers=workers, tracker=track, export=export,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given, standalone_mode=False)
    except UserError as error:
        if "--debug" in given:
            traceback.print_exc()
        print(f"andi-bench: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        print("andi-bench: stopped", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = _usage_message(error)
        if message is not None:
            print(f"andi-bench: {message}", file=sys.stderr)
            raise SystemExit(2) from error
        if type(error).__name__ == "Interrupted":
            print(f"andi-bench: {error}", file=sys.stderr)
            raise SystemExit(130) from error
        if "--debug" in given:
            raise
        first = str(error).splitlines()[0] if str(error) else ""
        print(
            f"andi-bench: internal error: {type(error).__name__}: {first} (--debug shows where)",
            file=sys.stderr,
        )
        raise SystemExit(1) from error
    raise SystemExit(code if isinstance(code, int) else 0)


def _usage_message(error: Exception) -> str | None:
    """Return the one line of an error of the command line's own parser; None for any other error."""
    if not hasattr(error, "format_message"):
        return None
    return " ".join(str(error.format_message()).split()) or "see --help"
