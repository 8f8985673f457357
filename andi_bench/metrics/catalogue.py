"""Every metric, once: its key, what it means, whom it is a mean over, at which operating points it is measured, what ranks.

To add a per-subject metric, write its function on a :class:`~andi_bench.metrics.case.Case` and add an entry to
:data:`_ENTRIES`: ``subjects.csv``, run record, sub-groups, tables, exports, page and ``compare --metric`` follow
(docs/add-a-metric.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from andi_bench.errors import UserError, unknown_name
from andi_bench.metrics import exact, lesionwise, overlap, surface
from andi_bench.metrics.case import Case
from andi_bench.metrics.points import (
    POINTS,
    RANKING,
    RANKING_POINT,
    OperatingPoint,
)

Place = Literal["exports", "column", "groups", "subjects"]

EVERYWHERE: frozenset[Place] = frozenset({"exports", "column", "groups", "subjects"})
"""CSV, JSON and ``compare --metric``; a column of the table; sub-groups; the page's table of subjects."""

_SATURATES = "it saturates where lesions are small"


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
        Such as ``mm``; "" for a share.
    higher_is_better : bool
        Which way it points.
    unranked : str
        Why it never ranks; "" where it may when asked for.
    over : {"lesion", "all", "lesion-free", "pooled"}
        Whom it is a mean over: the subjects with a lesion (of the others it is undefined), all, those without; or no
        mean, but one number over the voxels of all subjects together.
    at : {"map", "every", "reachable", "ranking", "rated"}
        Where it is measured: on the map itself, without a threshold; at every operating point; at all but upper
        bounds; at the one that ranks; at those with a nominal false-positive rate.
    measure : callable, optional
        From a :class:`~andi_bench.metrics.case.Case` to a number, None where undefined. None for pooled metrics.
    short : str
        Title where there is little room.
    column : str
        Its name in ``subjects.csv``, or in the record's pooled part, where that is not the key.
    digits : int
        Decimals shown.
    interval : {"none", "beside", "apart"}
        Whether the table's column has the 95 % interval over subjects beside the number, or in a column of its own.
    empty : str
        What it is where masks are empty, a sentence; "" where ``undefined`` says it.
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
    higher_is_better: bool = True
    unranked: str = ""
    over: Literal["lesion", "all", "lesion-free", "pooled"] = "all"
    at: Literal["map", "every", "reachable", "ranking", "rated"] = "ranking"
    measure: Callable[[Case], float | None] | None = None
    short: str = ""
    column: str = ""
    digits: int = 3
    interval: Literal["none", "beside", "apart"] = "none"
    empty: str = ""
    undefined: str = ""
    shown: frozenset[Place] = EVERYWHERE
    at_every_point: bool = False
    priority: int = 12
    headline: bool = False
    counted: bool = True
    needs_masks: bool = True

    @property
    def may_rank(self) -> bool:
        """Whether it ranks when asked for."""
        return not self.unranked

    @property
    def name(self) -> str:
        """Its title where there is little room."""
        return self.short or self.title

    @property
    def field(self) -> str:
        """Its column in ``subjects.csv``, or its field in the record's pooled part."""
        return self.column or self.key

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


def _stratified() -> Iterator[Metric]:
    """Yield what ``subjects.csv`` has of each size of lesion; the record summarises the sensitivity."""
    for stratum in lesionwise.STRATA:
        yield Metric(
            key=f"lesions {stratum}",
            title=f"Lesions {stratum}",
            definition=f"Number of lesions {stratum}.",
            measure=partial(lesionwise.stratum_lesions, stratum=stratum),
            shown=frozenset(),
            counted=False,
        )
        yield Metric(
            key=f"lesions_found {stratum}",
            title=f"Lesions found {stratum}",
            definition=f"Number of lesions {stratum} that were found.",
            measure=partial(lesionwise.stratum_found, stratum=stratum),
            shown=frozenset(),
            counted=False,
        )
        yield Metric(
            key=f"lesion_sensitivity {stratum}",
            title=f"Lesion sensitivity {stratum}",
            definition=f"Share of the lesions {stratum} that were found, mean over subjects that have one.",
            over="lesion",
            measure=partial(lesionwise.stratum_sensitivity, stratum=stratum),
            shown=frozenset(),
        )


