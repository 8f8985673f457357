"""``compare``: rank the runs of a folder; reads run records alone."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from andi_bench.errors import UserError
from andi_bench.metrics.points import RANKING, YEN
from andi_bench.names import counted
from benchmark.cli.options import Debug, Json, WorkspaceFolder
from leaderboard.exports.formats import EXPORTS, in_order

_METRIC_HELP = f"rank by another metric, such as ap or dice@{YEN.name}; the table says so"


def _compare(
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="only this data set; default: all found")
    ] = None,
    runs: Annotated[
        str, typer.Option(help="only runs whose folder matches, such as 'andi*'")
    ] = "*",
    seeds: Annotated[
        str | None, typer.Option(help="only runs of these seeds, such as 0,1,2 or 0-2")
    ] = None,
    metric: Annotated[str, typer.Option(help=_METRIC_HELP)] = RANKING,
    pipeline: Annotated[
        Literal["validated", "raw", "filtered", "all"],
        typer.Option(
            help="one row a method: the pipeline that validation chose, raw maps, filtered maps; all: a table of each"
        ),
    ] = "validated",
    by: Annotated[
        str | None,
        typer.Option(
            help="also by sub-group: a column of the split's CSV (site, age, ...), or lesion-size"
        ),
    ] = None,
    details: Annotated[
        bool,
        typer.Option(
            "--details", help="also print all columns, in named groups, ranks, and every note"
        ),
    ] = False,
    older: Annotated[
        bool,
        typer.Option("--older", help="also runs whose data were corrected since, and run again"),
    ] = False,
    schemes: Annotated[
        bool,
        typer.Option("--schemes", help="also ranks by mean rank within subjects, and by tests"),
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            help="also test which rows are equivalent: their difference within this margin"
        ),
    ] = None,
    carry_thresholds: Annotated[
        bool,
        typer.Option(
            "--carry-thresholds",
            help="also Dice of each data set at thresholds that were frozen on the others",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="first hold every file of every record against its digest; without it, those that are read",
        ),
    ] = False,
    records: Annotated[
        list[Path] | None,
        typer.Option(help="folder of run records; repeated: merged; default: the workspace's"),
    ] = None,
    workspace: WorkspaceFolder = None,
    *,
    exports: dict[str, Path],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Rank all runs of a data set; reads run records only, never a volume."""
    from andi_bench.records.search import verify_records
    from andi_bench.workspace import Workspace
    from leaderboard.compare import compare as read_and_rank
    from leaderboard.statistics.family import Extra

    if margin is not None and not 0 < margin < math.inf:
        raise UserError(f"--margin {margin:g}: a number above 0 wanted")
    place = Workspace.at(workspace)
    folders = records or [place.records]
    if verify:
        number = verify_records(folders, runs)
        print(
            f"verified: every file of {counted(number, 'record')} is as the run wrote it",
            file=sys.stderr,
        )
    comparison = read_and_rank(
        folders,
        dataset,
        runs,
        pipeline,
        by,
        metric,
        seeds=_seeds(seeds) if seeds is not None else None,
        extra=Extra(older=older, schemes=schemes, margin=margin, carry_thresholds=carry_thresholds),
    )
    drawn: list[Path] = []
    for export, path in in_order(exports):
        print(f"written: {export.run(comparison, path, drawn)}", file=sys.stderr)
    if json:
        from leaderboard.exports.json_text import to_json

        print(to_json(comparison))
    else:
        from leaderboard.exports.terminal import print_comparison

        print_comparison(comparison, details=details)


def compare_command() -> Callable[..., None]:
    """Return the command, with an option for every export of :data:`leaderboard.exports.formats.EXPORTS`."""

    def compare(**options: Any) -> None:
        paths = {name: options.pop(_parameter(name)) for name in EXPORTS}
        asked = {name: path for name, path in paths.items() if path is not None}
        _compare(**options, exports=asked)

    signature = inspect.signature(_compare, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name != "exports":
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        parameters += [
            inspect.Parameter(
                _parameter(name),
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[Path | None, typer.Option(f"--{name}", help=export.help)],
            )
            for name, export in EXPORTS.items()
        ]
    compare.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    compare.__annotations__ = {one.name: one.annotation for one in parameters}
    compare.__doc__ = _compare.__doc__
    return compare


def _parameter(option: str) -> str:
    return option.replace("-", "_")


def _seeds(text: str) -> list[int]:
    """Read ``0,1,2`` or ``0-2``."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise UserError(f"--seeds {text}: whole numbers wanted, such as 0,1,2 or 0-2")
        found += range(int(low), int(high if dash else low) + 1)
    return found
