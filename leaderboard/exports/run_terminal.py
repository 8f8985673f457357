"""One run on a terminal: how it was measured, what came out subject by subject, where it comes from, where its files are."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from andi_bench.errors import UserError, unknown_name
from andi_bench.metrics.catalogue import CATALOGUE
from andi_bench.metrics.froc import RATES
from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.points import POINTS, RANKING_POINT, UPPER_BOUND
from andi_bench.names import counted
from andi_bench.records.loss_curve import LOSSES
from andi_bench.records.previews import find_previews
from andi_bench.records.schema import LESION_ML
from andi_bench.records.store import RunRecord, read_record, read_subjects
from leaderboard.exports.report.run_report import REPORT
from leaderboard.tables.cells import DASH, with_interval
from leaderboard.tables.comparability import comparability
from leaderboard.tables.pipelines import kind_of
from leaderboard.tables.seeds import Estimate
from leaderboard.words.notes import older_version
from leaderboard.words.one_run.advice import Evidence, advice_of
from leaderboard.words.one_run.run_results import (
    chain_of_run,
    dice_means,
    losses_of,
    spark_line,
    subject_lines,
)
from leaderboard.words.run_facts import facts_of, guards_of, plain, points_of
from leaderboard.words.threshold_text import spread_sentences

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

WIDTH = 100

_FILES = {
    REPORT: "this run as a page, with pictures",
    "record.json": "all figures",
    "subjects.csv": "a line per subject, maps and operating point",
    "subjects.csv.xz": "the same, packed, as far as tables read it",
    "histograms.npz": "scores",
    "config.yaml": "run --config makes the run again",
    LOSSES: "training",
    "times.json": "what scoring and measuring took",
}
"""What a record's folder holds beside figures and previews."""


