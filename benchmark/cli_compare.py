"""The commands that read run records alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli_options import Debug, Json, WorkspaceFolder
from benchmark.errors import UserError


def compare(
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="only this data set; default: all found")
    ] = None,
    runs: Annotated[
        str, typer.Option(help="only runs whose folder matches, such as 'andi*'")
    ] = "*",
    seeds: Annotated[
        str | None, typer.Option(help="only runs of these seeds, such as 0,1,2 or 0-2")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="rank by another metric, such as ap or dice@yen; the table says so")
    ] = "dice@val-dice",
    by: Annotated[
        str | None,
        typer.Option(
            help="also by sub-group: a column of the split's CSV (site, age, ...), or lesion-size"
        ),
    ] = None,
    records: Annotated[
        list[Path] | None,
        typer.Option(help="folder of run records; repeated: merged; default: the workspace's"),
    ] = None,
    workspace: WorkspaceFolder = None,
    markdown: Annotated[Path | None, typer.Option(help="write the leaderboard as Markdown")] = None,
    csv: Annotated[Path | None, typer.Option(help="write the leaderboard as CSV")] = None,
    latex: Annotated[Path | None, typer.Option(help="write the leaderboard as LaTeX")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="folder to draw figures into, as SVG and PNG")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="write a page with figures and viewers: one file.html, or a folder without limit of size"
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Rank all runs of a data set; reads run records only, never a volume."""
    from benchmark.workspace import Workspace
    from leaderboard.compare import compare as read_and_rank
    from leaderboard.export import to_csv, to_json, to_markdown
    from leaderboard.latex import to_latex
    from leaderboard.terminal import print_comparison
    from leaderboard.writing import write_text

    place = Workspace(workspace) if workspace else Workspace.default()
    comparison = read_and_rank(
        records or [place.records],
        dataset,
        runs,
        by=by,
        metric=metric,
        seeds=_seeds(seeds) if seeds is not None else None,
    )
    links = None
    if figures is not None:
        from leaderboard.figures import figure_links, write_figures

        written = write_figures(comparison, figures)
        links = figure_links(comparison, written, markdown) if markdown is not None else None
        print(f"written: {len(written)} figures in {figures}", file=sys.stderr)
    if markdown is not None:
        write_text(markdown, to_markdown(comparison, links))
        print(f"written: {markdown}", file=sys.stderr)
    for path, render in ((csv, to_csv), (latex, to_latex)):
        if path is not None:
            write_text(path, render(comparison))
            print(f"written: {path}", file=sys.stderr)
    if html is not None:
        from leaderboard.page.render import write_page

        left_out = write_page(html, comparison)
        print(f"written: {html}" + (f" ({left_out})" if left_out else ""), file=sys.stderr)
    if json:
        print(to_json(comparison))
    else:
        print_comparison(comparison)


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
    from benchmark.workspace import Workspace
    from leaderboard.show import find_one, print_run, run_as_json

    place = Workspace(workspace) if workspace else Workspace.default()
    found = find_one(run, records or place.records)
    if json:
        print(run_as_json(found))
    else:
        print_run(found)


def _seeds(text: str) -> list[int]:
    """Read ``0,1,2`` or ``0-2``."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise UserError(f"--seeds {text}: whole numbers wanted, such as 0,1,2 or 0-2")
        found += range(int(low), int(high if dash else low) + 1)
    return found
