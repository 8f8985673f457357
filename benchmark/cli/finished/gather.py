"""``gather``: records of other workspaces brought into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.shared.every_command import Debug, Json, WorkspaceFolder


def gather(
    place: Annotated[
        list[Path], typer.Argument(help="workspaces, or folders of run records; repeated")
    ],
    workspace: WorkspaceFolder = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Copy the run records of other workspaces into one; each is checked, and what is there stays as it is."""
    from andi_bench.console import Console
    from andi_bench.records.gathering import gather as gathered
    from andi_bench.workspace import Workspace

    console = Console()
    ours = Workspace.at(workspace)
    found = gathered(place, ours.records)
    if json:
        from json import dumps

        said = {
            "copied": [str(folder) for folder in found.copied],
            "there": [str(folder) for folder in found.there],
            "refused": found.refused,
        }
        print(dumps(said, indent=1))
    else:
        for folder in found.copied:
            print(folder)
    for reason in found.refused:
        console.note(f"not copied    {reason}")
    console.note(
        f"{len(found.copied)} copied, {len(found.there)} there already, {len(found.refused)} not copied"
    )
    if found.refused:
        raise typer.Exit(1)
