"""Several data sets together as rows of text and sentences, for the terminal, Markdown, LaTeX and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.names import counted
from leaderboard.statistics.across import MeanRanks
from leaderboard.statistics.family import Agreement
from leaderboard.statistics.rankings import ALPHA
from leaderboard.tables.cells import DASH, with_interval
from leaderboard.tables.crossing import CrossTable
from leaderboard.tables.pipelines import FILTERED, RAW, VALIDATED
from leaderboard.words.differences import p_text

RANKS_MEAN = (
    "Mean rank over the data sets, of the methods that all of them have; in brackets 95 % with other subjects and seeds of the "
    "same data sets. It says nothing of other data sets."
)
CROSSED = (
    f"Rows: what a method was trained on, and on whose validation subjects the threshold {RANKING_POINT.name} was frozen; columns: what it "
    f"was tested on. A row is of the same trainings throughout. A threshold is carried over between these alone ({DASH}: there is "
    "none, or its scores have another scale)."
)
NOT_CARRIED = "Thresholds of one data set on another: compare --carry-thresholds."


_SHOWN = {
    VALIDATED: "each method with the pipeline that validation chose",
    RAW: "raw maps",
    FILTERED: "filtered maps",
}


@dataclass(frozen=True)
class Listing:
    """A table of text.

    Parameters
    ----------
    title : str
        What stands above it.
    heads, numbers : sequence of str
        Heads of the columns, and of those among them that hold numbers.
    cells : list of list of str
        Its lines.
    """

    title: str
    heads: Sequence[str]
    numbers: Sequence[str]
    cells: list[list[str]]


def ranks_listing(found: MeanRanks) -> Listing:
    """Return mean ranks, the best first."""
    numbers = ("Mean rank", *(f"Rank, {name}" for name in found.datasets))
    cells = [
        [name, f"{mean:.2f} [{low:.2f}, {high:.2f}]", *map(str, ranks)]
        for name, mean, low, high, ranks in zip(
            found.methods, found.mean, found.low, found.high, found.ranks, strict=True
        )
    ]
    title = f"Ranks over the data sets, {_SHOWN[found.view]}"
    return Listing(title, ("Method", *numbers), numbers, cells)


def cross_listing(table: CrossTable) -> Listing:
    """Return what was trained on one data set and tested on another; names stand once."""
    cells: list[list[str]] = []
    last: tuple[str, str] | None = None
    for line in table.lines:
        new = (line.method, line.trained_on) != last
        last = line.method, line.trained_on
        dice = "@" in line.key
        cells.append(
            [
                line.method if new else "",
                (line.trained_on or "nothing") if new else "",
                title_of(line.key),
                (line.threshold_from or "each its own") if dice else "",
                *(with_interval(cell) for cell in line.cells),
            ]
        )
    title = f"Trained on one data set, tested on another, {_SHOWN[table.view]}"
    heads = ("Method", "Trained on", "Figure", "Threshold from", *table.datasets)
    return Listing(title, heads, table.datasets, cells)


def cross_notes(table: CrossTable) -> list[str]:
    """Return what a reader must know beside :data:`CROSSED`: what is left out and why, whose seeds are fewer, what is scored otherwise."""
    notes = []
    by_reason: dict[str, dict[str, list[str]]] = {}
    for one in table.left_out:
        by_reason.setdefault(one.reason, {}).setdefault(one.method, []).append(one.dataset)
    if by_reason:
        said = "; ".join(
            f"{', '.join(f'{method} on {_listed(where)}' for method, where in who.items())} ({reason})"
            for reason, who in by_reason.items()
        )
        notes.append(f"Left out, for the trainings are not the same: {said}.")
    fewer = {line.method: line.seeds for line in table.lines if line.seeds}
    if fewer:
        said = ", ".join(
            f"{method} {_listed([str(seed) for seed in seeds])}" for method, seeds in fewer.items()
        )
        notes.append(f"Of the seeds alone that all data sets of a row have: {said}.")
    otherwise = list(dict.fromkeys(line.method for line in table.lines if line.scored_otherwise))
    if otherwise:
        notes.append(
            f"Scores of slices do not become maps in the same way on all data sets: {', '.join(otherwise)}."
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


_DIFFERING = {
    "training": "other trainings of",
    "seeds": "other seeds of",
    "scoring": "other settings of scoring for",
}


def agreement_sentence(one: Agreement) -> str:
    """Say how far two data sets' rankings agree, whether that can be told from nothing, and what else differs than the data."""
    known = [
        f"{_DIFFERING[kind]} {'all' if len(names) == one.methods else ', '.join(names)}"
        for kind, names in one.differing
    ]
    more = f" The two have {'; '.join(known)}." if known else ""
    return _agreement(one) + more


def _agreement(one: Agreement) -> str:
    shown = f", {_SHOWN[one.view]}" if one.view in (RAW, FILTERED) else ""
    head = f"{one.first} and {one.second}{shown}, {counted(one.methods, 'method')}"
    if one.tau is None:
        return f"{head}: {DASH}, one of them ties all."
    text = f"{head}: tau {_signed(one.tau)}"
    if one.low is not None and one.high is not None:
        text += f" [{_signed(one.low)}, {_signed(one.high)}]"
    if one.p is None:
        return f"{text}."
    if one.p < ALPHA:
        return f"{text}, more than chance (p {p_text(one.p)})."
    if one.needed is None:
        return f"{text}: so few methods cannot show any agreement, 1 included (p {p_text(one.p)})."
    return f"{text}: cannot be told from 0 (p {p_text(one.p)}; {one.methods} methods show a tau of {_signed(one.needed)} or more)."


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)
