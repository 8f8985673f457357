"""``compare``: rank the runs of a folder; reads run records alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from andi_bench.errors import UserError
from benchmark.cli.options import Debug, Json, WorkspaceFolder


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
    from andi_bench.files import write_atomically
    from andi_bench.workspace import Workspace
    from leaderboard.compare import compare as read_and_rank
    from leaderboard.exports.latex import to_latex
    from leaderboard.exports.markdown import to_csv, to_json, to_markdown
    from leaderboard.exports.terminal import print_comparison

    place = Workspace.at(workspace)
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
        write_atomically(markdown, to_markdown(comparison, links))
        print(f"written: {markdown}", file=sys.stderr)
    for path, render in ((csv, to_csv), (latex, to_latex)):
        if path is not None:
            write_atomically(path, render(comparison))
            print(f"written: {path}", file=sys.stderr)
    if html is not None:
        from leaderboard.exports.page.render import write_page

        left_out = write_page(html, comparison)
        print(f"written: {html}" + (f" ({left_out})" if left_out else ""), file=sys.stderr)
    if json:
        print(to_json(comparison))
    else:
        print_comparison(comparison)


def _seeds(text: str) -> list[int]:
    """Read ``0,1,2`` or ``0-2``."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise UserError(f"--seeds {text}: whole numbers wanted, such as 0,1,2 or 0-2")
        found += range(int(low), int(high if dash else low) + 1)
    return found
