"""The table of the first screen: one row a method, what ranks, how far behind the best, false alarms, cost.

The same columns stand on a terminal, in Markdown and in LaTeX; each face lays them out in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from andi_bench.metrics.compared import metric_at, tested_metric, title_of
from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.points import RANKING, RANKING_POINT
from leaderboard.statistics.family import TableStatistics
from leaderboard.statistics.pair_tests import Key
from leaderboard.tables.cells import DASH, limits_of, number, signed, significant
from leaderboard.tables.parts import size_of
from leaderboard.tables.pipelines import VALIDATED, kind_of
from leaderboard.tables.references import FAMILY
from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate
from leaderboard.tables.table import Table

Kind = Literal["group", "method", "figure", "difference", "healthy", "seconds"]

CLEAN = f"any_detection_lesion_free@{RANKING_POINT.name}"
FALSE_ML = f"false_positive_ml_lesion_free@{RANKING_POINT.name}"
BEST = "best"
"""What stands for the first row's difference to itself."""


@dataclass(frozen=True)
class Figure:
    """One number as text, with the interval that belongs to it; or a name, with what is said of it.

    Parameters
    ----------
    text : str
        The number, or words in its place.
    limits : str
        Such as ``[.61, .80]``; "" where there is no interval.
    share : float or None
        Where the number lies in [0, 1], for a bar; None elsewhere.
    """

    text: str
    limits: str = ""
    share: float | None = None

    @property
    def whole(self) -> str:
        """Number and interval in one line."""
        return f"{self.text} {self.limits}" if self.limits else self.text


@dataclass(frozen=True)
class MainColumn:
    """One column of the first screen.

    Parameters
    ----------
    kind : str
        What it holds.
    head : str
        Its head, without the size.
    size : str
        Whom it is over: ``n = 45``; "" for words and costs.
    priority : int
        Where there is little room, columns of high numbers are left out first; those of 0 never.
    cells : tuple of tuple of Figure
        One cell a row of the table, references last; a cell has one figure, or two.
    ranks : bool
        Whether it is what ranks.
    each : tuple of str
        What each figure of a cell is, where there are two; these words follow the head.
    """

    kind: Kind
    head: str
    size: str
    priority: int
    cells: tuple[tuple[Figure, ...], ...]
    ranks: bool = False
    each: tuple[str, ...] = ()

    @property
    def whole_head(self) -> str:
        """The head of a column that shows all figures of a cell."""
        return f"{self.head} {', '.join(self.each)}" if self.each else self.head

    def apart(self) -> Iterator[MainColumn]:
        """Yield a column for each figure of a cell."""
        for place, name in enumerate(self.each):
            cells = tuple((cell[place],) for cell in self.cells)
            head = f"{self.head} {name}"
            yield replace(self, head=head, each=(), cells=cells, priority=self.priority + place * 3)
        if not self.each:
            yield self

    @property
    def number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind not in ("group", "method")


def main_columns(table: Table, statistics: TableStatistics) -> list[MainColumn]:
    """Return the columns of the first screen that have something to say in a table, in their fixed order.

    Parameters
    ----------
    table : Table
        Of the leaderboard; its ``shown`` are the rows.
    statistics : TableStatistics
        The table's: groups and differences are its tests.
    """
    return list(_columns(table, statistics))


def _columns(table: Table, statistics: TableStatistics) -> Iterator[MainColumn]:
    shown = table.shown
    if any(row.group for row in table.rows):
        yield MainColumn(
            "group", "Group", "", 0, _one(shown, lambda row: Figure(row.group or DASH))
        )
    yield MainColumn("method", "Method", "", 0, _one(shown, lambda row: _name(table, row)))
    yield replace(_figure(table, table.metric), priority=0, ranks=True)
    difference = _difference(table, statistics)
    if difference is not None:
        yield difference
    for key in (RANKING, "ap"):
        if key != table.metric:
            yield _figure(table, key)
    if any(row.values.get(CLEAN) for row in table.rows):
        volume = metric_at(FALSE_ML)
        cells = tuple((_clean(row), _of(row, volume)) for row in shown)
        each = ("clean", f"FP {volume.metric.unit}")
        size = size_of(table, CLEAN)
        yield MainColumn("healthy", "Lesion-free:", size, 2, cells, each=each)
    if any(row.costs.get("seconds_per_volume") is not None for row in shown):
        yield MainColumn("seconds", "s/volume", "", 4, _one(shown, _seconds))


