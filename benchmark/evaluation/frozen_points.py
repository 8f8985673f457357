"""The operating points of a run: frozen on the validation subjects, checked on the test subjects; and upper bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from andi_bench.executor import Work
from andi_bench.metrics.case import Case
from andi_bench.metrics.catalogue import per_subject
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import score_keys
from andi_bench.metrics.overlap import Overlap, counts
from andi_bench.metrics.points import POINTS, RANKING_POINT, OperatingPoint, freeze, points_from
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.threshold_spread import resampled_thresholds
from andi_bench.records.schema import LESION_ML, RecordedThreshold, ThresholdSpread
from benchmark.evaluation.case_values import Row, point_values
from benchmark.evaluation.measurement import Loader, Measured, brain_scores, measure_at

_NO_SCORES, _NO_MASK = np.zeros((0, 0, 0), dtype=np.float32), np.zeros((0, 0, 0), dtype=bool)


def calibrate(
    chains: Sequence[PostProcessing],
    calibration: Mapping[str, Sequence[ScoreHistogram]],
    read: Callable[[PostProcessing], Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]],
) -> tuple[dict[str, dict[str, RecordedThreshold]], str | None, list[str]]:
    """Freeze the thresholds.

    Parameters
    ----------
    chains : sequence of PostProcessing
        Each has thresholds of its own.
    calibration : mapping of str to sequence of ScoreHistogram
        By chain, of the validation subjects that have a lesion mask.
    read : callable
        Returns for a chain the scores and lesions of these subjects' brains once more, where bins are too coarse.

    Returns
    -------
    points : dict
        By chain and name.
    unranked : str or None
        Why there can be no rank; None where there can.
    notes : list of str
        What a reader of the thresholds should know.
    """
    points: dict[str, dict[str, RecordedThreshold]] = {chain.name: {} for chain in chains}
    first = calibration[chains[0].name]
    if not len(first):
        return points, "no validation subject with a lesion mask, so no frozen threshold", []
    unranked = None
    if not any(histogram.totals()[0] for histogram in first):
        unranked = (
            f"the validation split holds no lesion voxel, so {RANKING_POINT.name} means nothing"
        )
    notes = []
    for chain in chains:
        found = freeze(calibration[chain.name], read=partial(read, chain))
        for name, point in found.items():
            points[chain.name][name] = RecordedThreshold(
                threshold=point.threshold,
                edge=point.at_edge,
                how=POINTS[name].how.format(n=point.subjects),
                reached=point.value if point.subjects else None,
            )
        if chain.min_component_ml:
            notes.append(f"{chain.name}: thresholds were found before small detections are removed")
    return points, unranked, notes


def read_brains(
    load: Loader, subjects: Sequence[str], chain: PostProcessing
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Read the brain voxels of all subjects once more, one subject in memory at a time."""
    return (brain_scores(load, chain, subject) for subject in subjects)


def checked_points(
    points: Mapping[str, RecordedThreshold],
    tested: Sequence[ScoreHistogram],
    above: Mapping[str, int],
) -> dict[str, RecordedThreshold]:
    """Return the frozen points with their false-positive rates on the test subjects, and those that each volume decides.

    Parameters
    ----------
    points : mapping of str to RecordedThreshold
        Of one chain, frozen on the validation subjects.
    tested : sequence of ScoreHistogram
        Of the test subjects.
    above : mapping of str to int
        By point: lesion-free brain voxels above the threshold, of all test subjects.
    """
    lesion_free = _lesion_free(tested)
    found = {
        name: point.model_copy(
            update={"test_fpr": above[name] / lesion_free if lesion_free else None}
        )
        for name, point in points.items()
    }
    own = {point.name: RecordedThreshold(how=point.how) for point in points_from("volume")}
    return {**found, **own}