_ENTRIES: tuple[Metric, ...] = (
    Metric(
        key="dice",
        title="Dice",
        definition="Dice 2|P∩T|/(|P|+|T|)",
        empty="Both masks empty: 1; one empty: 0.",
        at="every",
        measure=overlap.dice,
        interval="beside",
        at_every_point=True,
        priority=0,
        needs_masks=False,
    ),
    Metric(
        key="sensitivity",
        title="Sensitivity",
        definition="Share of the lesion that is detected, mean over subjects with a lesion.",
        over="lesion",
        at="every",
        measure=overlap.sensitivity,
        shown=frozenset({"exports", "groups", "subjects"}),
        needs_masks=False,
    ),
    Metric(
        key="precision",
        title="Precision",
        definition="Share of the detection that is lesion, mean over subjects where something is detected.",
        at="every",
        measure=overlap.precision,
        shown=frozenset({"exports", "groups", "subjects"}),
        needs_masks=False,
    ),
    Metric(
        key="ap",
        title="AP per subject",
        short="AP",
        definition=(
            "Average precision (step-wise) within each subject, mean over the subjects that have a lesion; in "
            "brackets the 95 % interval over subjects."
        ),
        over="lesion",
        at="map",
        measure=exact.average_precision,
        interval="beside",
        undefined="without a lesion voxel",
        priority=1,
    ),
    Metric(
        key="auroc",
        title="AUROC per subject",
        short="AUROC",
        definition="Area under the ROC curve within each subject, mean over the subjects that have a lesion.",
        unranked=_SATURATES,
        over="lesion",
        at="map",
        measure=exact.auroc,
        undefined="without a lesion voxel",
        shown=frozenset({"exports", "groups"}),
    ),
    Metric(
        key="pooled_ap",
        title="Pooled AP",
        definition=(
            "Average precision over all brain voxels of all subjects together; large lesions weigh most."
        ),
        over="pooled",
        at="map",
        column="ap",
        interval="apart",
        priority=1,
    ),
    Metric(
        key="pooled_auroc",
        title="AUROC",
        definition=(
            "Area under the ROC curve over all brain voxels of all subjects together. It saturates where lesions are "
            "small: shown, never ranks."
        ),
        unranked=_SATURATES,
        over="pooled",
        at="map",
        column="auroc",
        shown=frozenset({"exports", "column"}),
        priority=5,
        headline=True,
    ),
    Metric(
        key="test_fpr",
        title="FPR on test",
        definition="Share of the lesion-free brain voxels of the test split above the threshold.",
        unranked="it tells how well a threshold holds, not how good the maps are",
        over="pooled",
        at="rated",
        shown=frozenset({"exports", "column"}),
        priority=9,
    ),
    Metric(
        key="false_positive_ml_lesion_free",
        title="False-positive volume, lesion-free",
        definition="Volume detected in subjects without a lesion, mean over them.",
        unit="ml",
        higher_is_better=False,
        unranked="it rewards maps that find nothing",
        over="lesion-free",
        at="reachable",
        measure=lesionwise.false_positive_volume,
        column="false_positive_ml",
        shown=frozenset({"exports"}),
    ),
    Metric(
        key="hd95",
        title="HD95",
        definition=(
            f"95th percentile of the distances between the surfaces of detection and lesion at {RANKING_POINT.name}, "
            "mean over the subjects where neither is empty."
        ),
        unit="mm",
        higher_is_better=False,
        over="lesion",
        measure=surface.hd95,
        digits=1,
        undefined="whose lesion mask or detection is empty",
        shown=frozenset({"exports", "column", "subjects"}),
        priority=9,
    ),
    Metric(
        key="assd",
        title="ASSD",
        definition=(
            f"Average symmetric surface distance at {RANKING_POINT.name}, mean over the same subjects."
        ),
        unit="mm",
        higher_is_better=False,
        over="lesion",
        measure=surface.assd,
        digits=1,
        undefined="whose lesion mask or detection is empty",
        shown=frozenset({"exports", "column"}),
    ),
    Metric(
        key="lesions",
        title="Lesions",
        definition="Number of lesions, 26-connected.",
        measure=lesionwise.lesions,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="lesions_found",
        title="Lesions found",
        definition="Number of lesions of which a tenth is detected.",
        measure=lesionwise.lesions_found,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="lesion_sensitivity",
        title="Lesion sensitivity",
        definition="Share of the lesions found, mean over subjects with a lesion.",
        over="lesion",
        measure=lesionwise.lesion_sensitivity,
        shown=frozenset({"exports", "groups"}),
    ),
    Metric(
        key="lesion_precision",
        title="Lesion precision",
        definition="Share of the detections that touch a lesion, mean over subjects where something is detected.",
        measure=lesionwise.lesion_precision,
        shown=frozenset({"exports"}),
    ),
    Metric(
        key="lesion_f1",
        title="Lesion F1",
        definition=(
            "Harmonic mean of lesion-wise sensitivity (a lesion, 26-connected, is found when a tenth of it is detected) "
            f"and precision (detections that touch a lesion) at {RANKING_POINT.name}, mean over subjects with a lesion."
        ),
        over="lesion",
        measure=lesionwise.lesion_f1,
        priority=8,
    ),
    Metric(
        key="false_positive_lesions",
        title="FP lesions",
        definition=f"Detections that touch no lesion, per volume, at {RANKING_POINT.name}.",
        higher_is_better=False,
        measure=lesionwise.false_positive_lesions,
        digits=1,
        shown=frozenset({"exports", "column", "subjects"}),
    ),
    *_stratified(),
    Metric(
        key="prevalence",
        title="Prevalence",
        definition="Share of lesion voxels among those scored: the pooled average precision of a map of chance.",
        unranked="it tells of the lesions, not of the maps",
        over="pooled",
        at="map",
        digits=4,
        shown=frozenset({"exports", "column"}),
        priority=9,
    ),
)

