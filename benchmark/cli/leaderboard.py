"""``leaderboard``: make the published tables, run by run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from andi_bench.names import counted
from benchmark.cli.options import Debug, Device, Workers, WorkspaceFolder


def leaderboard(
    board: Annotated[
        list[str] | None,
        typer.Argument(
            help="leaderboards: names in configs/leaderboards, or paths of such YAML files; default: phantom; with --tables: all"
        ),
    ] = None,
    tables: Annotated[
        bool,
        typer.Option("--tables", help="only rebuild tables and figures from the published runs"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only list the runs that are missing")
    ] = False,
    to: Annotated[
        Path, typer.Option(help="folder of the leaderboards, with results/ in it")
    ] = Path("leaderboard"),
    workspace: WorkspaceFolder = None,
    device: Device = "auto",
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Run what a published leaderboard lacks, publish each run, rebuild its table. The same command goes on where it was stopped."""
    from andi_bench.console import Console
    from andi_bench.errors import UserError
    from andi_bench.workspace import Workspace
    from leaderboard.publishing.boards import board_names, read_board
    from leaderboard.publishing.outdated import runs_to_make
    from leaderboard.publishing.rebuild import published_runs, rebuild

    console = Console()
    if tables and dry_run:
        raise UserError("--tables and --dry-run: one of them wanted")
    names = board or (board_names() if tables else ["phantom"])
    boards = {
        Path(name).stem if name.endswith(".yaml") else name: read_board(name) for name in names
    }
    failed = 0
    for name, found in boards.items():
        if tables:
            page = rebuild(name, found, to, console)
            console.note(f"written       {page}" if page else f"{name}: no run is published")
        elif dry_run:
            runs = published_runs(found, to)
            missing = runs_to_make(found, runs)
            for run in missing:
                print(f"{run.data.shown}  {run.method}  seed {run.seed}: {run.reason}")
            console.note(f"{name}: {len(missing)} of {len(runs.expected)} runs are to be made")
        else:
            from benchmark.boards.fill import Place, fill

            place = Place(to, Workspace.at(workspace), device, workers, debug)
            failed += fill(name, found, place, console)
            console.note(f"leaderboard   {to / f'{name}.md'}")
    if failed:
        console.note(f"{counted(failed, 'run')} failed; the reasons stand in the tables")
        raise typer.Exit(1)
