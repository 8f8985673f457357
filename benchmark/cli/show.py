"""``show``: one run on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import Debug, Json, WorkspaceFolder


def show(
    run: Annotated[
        str, typer.Argument(help="a record: its folder's name, how that begins, or its path")
    ],
    records: Annotated[
        Path | None, typer.Option(help="folder of run records; default: the workspace's")
    ] = None,
    workspace: WorkspaceFolder = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one run: protocol, subjects, guards, costs, where it comes from and where its files are."""
    from andi_bench.workspace import Workspace
    from leaderboard.exports.one_run import find_one, print_run, run_as_json

    place = Workspace.at(workspace)
    found = find_one(run, records or place.records)
    if json:
        print(run_as_json(found))
    else:
        print_run(found)
