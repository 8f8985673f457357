"""Reference rows: what a table's methods are held against without being in the running.

*nothing* and *everything* come from the records, which computed them from the subjects' masks. Reference methods (their
file in ``configs/methods`` says ``family: reference``) are run like any other. None of them ranks or is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from andi_bench.metrics.compared import compared, compared_of_scans, compared_pooled
from andi_bench.metrics.froc import RATES
from andi_bench.metrics.points import RANKING
from andi_bench.records.schema import ChainSummary
from andi_bench.records.store import RunRecord
from leaderboard.tables.pipelines import Choice
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate

FAMILY = "reference"
"""Family of a method that is a reference."""

REASON = "a reference, no entrant"


def is_reference(run: RunRecord) -> bool:
    """Whether a run is of a reference method."""
    return run.method.family == FAMILY


def as_reference(row: Row) -> Row:
    """Return the row of a reference method as one that cannot rank."""
    return replace(row, rank=None, reason=row.reason or REASON, reference=True)


def computed_references(runs: Sequence[RunRecord]) -> list[Row]:
    """Return the rows of the references that the records computed; [] where only older records are there.

    All runs of a table are of the same masks: the newest speaks for them.
    """
    known = [run for run in runs if run.references]
    if not known:
        return []
    newest = max(known, key=lambda run: (run.run.created, run.run.identity))
    return [_row(name, found) for name, found in newest.references.items()]


def _row(name: str, found: ChainSummary) -> Row:
    figures = {key: Estimate() for key in compared()}
    for key, part in found.subjects.items():
        if key in figures:
            figures[key] = Estimate(part.mean, undefined=part.undefined, median=part.median)
    for one in compared_pooled():
        figures[one.key] = Estimate(getattr(found.pooled, one.metric.field))
    sensitivities = {point.rate: point.sensitivity for point in found.froc.at} if found.froc else {}
    scans = {
        "scan_auroc": found.scan.auroc if found.scan else None,
        **{f"froc_{rate:g}": sensitivities.get(rate) for rate in RATES},
    }
    figures |= {one.key: Estimate(scans[one.key]) for one in compared_of_scans()}
    return Row(
        rank=None,
        method=FAMILY,
        label=name,
        chain="",
        figures=figures,
        costs={},
        reason=REASON,
        runs=(),
        choice=Choice("", "only", {}),
        chance=False,
        reference=True,
    )


def no_better(row: Row, references: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return by what a row does not leave a reference behind: keys of Dice and AP, each with the best reference.

    Held against *nothing*, *everything* and the random map, of the same post-processing where that was run.
    """
    rivals = [
        other
        for other in references
        if not other.runs or (other.method == RANDOM and other.chain == row.chain)
    ]
    out = []
    for key in (RANKING, "ap"):
        own = row.figures[key].value
        known = [other for other in rivals if other.figures[key].value is not None]
        if own is None or not known:
            continue
        best = max(known, key=lambda other: other.figures[key].value or 0.0)
        if own <= (best.figures[key].value or 0.0):
            out.append((key, best))
    return out


def below_references(
    rows: Sequence[Row], references: Sequence[Row]
) -> list[tuple[str, float, tuple[str, ...]]]:
    """Return the references that look at scans, each with its mean Dice and the rows whose mean Dice is lower; those that have any.

    The random map is held against rows of the same post-processing (:func:`no_better`), and is not among them.
    """
    out = []
    for other in references:
        value = other.figures[RANKING].value
        if not other.runs or other.method == RANDOM or value is None:
            continue
        own = ((row.label, row.figures[RANKING].value) for row in rows)
        below = tuple(label for label, found in own if found is not None and found < value)
        if below:
            out.append((other.label, value, below))
    return out


RANDOM = "random"
"""The method whose map is drawn by lot."""