def find_one(name: str, records: Path) -> RunRecord:
    """Find the record that a user means.

    Parameters
    ----------
    name : str
        A record's folder or its ``record.json``; or the name of a folder among the records, or how it begins.
    records : Path
        Folder of the records.

    Raises
    ------
    UserError
        For no record of that name, several that begin so, or one that is damaged.
    """
    given = Path(name)
    if given.is_dir() or given.is_file():
        return read_record(given)
    if not records.is_dir():
        raise UserError(f"{records}: no such folder of run records")
    names = sorted(
        entry.name
        for entry in records.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    found = [one for one in names if one == name] or [one for one in names if one.startswith(name)]
    if len(found) > 1:
        raise UserError(f"run '{name}': {len(found)} begin so, one wanted: {', '.join(found)}")
    if not found:
        raise unknown_name("run", name, names)
    return read_record(records / found[0])


def run_as_json(run: RunRecord) -> str:
    """Return a run as JSON: the record, its table of subjects, and its files."""
    assert run.folder is not None
    table = read_subjects(run.folder)
    lines = [
        {str(key): _jsonable(value) for key, value in line.items()}
        for line in table.to_dict("records")
    ]
    content = {"record": json.loads(run.to_json()), "subjects": lines, "files": _files(run.folder)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)


def print_run(
    run: RunRecord,
    file: IO[str] | None = None,
    baselines: Sequence[RunRecord] = (),
    regions: Mapping[str, float] | None = None,
) -> None:
    """Print a run, at most :data:`WIDTH` columns wide.

    Parameters
    ----------
    run : RunRecord
        As read from its folder.
    baselines : sequence of RunRecord
        What it is held against (:func:`leaderboard.words.one_run.run_results.baselines_beside`).
    regions : mapping of str to float, optional
        False-positive ml by region, where that was counted.
    file : text stream, optional
        Standard output unless given.

    Raises
    ------
    UserError
        When its table of subjects cannot be read.
    """
    from rich.console import Console

    assert run.folder is not None
    stream = file if file is not None else sys.stdout
    console = Console(file=stream, highlight=False, emoji=False, markup=False, soft_wrap=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    _doubts(console, run)
    _advice(console, Evidence(run, baselines, regions or {}))
    _loss(console, run.folder)
    for grid in run.grids:
        measured = run.on_grid(grid)
        _head(console, "Protocol" if len(run.grids) == 1 else f"Protocol, {plain(grid)} grid")
        _pairs(console, [(name, plain(value)) for name, value in comparability(measured).items()])
        _head(console, "Operating points")
        _points(console, measured)
        _whole_scans(console, measured)
        _head(
            console,
            f"Subjects, at {RANKING_POINT.name}, highest Dice of {chain_of_run(measured)} maps first",
        )
        _subjects(console, measured, read_subjects(run.folder, grid))
    _head(console, "Guards")
    _grid(console, ("", "", ""), [[state, name, detail] for name, state, detail in guards_of(run)])
    if run.notes:
        _head(console, "Notes")
        for note in run.notes:
            console.print(f"- {plain(note)}")
    _head(console, "Costs and origin")
    _pairs(console, facts_of(run))
    _head(console, "Files")
    console.print(plain(run.folder), soft_wrap=True)  # a path is for copying: it stays on one line
    _pairs(console, [(f"  {name}", text) for name, text in _described(run.folder)])


def _doubts(console: Console, run: RunRecord) -> None:
    """Print which run it is, and whatever makes it doubtful."""
    info = run.run
    console.print(
        plain(f"{info.label}, seed {info.seed}, on {run.data.title or info.dataset}"), style="bold"
    )
    if run.unranked:
        console.print(plain(f"No rank: {run.unranked}"), style="yellow")
    for guard, state, detail in guards_of(run):
        if state == "FAILED":
            console.print(f"Guard failed: {guard} ({detail})", style="yellow")
    for line in older_version(run.protocol):
        console.print(
            plain(f"{line} Means are the record's own, over lesion-free subjects too."),
            style="yellow",
        )


def _advice(console: Console, evidence: Evidence) -> None:
    """Print what to try next."""
    _head(console, "What to try next")
    found = advice_of(evidence)
    for one in found:
        console.print(plain(f"- {one.rule}: {one.seen} {one.tried}"))
    if not found:
        console.print("No rule finds anything that stands out.")


def _loss(console: Console, folder: Path) -> None:
    """Print the course of a training's loss; nothing where the record has none."""
    known = losses_of(folder)
    if known is None:
        return
    steps, losses = known
    _head(console, "Training loss")
    console.print(spark_line(losses.tolist(), console.width))
    console.print(
        f"{losses[0]:.4g} at step {steps[0]:,.0f}, {losses[-1]:.4g} at step {steps[-1]:,.0f}, lowest {losses.min():.4g}",
        style="dim",
    )


def _head(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    _grid(console, ("", ""), [[name, value] for name, value in pairs])


def _points(console: Console, run: RunRecord) -> None:
    lines: list[list[str]] = []
    meanings: dict[tuple[str, str], None] = {}
    means = {(plain(c), plain(p)): found for (c, p), found in dice_means(run).items()}
    for chain, name, threshold, rate, how in points_of(run):
        text = with_interval(means.get((chain, name), Estimate()))
        shown = f"({text})" if _is_bound(name) and text != DASH else text
        lines.append([chain, name, threshold, shown, rate])
        meanings.setdefault((name, how), None)
    heads = ("Pipeline", "Point", "Threshold", "Mean Dice [95 %]", "FPR on test")
    _grid(console, heads, lines, numbers=("Threshold", "FPR on test"))
    for name, how in meanings:
        if how:
            console.print(f"{name}: {how}", style="dim")
    for sentence in spread_sentences(run):
        console.print(plain(sentence), style="dim")


def _whole_scans(console: Console, run: RunRecord) -> None:
    """Print how well scans are told apart, and the FROC curve at its rates; nothing of older records."""
    lines = []
    for chain, results in run.summary.items():
        scan, points = results.scan, results.froc.at if results.froc else ()
        if scan is None and not points:
            continue
        area = f"{scan.auroc:.3f} [{scan.low:.2f}, {scan.high:.2f}]" if scan else DASH
        lines.append([plain(chain), area, *(f"{point.sensitivity:.3f}" for point in points)])
    if not lines:
        return
    _head(console, "Scans told apart; lesions found at so many false-positive ones per scan (FROC)")
    rates = [f"FROC {rate:g}" for rate in RATES][: len(lines[0]) - 2]
    heads = ("Pipeline", "Scan AUROC [95 %]", *rates)
    _grid(console, heads, lines, numbers=heads[2:])


def _is_bound(name: str) -> bool:
    """Whether an operating point is an upper bound; a record may have points that this version does not know."""
    return name in POINTS and POINTS[name].source == "test"


def _shown() -> list[tuple[MetricAt, str]]:
    """Return what is shown of every subject, with its head, the important first."""
    dice, bound = CATALOGUE["dice"], UPPER_BOUND
    at_ranking = [dice, CATALOGUE["ap"], CATALOGUE["hd95"]]
    found = [
        (MetricAt(metric, None if metric.at == "map" else RANKING_POINT), metric.name)
        for metric in at_ranking
    ]
    return [found[0], (MetricAt(dice, bound), f"({bound.name})"), *found[1:]]


def _subjects(console: Console, run: RunRecord, table: pd.DataFrame) -> None:
    """Print Dice, its upper bound and AP of every subject, chain by chain, and what is falsely detected; HD95 where there is room."""
    shown = _shown()
    chains = [chain for chain in run.protocol.chains if (table["chain"] == chain).any()]
    while len(shown) > 1 and 43 + 10 * len(shown) * len(chains) > console.width:
        shown.pop()
    heads, columns = ["Subject", "Lesion ml"], []
    first = table.drop_duplicates("subject").set_index("subject")
    standing = chain_of_run(run)
    found = {line.subject: line for line in subject_lines(run, standing)}
    names = [name for name in found if name in first.index]
    volumes = first[LESION_ML].to_dict() if LESION_ML in first.columns else {}
    columns = [[plain(name) for name in names], [_number(volumes.get(n), 2) for n in names]]
    for chain in chains:
        for one, title in shown:
            part = table[table["chain"] == chain]
            if one.point is not None:
                part = part[part["point"] == one.point.name]
            lines = part.drop_duplicates("subject").set_index("subject")
            field = one.metric.field
            known = lines[field].to_dict() if field in lines.columns else {}
            heads.append(f"{kind_of(chain, run.protocol)}\n{title}")
            columns.append([_number(known.get(n), one.metric.digits) for n in names])
    heads.append(f"{kind_of(standing, run.protocol)}\nfalse ml")
    columns.append([_number(found[name].false_ml, 2) for name in names])
    _grid(console, heads, [list(line) for line in zip(*columns, strict=True)], numbers=heads[1:])
    console.print(
        "Further operating points and figures are in subjects.csv, and in --json.", style="dim"
    )


def _grid(
    console: Console,
    heads: Sequence[str],
    lines: Sequence[Sequence[str]],
    numbers: Sequence[str] = (),
) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=None,
        padding=(0, 2, 0, 0),
        show_edge=False,
        pad_edge=False,
        header_style="bold",
        show_header=any(heads),
    )
    for head in heads:
        grid.add_column(
            head, justify="right" if head in numbers else "left", vertical="top", overflow="fold"
        )
    for line in lines:
        grid.add_row(*(Text(cell) for cell in line))
    console.print(grid)


def _number(value: Any, digits: int) -> str:
    known = isinstance(value, (int, float)) and math.isfinite(value)
    return f"{value:.{digits}f}" if known else DASH


def _jsonable(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _files(folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "figures": [str(path) for path in sorted((folder / "figures").glob("*.png"))],
        "previews": [str(path) for path in find_previews(folder).values()],
    }


def _described(folder: Path) -> list[tuple[str, str]]:
    found = _files(folder)
    lines = []
    if found["figures"]:
        named = ", ".join(
            name
            for name in ("precision-recall.png", "dice-threshold.png", "loss.png")
            if (folder / "figures" / name).is_file()
        )
        text = f"{counted(len(found['figures']), 'figure')}" + (
            f": {named}, subjects" if named else ""
        )
        lines.append(("figures/", text))
    if found["previews"]:
        lines.append(
            ("previews/", f"{counted(len(found['previews']), 'subject')}, for compare --html")
        )
    for name, text in _FILES.items():
        if (folder / name).is_file():
            lines.append((name, text))
    return lines
