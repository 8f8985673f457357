"""What a reader asks first, answered above the table: on whom, against thresholding, false alarms, what it takes to run."""

from __future__ import annotations

from collections.abc import Sequence

from andi_bench.config import dataset_entry, names_in
from andi_bench.metrics.compared import metric_at
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.names import counted
from leaderboard.statistics.family import TableStatistics
from leaderboard.tables.cells import significant
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.row import Row
from leaderboard.tables.table import Table
from leaderboard.words.main_table import FALSE_ML, figure_of
from leaderboard.words.threshold_text import frozen_on

SIMPLE = "thresholding"
"""The method that every other one has to be worth more than: bright voxels are called abnormal."""
_SIMULATED = "phantom"
"""What titles of simulated data begin with, where nothing else is known of them."""
_NAMED = 8
"""More methods than these are counted, not named."""


def in_short(table: Table, statistics: TableStatistics) -> list[tuple[str, str]]:
    """Return questions in a few words, each with its answer; what was not measured is said to be so.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    statistics : TableStatistics
        The table's: what is said of a pair is its test.
    """
    return [
        ("On whom?", _whom(table)),
        (f"Better than {SIMPLE}?", _against(table, statistics)),
        ("False alarms in people without a lesion?", _false_alarms(table)),
        ("What does it take to run?", _costs(table)),
    ]


def _whom(table: Table) -> str:
    volumes = volumes_of(table)
    ill = sum(volume > 0 for volume in volumes.values())
    whom = (
        f"{counted(ill, 'subject')} with a lesion, {len(volumes) - ill} without"
        if volumes
        else "Unknown"
    )
    if _simulated(table):
        whom = f"Simulated brains, no patients: {whom}"
    if not table.protocol.subjects.get("val"):
        return f"{whom}. No validation subjects: no threshold was frozen on others."
    return f"{whom}. Thresholds were frozen on {frozen_on(table)}, never on these."


def _simulated(table: Table) -> bool:
    """Whether the brains are made: as the data set's file in ``configs`` has it, or, where there is none, by the title."""
    if table.dataset in names_in("datasets"):
        return dataset_entry(table.dataset).simulated
    return table.title.lower().startswith(_SIMULATED)


def _against(table: Table, statistics: TableStatistics) -> str:
    simple = next(
        (row for row in table.rows if row.method == SIMPLE and row.rank is not None), None
    )
    if simple is None:
        return f"Unknown: {SIMPLE} has no rank in this table."
    if statistics.family is None or not statistics.family.tests:
        return "Unknown: no test could be made."
    groups: dict[str, list[str]] = {"better": [], "not told apart from it": [], "worse": []}
    for row in table.rows:
        test = None if row is simple else statistics.family.test(simple.key, row.key)
        if test is None:
            continue
        groups[
            "not told apart from it"
            if test.better is None
            else "better"
            if test.better == row.key
            else "worse"
        ].append(row.label)
    if not groups["better"]:
        groups["better"] = ["none"]
    said = "; ".join(f"{what}: {_listed(who)}" for what, who in groups.items() if who)
    return f"{said[0].upper()}{said[1:]}."


def _false_alarms(table: Table) -> str:
    found = metric_at(FALSE_ML)
    known = [row for row in table.rows if row.figures[FALSE_ML].value is not None]
    if not known:
        return "Not measured: no subject without a lesion."
    known.sort(key=lambda row: row.figures[FALSE_ML].value or 0.0)
    n = max(len(row.values.get(FALSE_ML, ())) for row in known)
    told = list(dict.fromkeys((known[0].key, known[-1].key)))
    volumes = [
        f"{row.label} {figure_of(row.figures[FALSE_ML], found).whole}"
        for row in known
        if row.key in told
    ]
    people = f" in {counted(n, 'such subject')}" if n else ""
    ends = " (least and most)" if len(told) > 1 else ""
    return f"Mean ml that is detected{people}, at {RANKING_POINT.name}: {', '.join(volumes)}{ends}."


def _costs(table: Table) -> str:
    parts = [
        f"{what} up to {say(value)} ({label})"
        for what, say, name in (
            ("scoring a volume", _duration, "seconds_per_volume"),
            ("memory", _memory, "peak_memory_mb"),
            ("training", _duration, "training_seconds"),
        )
        for value, label in _most(table.rows, name)
    ]
    if not parts:
        return "Not recorded."
    devices = dict.fromkeys(
        str(row.costs["device"]) for row in table.rows if row.costs.get("device")
    )
    on = f"On {'; '.join(devices)}: " if devices else ""
    said = f"{on}{', '.join(parts)}. Each method's time and memory: last column."
    return f"{said[0].upper()}{said[1:]}"


def memory_text(row: Row) -> str:
    """Return the largest memory of a row's scoring, such as ``0.52 GiB``; "" where it is not known."""
    mb = row.costs.get("peak_memory_mb")
    return "" if mb is None else _memory(mb)


def _memory(mb: float) -> str:
    return f"{mb / 1024:.2g} GiB"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{significant(seconds / size)} {unit}"
    return f"{significant(seconds)} s"


def _most(rows: Sequence[Row], name: str) -> list[tuple[float, str]]:
    """Return the highest cost and whose it is; [] where nobody has one."""
    return sorted((float(row.costs[name]), row.label) for row in rows if row.costs.get(name))[-1:]


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return ", ".join(names)