CATALOGUE = {metric.key: metric for metric in _ENTRIES}
"""Every metric by its key, in the order of the columns."""


def per_subject() -> list[Metric]:
    """Return the metrics that every subject has a value of, in the order of ``subjects.csv``."""
    return [metric for metric in CATALOGUE.values() if metric.measure is not None]


def summarised(point: OperatingPoint | None) -> list[Metric]:
    """Return the metrics that a record summarises at a point (None: of the map), those over lesion-free subjects last."""
    found = [
        metric
        for metric in per_subject()
        if metric.counted and (metric.at == "map" if point is None else metric.is_at(point))
    ]
    return sorted(found, key=lambda metric: metric.over == "lesion-free")


def compared_of(metric: Metric) -> list[MetricAt]:
    """Return a metric at the points where tables show it: none for what only the record has."""
    if "exports" not in metric.shown:
        return []
    if metric.at == "map":
        return [MetricAt(metric)]
    if metric.at_every_point or metric.at == "rated":
        return [MetricAt(metric, point) for point in POINTS.values() if metric.is_at(point)]
    return [MetricAt(metric, RANKING_POINT)]


def compared_per_subject() -> list[MetricAt]:
    """Return what tables compare of the subjects, in the order of the exports."""
    ordered = sorted(per_subject(), key=lambda metric: metric.over == "lesion-free")
    return [found for metric in ordered for found in compared_of(metric)]


def compared_pooled() -> list[MetricAt]:
    """Return what tables compare over all voxels together, without a threshold."""
    pooled = [metric for metric in CATALOGUE.values() if metric.over == "pooled"]
    return [found for metric in pooled if metric.at == "map" for found in compared_of(metric)]


def compared_rates() -> list[MetricAt]:
    """Return the false-positive rates on the test subjects at the points that have a nominal one."""
    return compared_of(CATALOGUE["test_fpr"])


def compared_in_groups() -> list[MetricAt]:
    """Return what tables compare of a sub-group's subjects: what ranks, then metrics of the map, then the others."""
    found = [
        one
        for one in compared_per_subject()
        if "groups" in one.metric.shown and not one.unranked and one.point in (None, RANKING_POINT)
    ]
    return sorted(found, key=lambda one: (one.key != RANKING, one.point is not None))


def compared() -> dict[str, MetricAt]:
    """Return everything that tables compare, by key, in the order of the exports."""
    parts = (*compared_per_subject(), *compared_pooled(), *compared_rates())
    return {found.key: found for found in parts}


def metric_at(key: str) -> MetricAt:
    """Return what a table compares under a key.

    Raises
    ------
    KeyError
        For a key that no table has.
    """
    return compared()[key]


def title_of(key: str) -> str:
    """Return the title of what a table compares under a key."""
    return metric_at(key).title


def ranking_metric(key: str) -> str:
    """Return the key of a metric that may rank, such as ``ap``.

    Raises
    ------
    UserError
        For a key that is unknown, with the nearest one, or a metric that never ranks, with the reason.
    """
    known = compared()
    if key not in known:
        ranks = {name for name, found in known.items() if not found.unranked}
        raise unknown_name("metric", key, ranks)
    if known[key].unranked:
        raise UserError(f"metric '{key}' never ranks: {known[key].unranked}")
    return key


def tested_metric(key: str) -> str:
    """Return the per-subject metric that tests and ranking schemes use where this one ranks."""
    found = metric_at(key).metric
    return found.field if found.over == "pooled" else key
