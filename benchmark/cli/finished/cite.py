"""``cite``: what to cite for some runs, as BibTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from andi_bench.names import counted
from benchmark.cli.shared.every_command import Debug, WorkspaceFolder


def cite(
    run: Annotated[
        list[str] | None,
        typer.Argument(
            help="records: a folder's name, how that begins, or a path; repeated; default: every method and data set"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="file to write, such as refs.bib; default: print it")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="folder of run records; default: the workspace's")
    ] = None,
    workspace: WorkspaceFolder = None,
    debug: Debug = False,
) -> None:
    """Print the BibTeX of what runs rest on: the suite, their methods, the data sets they learnt from and were measured on."""
    from andi_bench.console import Console
    from andi_bench.files import write_atomically
    from andi_bench.workspace import Workspace
    from leaderboard.exports.bibtex import cited_bibliography
    from leaderboard.exports.run_terminal import find_one
    from leaderboard.words.citing.citations import all_citations, citations_of

    if run:
        place = Workspace.at(workspace)
        citations, without = citations_of([find_one(one, records or place.records) for one in run])
    else:
        citations, without = all_citations(), []
    text = cited_bibliography(citations)
    console = Console()
    if output:
        write_atomically(output, text)
        console.note(f"written       {output}: {counted(len(citations), 'publication')}")
    else:
        print(text, end="")
    for subject in without:
        console.note(f"not known     a publication of {subject}")