def _one(rows: Sequence[Row], cell: Callable[[Row], Figure]) -> tuple[tuple[Figure, ...], ...]:
    return tuple((cell(row),) for row in rows)


def _name(table: Table, row: Row) -> Figure:
    """Return the method, and in place of limits its pipeline where rows differ in it."""
    return Figure(name_of(row), short_pipeline(table, row))


def name_of(row: Row) -> str:
    """Return the name of a row: of what is no entrant with a word that says so."""
    return f"{row.label} ({FAMILY})" if row.reference else row.label


def short_pipeline(table: Table, row: Row) -> str:
    """Return ``raw`` or ``filtered`` where a table has rows of both kinds; "" elsewhere."""
    if table.view != VALIDATED or len(table.views) == 1 or not row.chain:
        return ""
    return kind_of(row.chain, table.protocol)


def _figure(table: Table, key: str) -> MainColumn:
    found = metric_at(key)
    cells = _one(table.shown, lambda row: _of(row, found))
    return MainColumn("figure", found.title, size_of(table, key), 3, cells)


def _of(row: Row, found: MetricAt) -> Figure:
    return figure_of(row.figures[found.key], found)


def figure_of(figure: Estimate, found: MetricAt) -> Figure:
    """Return an estimate as text, with its interval."""
    if figure.value is None:
        return Figure(DASH)
    digits = found.metric.digits
    limits = limits_of(figure, max(2, digits - 1))
    share = figure.value if found.metric.share else None
    return Figure(number(figure.value, f".{digits}f"), limits, share)


def _clean(row: Row) -> Figure:
    """Return the share of lesion-free subjects in whom nothing is detected."""
    figure = row.figures[CLEAN]
    if figure.value is None:
        return Figure(DASH)
    low, high = figure.low, figure.high
    turned = Estimate(
        1 - figure.value,
        None if high is None else 1 - high,
        None if low is None else 1 - low,
    )
    return Figure(number(abs(1 - figure.value), ".2f"), limits_of(turned), share=1 - figure.value)


def _seconds(row: Row) -> Figure:
    value = row.costs.get("seconds_per_volume")
    return Figure(DASH) if value is None else Figure(significant(value))


def _difference(table: Table, statistics: TableStatistics) -> MainColumn | None:
    """Return how far each ranked row is from the first one, over the subjects that all rows have; None without tests."""
    family = statistics.family
    if family is None or not family.tests:
        return None
    best = next(row.key for row in table.rows if row.rank is not None)
    tested = tested_metric(table.metric)
    head = "Difference to the best"
    if tested != table.metric:
        head += f", {title_of(tested)}"
    digits = metric_at(tested).metric.digits

    def cell(row: Row) -> Figure:
        if row.reference or row.rank is None:
            return Figure(DASH)
        return Figure(BEST) if row.key == best else _behind(statistics, best, row.key, digits)

    return MainColumn("difference", head, f"n = {len(family.subjects)}", 1, _one(table.shown, cell))


def _behind(statistics: TableStatistics, best: Key, key: Key, digits: int) -> Figure:
    assert statistics.family is not None
    test = statistics.family.test(best, key)
    if test is None:
        return Figure(DASH)
    turn = 1 if test.first == key else -1
    text = signed(turn * test.difference, digits)
    if test.low is None or test.high is None:
        return Figure(text)
    low, high = sorted((turn * test.low, turn * test.high))
    short = max(2, digits - 1)
    return Figure(text, f"[{signed(low, short)}, {signed(high, short)}]")
