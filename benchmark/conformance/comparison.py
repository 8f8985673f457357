"""One of our metrics against a reference, over many cases: the largest difference, and whether it is small enough."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One row of the table.

    Parameters
    ----------
    metric, against : str
        What is compared with what.
    cases : int
        How many were compared.
    difference : float
        The largest, absolute; or, where the note says so, relative. Infinite where only one of the two has a
        value, or where ours failed.
    tolerance : float
        The largest difference that passes.
    worst : str
        The case with the largest difference; "" without any difference.
    note : str
        What the definition is, and which cases are left out.
    """

    metric: str
    against: str
    cases: int
    difference: float
    tolerance: float
    worst: str
    note: str

    @property
    def passed(self) -> bool:
        """Whether something was compared, and differs by no more than the tolerance."""
        return self.cases > 0 and self.difference <= self.tolerance


Pair = tuple[str, float | None, float | None]
"""Name of a case, our value, and the reference's; None where there is none."""


def compare(
    metric: str,
    against: str,
    pairs: Iterable[Pair],
    tolerance: float,
    note: str,
    relative: bool = False,
) -> Comparison:
    """Find the largest difference over some cases; an exception counts as an infinite one.

    Parameters
    ----------
    metric, against, tolerance, note
        As in :class:`Comparison`.
    pairs : iterable of (str, float or None, float or None)
        Of each case the name, our value and the reference's.
    relative : bool
        Divide each difference by the reference's value.
    """
    cases, largest, worst = 0, 0.0, ""
    try:
        for name, ours, theirs in pairs:
            cases += 1
            found = _difference(ours, theirs, relative)
            if found > largest:
                largest, worst = found, name
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        return Comparison(metric, against, cases + 1, math.inf, tolerance, first, note)
    return Comparison(metric, against, cases, largest, tolerance, worst, note)


def _difference(ours: float | None, theirs: float | None, relative: bool) -> float:
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else math.inf
    if not math.isfinite(ours):
        return math.inf
    gap = abs(ours - theirs)
    return gap / abs(theirs) if relative and theirs else gap
