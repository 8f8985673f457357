"""What a column is, and how numbers stand in tables: a text to show, a value to sort by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from leaderboard.tables.row import Row
from leaderboard.tables.seeds import Estimate
from leaderboard.tables.table import Table

DASH = "–"
NO_SEED = "no seed"
"""Of a method without chance: another seed gives the same maps."""

MAIN_PRIORITY = 3
"""Columns of a higher number are left to exports that have room for all."""


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Parameters
    ----------
    text : str
        What is shown.
    value : float or None
        What it is sorted by; None for words, and where there is nothing.
    """

    text: str
    value: float | None = None


NOTHING = Cell(DASH)


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    header : str
        Its head.
    definition : str
        What it means, one sentence or two.
    cell : callable
        Row to :class:`Cell`.
    priority : int
        Where there is little room, columns of high numbers are left out first.
    number : bool
        Whether it holds numbers: it is then aligned to the right and sorted by value.
    only : callable, optional
        Whether the column has anything to say in a table; always, if not given.
    narrow : str
        The head broken into lines, for a terminal; "" where it is short.
    metric : str
        Key of the metric whose value stands in it; "" for none.
    points : tuple of str
        Operating points that it tells of.
    names : bool
        Whether it holds the names of the methods.
    headline : bool
        Whether the page shows it at once, whatever its priority.
    cost : bool
        Whether it tells what a method costs, or where it comes from.
    """

    header: str
    definition: str
    cell: Callable[[Row], Cell]
    priority: int
    number: bool = True
    only: Callable[[Table], bool] | None = None
    narrow: str = ""
    metric: str = ""
    points: tuple[str, ...] = ()
    names: bool = False
    headline: bool = False
    cost: bool = False

    @property
    def main(self) -> bool:
        """Whether a table of the most important columns has it."""
        return self.headline or self.priority <= MAIN_PRIORITY


def with_interval(figure: Estimate, digits: int = 3) -> str:
    """Return ``0.712 [.61, .80]``, the interval where there is one."""
    if figure.value is None:
        return DASH
    limits = limits_of(figure, max(2, digits - 1))
    return number(figure.value, f".{digits}f") + (f" {limits}" if limits else "")


def number(value: float | None, form: str = ".3f") -> str:
    """Return a number as text, a dash for None."""
    return DASH if value is None else format(value, form)


def whole(value: float) -> str:
    """Return a number without decimals: 1,234."""
    return f"{value:,.0f}"


def significant(value: float) -> str:
    """Return a number to three digits or as a whole number: 4.56, 1,234; what is tiny as <0.01."""
    if 0 < value < 0.01:
        return "<0.01"
    return whole(value) if abs(value) >= 100 else f"{value:.3g}"


def signed(value: float, digits: int = 3) -> str:
    """Return a difference with its sign: +.012, -10.123."""
    return re.sub(r"(?<!\d)0\.", ".", f"{value:+.{digits}f}")


def limits_of(figure: Estimate, digits: int = 2) -> str:
    """Return ``[.61, .80]``, "" without an interval."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (f"{limit:.{digits}f}".removeprefix("0") for limit in (figure.low, figure.high))
    return f"[{low}, {high}]"
