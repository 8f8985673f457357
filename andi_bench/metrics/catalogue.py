"""Every metric, once.

To add a per-subject metric, write its function on a :class:`~andi_bench.metrics.case.Case` and add an entry to
:data:`_ENTRIES`: ``subjects.csv``, run record, sub-groups, tables, exports, page and ``compare --metric`` follow
(docs/add-a-metric.md).
"""

from __future__ import annotations

from andi_bench.metrics import exact, lesionwise, overlap, surface
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.metric_series import COUNTED, SILENCE, at_rates, near, of_scans, stratified
from andi_bench.metrics.points import RANKING_POINT, OperatingPoint

_SATURATES = "it saturates where lesions are small"
_ONE_TO_ONE = "26-connected, IoU > 0.1, one to one"


_ENTRIES: tuple[Metric, ...] = (
    Metric(
        key="dice",
        title="Dice",
        definition="Dice 2|P∩T|/(|P|+|T|)",
        over="lesion",
        empty="Over subjects with a lesion; nothing detected: 0.",
        at="every",
        measure=overlap.dice,
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
        definition="Share of the detection that is lesion, mean over subjects with a lesion where something is detected.",
        unranked="it rewards maps that find little",
        over="lesion",
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
            "brackets the 95 % interval."
        ),
        over="lesion",
        at="map",
        measure=exact.average_precision,
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
            "Average precision over all brain voxels of all subjects together; large lesions weigh most. In brackets the 95 % "
            "interval: Student's t on the logit, the standard error by the jackknife over subjects; with several seeds over these too."
        ),
        over="pooled",
        at="map",
        column="ap",
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
        key="any_detection_lesion_free",
        title="Any detection, lesion-free",
        definition=f"Share of the subjects without a lesion in whom anything is detected at {RANKING_POINT.name}.",
        yes_or_no=True,
        higher_is_better=False,
        unranked=SILENCE,
        over="lesion-free",
        at="reachable",
        measure=lesionwise.any_detection,
        column="any_detection",
        shown=frozenset({"exports", "column", "groups"}),
        priority=9,
    ),
    Metric(
        key="false_positive_rate_lesion_free",
        title="False-positive rate, lesion-free",
        definition=(
            f"Share of the brain voxels that is detected at {RANKING_POINT.name} in subjects without a lesion, mean over "
            "them."
        ),
        higher_is_better=False,
        unranked=SILENCE,
        over="lesion-free",
        at="reachable",
        measure=lesionwise.false_positive_rate,
        column="false_positive_rate",
        digits=4,
        shown=frozenset({"exports", "column", "groups"}),
    ),
    Metric(
        key="false_positive_ml_lesion_free",
        title="False-positive ml, lesion-free",
        definition=(
            f"Volume detected at {RANKING_POINT.name} in subjects without a lesion, ml, mean over them; in brackets the "
            "95 % interval."
        ),
        unit="ml",
        higher_is_better=False,
        unranked=SILENCE,
        over="lesion-free",
        at="reachable",
        measure=lesionwise.false_positive_volume,
        column="false_positive_ml",
        digits=2,
        shown=frozenset({"exports", "column", "groups"}),
        priority=9,
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
        unranked="it leaves out the subjects in whom nothing is detected",
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
        unranked="it leaves out the subjects in whom nothing is detected",
        over="lesion",
        measure=surface.assd,
        digits=1,
        undefined="whose lesion mask or detection is empty",
        shown=frozenset({"exports", "column"}),
    ),
    Metric(
        key="hd95_penalised",
        title="HD95, penalised",
        definition=(
            f"HD95 at {RANKING_POINT.name}, the diagonal of the image where nothing is detected: over all subjects with a "
            "lesion in every row."
        ),
        unit="mm",
        higher_is_better=False,
        over="lesion",
        measure=surface.hd95_penalised,
        digits=1,
        shown=frozenset({"exports", "column"}),
    ),
    *near(),
    Metric(
        key="ndsc",
        title="nDSC",
        definition=(
            f"Normalised Dice of the Shifts challenge at {RANKING_POINT.name}: false positives weighed as if lesions held 0.1 % "
            "of every brain; nothing detected: 0."
        ),
        over="lesion",
        measure=overlap.normalised_dice,
        shown=frozenset({"exports"}),
    ),
    Metric(
        key="lesions",
        title="Lesions",
        definition="Number of lesions, 26-connected.",
        counts=True,
        measure=lesionwise.lesions,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="lesions_found",
        title="Lesions found",
        definition="Number of lesions of which a tenth is detected.",
        counts=True,
        measure=lesionwise.lesions_found,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="detections",
        title="Detections",
        definition="Number of detections, 26-connected.",
        counts=True,
        measure=lesionwise.detections,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="lesions_matched",
        title="Lesions matched",
        definition=f"Number of lesions that match a detection: {_ONE_TO_ONE}.",
        counts=True,
        measure=lesionwise.lesions_matched,
        shown=frozenset(),
        counted=False,
    ),
    Metric(
        key="lesion_sensitivity",
        title="Lesion sensitivity",
        definition=(
            "Share of the lesions of which a tenth is detected, mean over subjects with a lesion. A detection of the whole "
            "brain finds all of them."
        ),
        unranked="a detection of the whole brain has the best",
        over="lesion",
        measure=lesionwise.lesion_sensitivity,
        shown=frozenset({"exports", "groups"}),
    ),
    Metric(
        key="matched_precision",
        title="Lesion precision",
        definition=(
            f"Share of the detections that match a lesion ({_ONE_TO_ONE}), mean over subjects with a lesion where something "
            "is detected."
        ),
        unranked="it rewards maps that find little",
        over="lesion",
        measure=lesionwise.matched_precision,
        shown=frozenset({"exports"}),
    ),
    Metric(
        key="matched_f1",
        title="Lesion F1",
        definition=(
            f"F1 of lesions and detections at {RANKING_POINT.name}: 2TP/(2TP+FP+FN), TP lesions that match a detection "
            f"({_ONE_TO_ONE}); mean over subjects with a lesion."
        ),
        over="lesion",
        measure=lesionwise.matched_f1,
        priority=8,
    ),
    Metric(
        key="matched_f1_counted",
        title="Lesion F1, counted",
        definition=(
            f"The same F1 at {RANKING_POINT.name} with TP, FP and FN summed over all subjects with a lesion: who has many "
            "lesions weighs more."
        ),
        unranked=COUNTED,
        over="lesion",
        ratio=(("lesions_matched", "lesions_matched"), ("lesions", "detections")),
        shown=frozenset({"exports", "column"}),
        priority=9,
    ),
    Metric(
        key="unmatched_detections",
        title="FP lesions",
        definition=f"Detections that match no lesion, per volume with a lesion, at {RANKING_POINT.name}.",
        counts=True,
        higher_is_better=False,
        unranked=SILENCE,
        over="lesion",
        measure=lesionwise.unmatched_detections,
        digits=1,
        shown=frozenset({"exports", "column", "subjects"}),
    ),
    *stratified(),
    *of_scans(),
    *at_rates(),
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


def over_all_lesions() -> list[Metric]:
    """Return the metrics that are sums over the subjects divided by sums, in the order of the columns."""
    return [metric for metric in CATALOGUE.values() if metric.ratio is not None]


def summarised(point: OperatingPoint | None) -> list[Metric]:
    """Return the metrics that a record summarises at a point (None: of the map), those over lesion-free subjects last."""
    found = [
        metric
        for metric in per_subject()
        if metric.counted and (metric.at == "map" if point is None else metric.is_at(point))
    ]
    return sorted(found, key=lambda metric: metric.over == "lesion-free")
