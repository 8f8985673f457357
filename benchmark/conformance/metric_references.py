"""Our metrics against scikit-learn's and medpy's, one function a metric and reference.

Each tells over how many cases the two were compared and by how much they differ at most. Where a reference has no value,
ours has to have none either.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.exact import Ranking, exact_pooled_ranking, exact_ranking
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import Bounded, pooled_auroc, pooled_average_precision
from andi_bench.metrics.overlap import overlap
from andi_bench.metrics.surface import SurfaceDistances, surface_distances
from benchmark.conformance.comparison import Comparison, Pair, compare
from benchmark.conformance.metric_cases import ScoredVoxels, cohorts, mask_pairs, scored_voxels

ROUNDING = 1e-9
"""What two ways of summing the same float64 numbers may differ by."""

POOLED = 1e-4
"""What a score histogram may leave open in a pooled figure."""


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence what the references say about masks of one class."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def dice_against_scikit_learn() -> Comparison:
    """Compare Dice with the F1 score."""
    from sklearn.metrics import f1_score

    def pairs() -> Iterator[Pair]:
        for case in mask_pairs():
            ours = overlap(case.detection, case.lesion).dice
            wanted = f1_score(case.lesion.ravel(), case.detection.ravel(), zero_division=1.0)
            yield case.name, ours, float(wanted)

    note = "F1 of voxels; both masks empty: 1, one empty: 0"
    return compare("Dice", "scikit-learn", pairs(), ROUNDING, note)


def dice_against_medpy() -> Comparison:
    """Compare Dice with ``dc``."""
    from medpy.metric.binary import dc

    def pairs() -> Iterator[Pair]:
        for case in mask_pairs():
            ours = overlap(case.detection, case.lesion).dice
            yield case.name, ours, float(dc(case.detection, case.lesion))

    note = "dc; both masks empty: 1 (medpy before 0.5: 0)"
    return compare("Dice", "medpy", pairs(), ROUNDING, note)


def average_precision() -> Comparison:
    """Compare the average precision of one subject."""
    from sklearn.metrics import average_precision_score

    def pairs() -> Iterator[Pair]:
        for case in scored_voxels():
            ours = exact_ranking(case.scores, case.lesion).average_precision
            wanted = _sklearn(average_precision_score, case) if case.has_lesion else None
            yield case.name, ours, wanted

    note = "step-wise; without a lesion voxel there is none (scikit-learn: 0)"
    return compare("AP", "scikit-learn", pairs(), ROUNDING, note)


def auroc() -> Comparison:
    """Compare the AUROC of one subject."""
    from sklearn.metrics import roc_auc_score

    def pairs() -> Iterator[Pair]:
        for case in scored_voxels():
            ours = exact_ranking(case.scores, case.lesion).auroc
            wanted = _sklearn(roc_auc_score, case) if case.has_both else None
            yield case.name, ours, wanted

    note = "ties count half; voxels of one kind only: there is none"
    return compare("AUROC", "scikit-learn", pairs(), ROUNDING, note)


def _sklearn(metric: Callable[..., Any], case: ScoredVoxels) -> float:
    # In float64 the differences of huge scores stay finite.
    return float(metric(case.lesion, case.scores.astype(np.float64)))


def pooled_from_histograms() -> list[Comparison]:
    """Compare the pooled figures that a record's score histograms give."""

    def merged(subjects: list[ScoredVoxels]) -> ScoreHistogram:
        return ScoreHistogram.merge(
            score_histogram(_grid(one.scores), _grid(np.ones_like(one.lesion)), _grid(one.lesion))
            for one in subjects
        )

    note = "voxels of all subjects together, from score histograms"
    return [
        _pooled("pooled AP", lambda s: _middle(pooled_average_precision(merged(s))), POOLED, note),
        _pooled("pooled AUROC", lambda s: _middle(pooled_auroc(merged(s))), POOLED, note),
    ]


def pooled_exactly() -> list[Comparison]:
    """Compare the pooled figures of ``evaluation.exact``."""

    def ranking(subjects: list[ScoredVoxels]) -> Ranking:
        return exact_pooled_ranking([(one.scores, one.lesion) for one in subjects])

    note = "voxels of all subjects together, in two passes"
    return [
        _pooled("exact pooled AP", lambda s: ranking(s).average_precision, ROUNDING, note),
        _pooled("exact pooled AUROC", lambda s: ranking(s).auroc, ROUNDING, note),
    ]


def _pooled(
    metric: str, ours: Callable[[list[ScoredVoxels]], float | None], tolerance: float, note: str
) -> Comparison:
    from sklearn.metrics import average_precision_score, roc_auc_score

    reference = average_precision_score if metric.endswith("AP") else roc_auc_score

    def pairs() -> Iterator[Pair]:
        for name, subjects in cohorts():
            lesion = np.concatenate([one.lesion for one in subjects])
            scores = np.concatenate([one.scores for one in subjects])
            yield name, ours(subjects), _sklearn(reference, ScoredVoxels(name, scores, lesion))

    return compare(metric, "scikit-learn", pairs(), tolerance, note)


def _middle(found: Bounded | None) -> float | None:
    return None if found is None else found.value


def _grid(values: NDArray[Any]) -> NDArray[Any]:
    return values.reshape(-1, 1, 1)


def hd95() -> Comparison:
    """Compare the 95th percentile of the surface distances."""
    from medpy.metric import binary

    note = "relative; both directions together, mm; an empty mask: there is none"
    found = _surfaces(lambda distances: distances.hd95, binary.hd95)
    return compare("HD95", "medpy", found, ROUNDING, note, relative=True)


def assd() -> Comparison:
    """Compare the average symmetric surface distance."""
    from medpy.metric import binary

    note = "as HD95; one mean over both directions (medpy before 0.5: the mean of two means)"
    found = _surfaces(lambda distances: distances.assd, binary.assd)
    return compare("ASSD", "medpy", found, ROUNDING, note, relative=True)


def _surfaces(
    pick: Callable[[SurfaceDistances], float], reference: Callable[..., Any]
) -> Iterator[Pair]:
    for case in mask_pairs():
        found = surface_distances(case.detection, case.lesion, case.spacing)
        wanted = None
        if case.detection.any() and case.lesion.any():  # else medpy raises
            wanted = float(reference(case.detection, case.lesion, voxelspacing=case.spacing))
        yield case.name, None if found is None else pick(found), wanted


def against_references() -> list[Comparison]:
    """Make every comparison with scikit-learn and medpy."""
    with _without_warnings():
        return [
            dice_against_scikit_learn(),
            dice_against_medpy(),
            average_precision(),
            auroc(),
            *pooled_from_histograms(),
            *pooled_exactly(),
            hd95(),
            assd(),
        ]
