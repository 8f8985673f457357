"""How far thresholds hang on who was in the validation split, as text: for one run, and for the rows of a table."""

from __future__ import annotations

from andi_bench.metrics.points import RANKING, RANKING_POINT
from andi_bench.names import counted
from andi_bench.records.schema import LESION_FREE_APART, RecordedThreshold, ThresholdSpread
from andi_bench.records.store import RunRecord
from leaderboard.tables.cells import DASH
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table

FEW_VALIDATION = 3
"""Validation subjects: of so few the spread is a lower bound, for a resample can take but few forms."""

THRESHOLD_HEADS = (
    "Method",
    "Pipeline",
    "Seed",
    "Threshold [95 %]",
    "Dice it gives [95 %]",
    "Validation subjects",
)
THRESHOLD_NUMBERS = THRESHOLD_HEADS[2:5]


def threshold_text(point: RecordedThreshold) -> str:
    """Return ``0.312 [0.24, 0.4]``, in brackets 95 % of what other validation subjects would have chosen."""
    if point.threshold is None:
        return "one per volume"
    found = point.spread
    text = f"{point.threshold:.6g}"
    if found is None or found.low is None or found.high is None:
        return text
    return f"{text} [{found.low:.3g}, {found.high:.3g}]"


def spread_sentences(run: RunRecord) -> list[str]:
    """Say of each chain of a run how far the threshold that ranks hangs on the validation subjects; [] where not known."""
    return [
        f"{RANKING_POINT.name}, {chain} maps: {_sentence(point.spread)}"
        for chain, point in _points(run)
        if point.spread is not None
    ]


def threshold_cells(table: Table) -> list[list[str]]:
    """Return the thresholds of the rows and seeds of a table under :data:`THRESHOLD_HEADS`; [] where no spread is known."""
    lines = []
    for row in table.rows:
        for run in row.runs if row.chance else row.runs[:1]:
            point = run.operating_points.get(row.chain, {}).get(RANKING_POINT.name)
            if point is None or point.spread is None:
                continue
            lines.append(
                [
                    row.label,
                    row.chain,
                    str(run.run.seed) if row.chance else DASH,
                    threshold_text(point),
                    _dice_it_gives(row, run, point.spread),
                    f"{point.spread.subjects}{_remark(point.spread.subjects)}",
                ]
            )
    return lines


def has_threshold(table: Table) -> bool:
    """Whether any row has a figure at the threshold that ranks, or that threshold."""
    return any(row.figures[RANKING].value is not None for row in table.rows) or any(
        chain == row.chain and point.threshold is not None
        for row in table.rows
        for run in row.runs
        for chain, point in _points(run)
    )


def without_validation(table: Table) -> bool:
    """Whether the records say that there are no validation subjects."""
    return table.protocol.subjects.get("val") == 0


def frozen_on(table: Table) -> str:
    """Return whom the threshold that ranks was frozen on: ``16 validation subjects with a lesion``; in general words where not known."""
    known = sorted(
        {
            point.spread.subjects
            for row in table.rows
            for run in row.runs
            for chain, point in _points(run)
            if chain == row.chain and point.spread is not None
        }
    )
    if len(known) == 1:
        return f"{_people(known[0])} with a lesion"
    if known:
        return f"{known[0]} to {_people(known[-1])} with a lesion"
    number = table.protocol.subjects.get("val")
    if not number:
        return "the validation subjects"
    people = _people(number)
    # of these records only those with a lesion count, and how many that are is not written there
    return (
        people
        if table.protocol.version < LESION_FREE_APART
        else f"those of {people} who have a lesion"
    )


def threshold_note(table: Table) -> str:
    """Return in one sentence how far thresholds move the figure that ranks: the row that moves most; "" where not known."""
    known = [
        (run, row, point.spread)
        for row in table.rows
        for run in row.runs
        for chain, point in _points(run)
        if chain == row.chain and point.spread is not None
    ]
    if not known:
        return ""
    fewest = min(spread.subjects for _, _, spread in known)
    head = f"Threshold {RANKING_POINT.name} was frozen on {_people(fewest)} with a lesion"
    moved = [
        (spread.dice_high - spread.dice_low, run, row, spread)
        for run, row, spread in known
        if spread.dice_low is not None and spread.dice_high is not None
    ]
    if fewest == 1:
        return f"{head}: how far another one would move it cannot be known."
    if not moved:
        return ""
    _, run, row, spread = max(moved, key=lambda one: one[0])
    seed = f", seed {run.run.seed}" if row.chance else ""
    text = (
        f"{head}. With others of their kind the mean Dice of these test subjects would be another one; it moves most for "
        f"{row.label} ({row.chain}{seed}): {_dice(spread)} in 95 of 100 resamples"
    )
    return text + ("; of so few that is a lower bound." if fewest <= FEW_VALIDATION else ".")


def _points(run: RunRecord) -> list[tuple[str, RecordedThreshold]]:
    name = RANKING_POINT.name
    return [(chain, found[name]) for chain, found in run.operating_points.items() if name in found]


def _sentence(found: ThresholdSpread) -> str:
    if found.low is None or found.high is None or found.sd is None:
        return f"frozen on {_people(found.subjects)} with a lesion: how far another one would move it cannot be known"
    text = (
        f"with others in place of the {_people(found.subjects)} with a lesion ({found.resamples:,} resamples) the threshold "
        f"would lie in {found.low:.3g} to {found.high:.3g} (SD {found.sd:.2g})"
    )
    if found.dice_sd is not None:
        text += f", the mean Dice of these test subjects in {_dice(found)} (SD {_short(found.dice_sd, 3)})"
    text += ", in 95 of 100"
    return text + (
        "; of so few subjects that is a lower bound" if found.subjects <= FEW_VALIDATION else ""
    )


def _dice_it_gives(row: Row, run: RunRecord, found: ThresholdSpread) -> str:
    summary = run.summary.get(row.chain)
    figure = summary.subjects.get(f"dice@{RANKING_POINT.name}") if summary else None
    if figure is None or figure.mean is None:
        return DASH
    text = f"{figure.mean:.3f}"
    if found.dice_low is None or found.dice_high is None:
        return text
    return f"{text} [{_short(found.dice_low)}, {_short(found.dice_high)}]"


def _dice(found: ThresholdSpread) -> str:
    assert found.dice_low is not None
    assert found.dice_high is not None
    return f"{_short(found.dice_low)} to {_short(found.dice_high)}"


def _remark(subjects: int) -> str:
    if subjects == 1:
        return ": spread not known"
    return ": a lower bound" if subjects <= FEW_VALIDATION else ""


def _people(subjects: int) -> str:
    return counted(subjects, "validation subject")


def _short(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".removeprefix("0")
