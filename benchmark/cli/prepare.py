"""The commands that make or bring in data: ``python -m benchmark prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import Debug, Workers, WorkspaceFolder
from benchmark.cli.prepare_scans import brats21, folder
from benchmark.cli.prepare_shifts import shifts_app

prepare_app = typer.Typer(
    help="Make or bring in data.", no_args_is_help=True, rich_markup_mode=None
)
prepare_app.add_typer(shifts_app, name="shifts")

prepare_app.command("brats21")(brats21)
prepare_app.command("folder")(folder)


@prepare_app.command("phantom")
def prepare_phantom(
    name: Annotated[
        str, typer.Argument(help="phantom, phantom-quick, -ms, -small, -healthy")
    ] = "phantom",
    output: Annotated[
        Path | None, typer.Option(help="folder; default: the workspace's, where run finds it")
    ] = None,
    spacing: Annotated[float, typer.Option(min=1.0, max=4.0, help="voxel edge, mm")] = 2.5,
    test_seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="other test subjects, the same others")
    ] = None,
    workspace: WorkspaceFolder = None,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Write the phantom: brain scans with exact lesion masks, drawn from the ICBM template."""
    from andi_bench.workspace import Workspace
    from datasets.prepare.commands.phantom_data import Changed, write_phantom

    place = Workspace.at(workspace)
    print(write_phantom(name, place, Changed(output, spacing, test_seed), workers))
