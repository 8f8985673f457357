"""What a command shows when it is done: the table, and where everything lies."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from andi_bench.console import Console, program
from andi_bench.workspace import Workspace
from benchmark.run.request import Outcome
from datasets.prepare.register.original_grid import ORIGINAL
from leaderboard.exports.report.run_report import REPORT, write_report


def summarise(
    place: Workspace,
    datasets: Sequence[str],
    outcomes: Mapping[str, Outcome],
    seconds: float,
    console: Console,
    *,
    as_json: bool,
) -> None:
    """Write the leaderboard, print the table, and say where records and maps are.

    Parameters
    ----------
    place : Workspace
        Holds the records.
    datasets : sequence of str
        The data sets that were scored.
    outcomes : mapping of str to Outcome
        By what was run, in words.
    seconds : float
        How long it took.
    console : Console
        Where to say the rest.
    as_json : bool
        Print the places as JSON on standard output; the table then goes to standard error.

    Raises
    ------
    UserError
        When the leaderboard cannot be written.
    """
    evaluated = [outcome for outcome in outcomes.values() if outcome.record is not None]
    for outcome in evaluated:
        assert outcome.record is not None
        # written with the record already; runs that came after it may be what it is held against
        write_report(outcome.record, place.records)
    if as_json:
        print(json.dumps({key: _places(outcome) for key, outcome in outcomes.items()}, indent=1))
    for dataset in datasets if evaluated else ():
        # With --json, stdout belongs to the script that reads it.
        markdown = _leaderboard(place, dataset, sys.stderr if as_json else None)
        console.note(f"leaderboard   {markdown}")
    for key, outcome in outcomes.items():
        _say_where(key, outcome, console)
    if not evaluated:
        console.note("no lesion mask is known: the scans were scored, nothing could be evaluated")
    console.note(f"took          {seconds:.0f} s")
    given = "" if place == Workspace.default() else f" --workspace {place.root}"
    for dataset in datasets:
        console.note(f"next          {program()} compare --dataset {dataset}{given}")


def _places(outcome: Outcome) -> dict[str, str | bool | None]:
    return {
        "record": str(outcome.record) if outcome.record else None,
        "maps": str(outcome.maps) if outcome.maps else None,
        "reused": outcome.reused,
    }


def _leaderboard(place: Workspace, dataset: str, file: TextIO | None) -> Path:
    """Write the leaderboard, print its table, and return the Markdown file."""
    from leaderboard.compare import compare
    from leaderboard.exports.markdown import write_markdown
    from leaderboard.exports.terminal import print_comparison

    comparison = compare(place.records, dataset)
    markdown = place.leaderboards / f"{dataset}.md"
    write_markdown(comparison, markdown)
    print_comparison(comparison, file, pipelines=True)
    return markdown


def _say_where(key: str, outcome: Outcome, console: Console) -> None:
    if outcome.record is not None:
        state = " (was there already)" if outcome.reused else ""
        console.note(f"record        {outcome.record}{state}: {key}; {REPORT} and figures inside")
    if outcome.maps is not None:
        console.note(f"maps          {outcome.maps}: {key}")
        if (outcome.maps / ORIGINAL).is_dir():
            console.note(f"              {outcome.maps / ORIGINAL}: on the original files")
