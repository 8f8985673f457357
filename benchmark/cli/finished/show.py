"""``show``: one run on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.shared.every_command import Debug, Json, WorkspaceFolder


def show(
    run: Annotated[
        str, typer.Argument(help="a record: its folder's name, how that begins, or its path")
    ],
    records: Annotated[
        Path | None, typer.Option(help="folder of run records; default: the workspace's")
    ] = None,
    workspace: WorkspaceFolder = None,
    false_positives: Annotated[
        bool,
        typer.Option(
            "--false-positives",
            help="where its maps light up without a lesion: by region, height, subject; a figure in the workspace",
        ),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one run: what to try next, thresholds, subjects by Dice, guards, costs, where it comes from and where its files are."""
    from andi_bench.workspace import Workspace
    from leaderboard.exports.run_terminal import find_one, print_run, run_as_json

    place = Workspace.at(workspace)
    found = find_one(run, records or place.records)
    if false_positives:
        from andi_bench.console import Console
        from benchmark.cli.shared.printed_rows import print_rows
        from benchmark.diagnosis.diagnose import diagnose
        from benchmark.diagnosis.fault_rows import fault_tables, words

        console = Console()
        diagnosis, folder = diagnose(found, place, console)
        if json:
            print(diagnosis.model_dump_json(indent=1))
        else:
            for title, rows in fault_tables(diagnosis):
                print_rows(title, rows, as_json=False)
            print("\n".join(f"- {line}" for line in words(diagnosis)))
        console.note(f"figure        {folder / 'false-positives.png'}")
    elif json:
        print(run_as_json(found))
    else:
        from benchmark.diagnosis.kept_diagnosis import regions_found
        from leaderboard.words.one_run.run_results import baselines_beside, chain_of_run

        assert found.folder is not None
        beside = baselines_beside(found, found.folder.parent)
        regions = regions_found(found, place, chain_of_run(found))
        print_run(found, baselines=beside, regions=regions)
