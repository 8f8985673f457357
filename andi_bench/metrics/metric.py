"""What a metric is: its meaning, whom it is a mean over, where it is measured, where it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from andi_bench.metrics.case import Case
from andi_bench.metrics.points import RANKING_POINT, OperatingPoint

Place = Literal["exports", "column", "groups", "subjects"]

EVERYWHERE: frozenset[Place] = frozenset({"exports", "column", "groups", "subjects"})
"""CSV, JSON and ``compare --metric``; a column of the table; sub-groups; the page's table of subjects."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Parameters
    ----------
    key : str
        Its name in records and exports; with the operating point, where it has one, ``key@point``.
    title : str
        Its name in tables.
    definition : str
        What it means, a sentence or two, for the reader of a table. Of a metric that is shown at every point: what
        stands before "at the threshold ...".
    unit : str
        Such as ``mm``; "" for a share or a number of things.
    counts : bool
        Whether it is a number of things: no share, though it has no unit. Intervals of shares stand on the logit of their mean.
    yes_or_no : bool
        Whether it is 0 or 1 of each subject: its mean has an interval where all subjects agree, too.
    higher_is_better : bool
        Which way it points.
    unranked : str
        Why it never ranks; "" where it may when asked for.
    over : {"lesion", "all", "lesion-free", "pooled", "scans", "lesions"}
        Whom it is a mean over: the subjects with a lesion (of the others it is undefined), all, those without; or no
        mean, but one number over the voxels of all subjects together, over the scans with a lesion and those without, or
        over all subjects' lesions at many thresholds.
    at : {"map", "every", "reachable", "ranking", "rated"}
        Where it is measured: on the map itself, without a threshold; at every operating point; at all but upper
        bounds; at the one that ranks; at those with a nominal false-positive rate.
    measure : callable, optional
        From a :class:`~andi_bench.metrics.case.Case` to a number, None where undefined. None for what is no figure of
        single subjects, and with ``ratio``.
    ratio : pair of tuples of str, optional
        Of a share that is counted over all subjects with a lesion: the columns of ``subjects.csv`` whose sum is divided, and
        those by whose sum it is divided; one may stand there twice. Such a metric never ranks.
    short : str
        Title where there is little room.
    column : str
        Its name in ``subjects.csv``, or in the record's pooled part, where that is not the key.
    digits : int
        Decimals shown.
    empty : str
        Whom it is over and what it is where masks are empty, a sentence; "" where ``undefined`` says it.
    undefined : str
        For which subjects it is undefined, to go on with "undefined for"; notes count them. "" without such a note.
    shown : set of {"exports", "column", "groups", "subjects"}
        Where it appears beside ``subjects.csv`` and the run record; see :data:`EVERYWHERE`.
    at_every_point : bool
        Whether tables show it at every point where it is measured, not at the ranking one alone.
    priority : int
        Where there is little room, columns of high numbers are left out first.
    headline : bool
        Whether the page shows its column at once, whatever its priority.
    counted : bool
        Whether the record summarises it; False for what only ``subjects.csv`` has.
    needs_masks : bool
        Whether it reads more of a case than the counts of :func:`andi_bench.metrics.overlap.counts`: the maps are then
        read again for upper bounds.
    """

    key: str
    title: str
    definition: str
    unit: str = ""
    counts: bool = False
    yes_or_no: bool = False
    higher_is_better: bool = True
    unranked: str = ""
    over: Literal["lesion", "all", "lesion-free", "pooled", "scans", "lesions"] = "all"
    at: Literal["map", "every", "reachable", "ranking", "rated"] = "ranking"
    measure: Callable[[Case], float | None] | None = None
    ratio: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    short: str = ""
    column: str = ""
    digits: int = 3
    empty: str = ""
    undefined: str = ""
    shown: frozenset[Place] = EVERYWHERE
    at_every_point: bool = False
    priority: int = 12
    headline: bool = False
    counted: bool = True
    needs_masks: bool = True

    @property
    def name(self) -> str:
        """Its title where there is little room."""
        return self.short or self.title

    @property
    def field(self) -> str:
        """Its column in ``subjects.csv``, or its field in the record's pooled part."""
        return self.column or self.key

    @property
    def of_subjects(self) -> bool:
        """Whether it is a mean, or a ratio of sums, over subjects."""
        return self.over in ("lesion", "all", "lesion-free")

    @property
    def share(self) -> bool:
        """Whether it lies in [0, 1]."""
        return not self.unit and not self.counts

    def is_at(self, point: OperatingPoint) -> bool:
        """Whether it is measured at a point."""
        return {
            "map": False,
            "every": True,
            "reachable": point.source != "test",
            "ranking": point.name == RANKING_POINT.name,
            "rated": point.rate is not None,
        }[self.at]


@dataclass(frozen=True)
class MetricAt:
    """A metric at the operating point where a table shows it.

    Parameters
    ----------
    metric : Metric
        What is measured.
    point : OperatingPoint or None
        None for a metric of the map itself.
    """

    metric: Metric
    point: OperatingPoint | None = None

    @property
    def key(self) -> str:
        """Such as ``dice@...``, ``ap``."""
        return self.metric.key if self.point is None else f"{self.metric.key}@{self.point.name}"

    @property
    def title(self) -> str:
        """Its name in tables; the point is said where there could be others."""
        if self.point is not None and self.metric.at in ("every", "reachable"):
            return f"{self.metric.title}@{self.point.name}"
        return (
            f"{self.metric.title} ({self.metric.unit})" if self.metric.unit else self.metric.title
        )

    @property
    def unranked(self) -> str:
        """Why it never ranks; "" where it may."""
        return self.metric.unranked or (self.point.unranked if self.point is not None else "")

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.metric.higher_is_better else -1
