"""``publish``: slim copies of finished runs, small enough for a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.shared.every_command import Debug, Json, WorkspaceFolder

RESULTS = Path("leaderboard") / "results"
"""Where published runs lie in a checkout, a folder a data set."""


def publish(
    run: Annotated[
        list[str],
        typer.Argument(help="records: a folder's name, how that begins, or a path; repeated"),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            help=f"folder that gets a folder a run; default: {RESULTS}/ and the data set's name"
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="keep the sub-groups by this column of the split's CSV (site, age, ...); repeated; default: only those by lesion volume"
        ),
    ] = None,
    anonymous: Annotated[
        bool,
        typer.Option(
            "--anonymous",
            help="subjects get pseudonyms, the same in all runs of the data set; who is who stays in the workspace",
        ),
    ] = False,
    pseudonyms: Annotated[
        Path | None,
        typer.Option(help="table of the pseudonyms; default: pseudonyms/ in the workspace"),
    ] = None,
    as_: Annotated[
        str | None, typer.Option("--as", help="what the data set is called in tables")
    ] = None,
    title: Annotated[str | None, typer.Option(help="the same in words, for headings")] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="a published run of the same method, preset and seed gives way to this one",
        ),
    ] = False,
    records: Annotated[
        Path | None, typer.Option(help="folder of run records; default: the workspace's")
    ] = None,
    workspace: WorkspaceFolder = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Publish finished runs: copies with all that tables are made from, and no image, preview, path or attribute."""
    from json import dumps

    from andi_bench.console import Console
    from andi_bench.errors import UserError
    from andi_bench.names import folder_word
    from andi_bench.workspace import Workspace
    from leaderboard.exports.run_terminal import find_one
    from leaderboard.publishing.pseudonyms import pseudonyms_for
    from leaderboard.publishing.publish import LARGE
    from leaderboard.publishing.publish import publish as put
    from leaderboard.publishing.told import Wish, subjects_of

    place = Workspace.at(workspace)
    if pseudonyms is not None and not anonymous:
        raise UserError(f"--pseudonyms {pseudonyms}: only with --anonymous")
    found = [find_one(name, records or place.records) for name in run]
    done = []
    for record in found:
        assert record.folder is not None
        dataset = record.run.dataset
        names = None
        if anonymous:
            table = pseudonyms or place.pseudonyms / f"{folder_word(dataset)}.csv"
            names = pseudonyms_for(table, subjects_of(record))
        wish = Wish(frozenset(by or ()), names, as_ or "", title or "")
        target = to or RESULTS / folder_word(as_ or dataset)
        done.append(put(record.folder, target, wish, replace=replace))
    if json:
        print(
            dumps([{"folder": str(one.folder), "bytes": one.size, "new": one.new} for one in done])
        )
    console = Console()
    for one in done:
        state = "published" if one.new else "was there already"
        large = (
            f", more than the {LARGE // 1024} KiB that a run is meant to take"
            if one.size > LARGE
            else ""
        )
        console.note(f"{state:<13} {one.folder} ({one.size / 1024:.0f} KiB{large})")
        for other in one.beside:
            console.note(
                f"              stands beside {other}, of the same method and seed; --replace removes it"
            )
    who = "pseudonyms of the test subjects" if anonymous else "names of the test subjects"
    console.note(
        f"holds         figures of all subjects and runs, {who}, counts of scores, settings, versions, times; "
        "no image, no path, no column of the split" + (f" but {', '.join(by)}" if by else "")
    )