def with_spread(
    points: Mapping[str, RecordedThreshold],
    chain: PostProcessing,
    calibration: Sequence[ScoreHistogram],
    tested: Sequence[ScoreHistogram],
    resamples: int,
) -> dict[str, RecordedThreshold]:
    """Return a chain's points; the one that ranks says how far other validation subjects would have moved it.

    Parameters
    ----------
    points : mapping of str to RecordedThreshold
        Of one chain.
    chain : PostProcessing
        It.
    calibration, tested : sequence of ScoreHistogram
        Of the validation and of the test subjects.
    resamples : int
        Of the validation subjects with a lesion; 0: nothing is said.
    """
    name = RANKING_POINT.name
    if not resamples or name not in points:
        return dict(points)
    found = resampled_thresholds(calibration, tested, resamples)
    if found is None:
        return dict(points)
    spread = ThresholdSpread(subjects=found.subjects, resamples=resamples)
    if found.subjects > 1:
        figures = _quantiles(found.thresholds.astype(np.float64), "")
        # what histograms give is before small detections are removed
        if not chain.min_component_ml and np.isfinite(found.dice).all():
            figures |= _quantiles(found.dice, "dice_")
        spread = spread.model_copy(update=figures)
    return {**points, name: points[name].model_copy(update={"spread": spread})}


def _quantiles(values: NDArray[np.float64], name: str) -> dict[str, float]:
    """Return quantiles that are values themselves, and the standard deviation."""
    cuts = np.percentile(values, [2.5, 50, 97.5], method="inverted_cdf").tolist()
    named = {f"{name}{key}": cut for key, cut in zip(("low", "median", "high"), cuts, strict=True)}
    return {**named, f"{name}sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0}


def upper_bounds(
    load: Loader,
    work: Work,
    chain: PostProcessing,
    tested: Sequence[ScoreHistogram],
    measured: Sequence[Measured],
) -> tuple[dict[str, RecordedThreshold], list[Row]]:
    """Find the points that the test subjects themselves decide, and measure the subjects there.

    Parameters
    ----------
    load, work
        As for :func:`benchmark.evaluation.protocol.evaluate`.
    chain : PostProcessing
        One of them.
    tested : sequence of ScoreHistogram
        Of the test subjects.
    measured : sequence of Measured
        The same subjects, in the same order.

    Returns
    -------
    points : dict
        By name.
    rows : list of dict
        Of the table of subjects.
    """
    subjects = [m.subject for m in measured]
    lesion_free = _lesion_free(tested)
    read = partial(read_brains, load, subjects, chain)
    shared = {m.subject: r for m in measured for r in m.rows if r["chain"] == chain.name}
    of_map = [metric.field for metric in per_subject() if metric.at == "map"]
    kept = ("subject", "site", "chain", LESION_ML, *of_map)
    points, rows = {}, []
    for point in points_from("test"):
        assert point.search is not None
        best = point.search(tested, "brain", read)
        found = _measured(load, work, chain, point, best.threshold, tested, subjects)
        above = sum(count for _, count in found)
        points[point.name] = RecordedThreshold(
            threshold=best.threshold,
            edge=best.at_edge,
            how=point.how.format(n=best.subjects),
            test_fpr=above / lesion_free if lesion_free else None,
        )
        rows += [
            {key: shared[subject][key] for key in kept}
            | {"point": point.name, "threshold": best.threshold, **values}
            for subject, (values, _) in zip(subjects, found, strict=True)
        ]
    return points, rows


def _lesion_free(tested: Sequence[ScoreHistogram]) -> int:
    return sum(histogram.totals()[1] for histogram in tested)


def _measured(
    load: Loader,
    work: Work,
    chain: PostProcessing,
    point: OperatingPoint,
    threshold: float,
    tested: Sequence[ScoreHistogram],
    subjects: Sequence[str],
) -> list[tuple[Row, int]]:
    """Measure every test subject at a threshold: from counts of the histograms where these do, else from the maps."""
    key = score_keys(np.asarray([threshold], dtype=np.float32))
    cut = any(((h.start <= key) & (h.last > key)).any() for h in tested)
    masks = any(metric.needs_masks for metric in per_subject() if metric.is_at(point))
    if cut or chain.min_component_ml or masks:
        return list(work(partial(measure_at, load, chain, point, threshold), subjects))
    found = []
    for histogram in tested:
        hits, misses = (int(count[0]) for count in histogram.counts_from(key + np.uint32(1)))
        agreement = Overlap(hits, misses, histogram.totals()[0] - hits)
        case = Case(_NO_SCORES, _NO_MASK, _NO_MASK, (1.0, 1.0, 1.0), known={counts: agreement})
        found.append((point_values(case, point), misses))
    return found
