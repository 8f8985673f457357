"""One run for whoever made it, as one file: what to try next, thresholds, loss, montages, subjects, guards, costs.

Nothing is fetched and no script runs: pictures are part of the file. What comes from a record reaches the page through
a template that escapes it.
"""

from __future__ import annotations

import base64
from importlib.resources import files
from pathlib import Path
from typing import Any

from andi_bench.files import write_atomically
from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.records.schema import RunRecord
from andi_bench.records.store import read_record
from leaderboard.tables.cells import DASH, with_interval
from leaderboard.tables.seeds import Estimate
from leaderboard.words.one_run.advice import Evidence, advice_of
from leaderboard.words.one_run.run_results import (
    SubjectLine,
    baselines_beside,
    chain_of_run,
    dice_means,
    subject_lines,
)
from leaderboard.words.run_facts import facts_of, guards_of, plain, points_of
from leaderboard.words.threshold_text import spread_sentences

REPORT = "report.html"
_CHARTS = (
    ("loss.png", "Training loss"),
    ("dice-threshold.png", "Mean Dice against the threshold, validation and test"),
    ("precision-recall.png", "Precision and recall, all subjects pooled"),
)
_PICTURE = "data:image/png;base64,"


def write_report(folder: Path, records: Path | None = None) -> Path:
    """Write a record's ``report.html``; one that says the same already is left as it is.

    Parameters
    ----------
    folder : Path
        The record's, with its figures.
    records : Path, optional
        Where runs of simple methods are looked for, to hold this one against; the folder that the record lies in, if not
        given.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        When the record cannot be read, or the file cannot be written.
    """
    run = read_record(folder, whole=False)
    path = folder / REPORT
    page = _page(run, folder, records if records is not None else folder.parent)
    if not (path.is_file() and path.read_bytes() == page.encode()):
        write_atomically(path, page)
    return path


def _page(run: RunRecord, folder: Path, records: Path) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates = files("leaderboard.exports.report") / "templates"
    template = environment.from_string((templates / "report.html.j2").read_text(encoding="utf-8"))
    style = (templates / "report.css").read_text(encoding="utf-8")
    return template.render(style=style, **_content(run, folder, records))


def _content(run: RunRecord, folder: Path, records: Path) -> dict[str, Any]:
    chain = chain_of_run(run)
    means = dice_means(run)
    lines = subject_lines(run, chain)
    own = means.get((chain, RANKING_POINT.name), Estimate())
    counted = sum(line.dice is not None for line in lines)
    return {
        "title": plain(run.run.label),
        "data": plain(run.data.title or run.run.dataset),
        "seed": run.run.seed,
        "split": plain(run.run.split),
        "created": plain(run.run.created[:10]),
        "preset": plain(run.run.preset),
        "chain": plain(chain),
        "metric": title_of(RANKING),
        "dice": with_interval(own) if own.value is not None else DASH,
        "counted": counted,
        "others": len(lines) - counted,
        "unranked": plain(run.unranked) if run.unranked else None,
        "advice": advice_of(Evidence(run, baselines_beside(run, records))),
        "points": _points(run, means),
        "found_how": list(
            dict.fromkeys((name, how) for _, name, _, _, how in points_of(run) if how)
        ),
        "spread": [plain(sentence) for sentence in spread_sentences(run)],
        "charts": [
            (caption, _inlined(folder / "figures" / name))
            for name, caption in _CHARTS
            if (folder / "figures" / name).is_file()
        ],
        "montages": _montages(folder, chain, lines),
        "subjects": [_subject(line) for line in lines],
        "guards": guards_of(run),
        "notes": [plain(note) for note in run.notes],
        "facts": facts_of(run),
    }


def _points(run: RunRecord, means: dict[tuple[str, str], Estimate]) -> list[list[str]]:
    out = []
    for chain, name, threshold, rate, _ in points_of(run):
        mean = means.get((chain, name), Estimate())
        dice = with_interval(mean) if mean.value is not None else DASH
        out.append([chain, name, threshold, dice, rate])
    return out


def _subject(line: SubjectLine) -> dict[str, Any]:
    return {
        "name": plain(line.subject),
        "bar": None if line.dice is None else round(100 * line.dice, 1),
        "cells": [
            _number(line.dice, 3),
            _number(line.best, 3),
            _number(line.ap, 3),
            _number(line.lesion_ml, 2),
            _number(line.false_ml, 2),
        ],
    }


def _montages(folder: Path, chain: str, lines: list[SubjectLine]) -> list[tuple[str, str]]:
    """Return the montages of the subjects of the highest, median and lowest Dice that have one, and of one without a lesion."""
    drawn = [line for line in lines if _montage(folder, chain, line).is_file()]
    known = [line for line in drawn if line.dice is not None]
    rest = [line for line in drawn if line.dice is None]
    chosen: dict[str, tuple[str, SubjectLine]] = {}
    if known:
        for words, place in (
            ("highest", 0),
            ("lowest", len(known) - 1),
            ("median", (len(known) - 1) // 2),
        ):
            chosen.setdefault(
                known[place].subject, (f"{words} Dice, {known[place].dice:.3f}", known[place])
            )
    if rest:
        false = f", {rest[-1].false_ml:.1f} ml falsely detected" if rest[-1].false_ml else ""
        chosen[rest[-1].subject] = (f"no Dice{false}", rest[-1])
    order = {line.subject: place for place, line in enumerate(lines)}
    return [
        (f"{plain(name)}: {words}", _inlined(_montage(folder, chain, line)))
        for name, (words, line) in sorted(chosen.items(), key=lambda one: order[one[0]])
    ]


def _montage(folder: Path, chain: str, line: SubjectLine) -> Path:
    return folder / "figures" / f"{line.subject}_{chain}.png"


def _inlined(path: Path) -> str:
    return _PICTURE + base64.b64encode(path.read_bytes()).decode("ascii")


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"
