"""The operating points of a run: frozen on the validation subjects, checked on the test subjects, and the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from andi_bench.executor import Work
from andi_bench.metrics import thresholds
from andi_bench.metrics.histogram import ScoreHistogram
from andi_bench.metrics.overlap import Overlap
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.scores import score_keys
from andi_bench.records.schema import OperatingPoint
from benchmark.evaluation.measurement import (
    Loader,
    Measured,
    Row,
    brain_scores,
    overlap_at,
    overlap_figures,
)

_HOW = {
    "val-dice": "highest mean per-subject Dice of {n} validation subjects, over all scores",
    "val-fpr1": "at most 1 % of the lesion-free brain voxels of {n} validation subjects above it",
    "val-fpr5": "at most 5 % of the lesion-free brain voxels of {n} validation subjects above it",
    "yen": "Yen's threshold of each volume's brain, then one dilation by the 6 neighbours",
    "oracle": "highest mean per-subject Dice of the {n} test subjects themselves: an upper bound",
}


def calibrate(
    chains: Sequence[PostProcessing],
    calibration: Mapping[str, Sequence[ScoreHistogram]],
    read: Callable[[PostProcessing], Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]],
) -> tuple[dict[str, dict[str, OperatingPoint]], str | None, list[str]]:
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
    points: dict[str, dict[str, OperatingPoint]] = {chain.name: {} for chain in chains}
    first = calibration[chains[0].name]
    if not len(first):
        return points, "no validation subject with a lesion mask, so no frozen threshold", []
    unranked = None
    if not any(histogram.totals()[0] for histogram in first):
        unranked = "the validation split holds no lesion voxel, so val-dice means nothing"
    notes = []
    for chain in chains:
        found = thresholds.calibrate(calibration[chain.name], read=partial(read, chain))
        for name, point in found.items():
            points[chain.name][name] = OperatingPoint(
                threshold=point.threshold,
                edge=point.at_edge,
                how=_HOW[name].format(n=point.subjects),
            )
        if chain.min_component_ml:
            notes.append(f"{chain.name}: thresholds were found before small detections are removed")
    return points, unranked, notes


def read_brains(
    load: Loader, subjects: Sequence[str], chain: PostProcessing
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Read the brain voxels of all subjects once more, one subject in memory at a time."""
    return (brain_scores(load, chain, subject) for subject in subjects)


def oracle_rows(
    load: Loader,
    work: Work,
    chain: PostProcessing,
    points: dict[str, OperatingPoint],
    tested: Sequence[ScoreHistogram],
    measured: Sequence[Measured],
) -> list[Row]:
    """Check the frozen rates on the test split, add yen and the oracle, and return the oracle's rows.

    Parameters
    ----------
    load, work
        As for :func:`benchmark.evaluation.protocol.evaluate`.
    chain : PostProcessing
        One of them.
    points : dict of str to OperatingPoint
        Its frozen points; ``yen``, ``oracle`` and everyone's rate on the test split are put in.
    tested : sequence of ScoreHistogram
        Of the test subjects.
    measured : sequence of Measured
        The same subjects, in the same order.
    """
    subjects = [m.subject for m in measured]
    healthy = sum(histogram.totals()[1] for histogram in tested)
    for name, point in points.items():
        above = sum(m.above[chain.name][name] for m in measured)
        points[name] = point.model_copy(update={"test_fpr": above / healthy if healthy else None})
    points["yen"] = OperatingPoint(how=_HOW["yen"])
    read = partial(read_brains, load, subjects, chain)
    best = thresholds.best_dice(tested, name="oracle", read=read)
    found = _overlaps(load, work, chain, best.threshold, tested, subjects)
    above = sum(count for _, count in found)
    points["oracle"] = OperatingPoint(
        threshold=best.threshold,
        edge=best.at_edge,
        how=_HOW["oracle"].format(n=best.subjects),
        test_fpr=above / healthy if healthy else None,
    )
    shared = {m.subject: r for m in measured for r in m.rows if r["chain"] == chain.name}
    kept = ("subject", "site", "chain", "lesion_ml", "ap", "auroc")
    return [
        {key: shared[subject][key] for key in kept}
        | {"point": "oracle", "threshold": best.threshold, **overlap_figures(overlap)}
        for subject, (overlap, _) in zip(subjects, found, strict=True)
    ]


def _overlaps(
    load: Loader,
    work: Work,
    chain: PostProcessing,
    threshold: float,
    tested: Sequence[ScoreHistogram],
    subjects: Sequence[str],
) -> list[tuple[Overlap, int]]:
    """Count every test subject's voxels at a threshold: from the histograms, where these do, else from the maps."""
    key = score_keys(np.asarray([threshold], dtype=np.float32))
    cut = any(((h.start <= key) & (h.last > key)).any() for h in tested)
    if cut or chain.min_component_ml:
        return list(work(partial(overlap_at, load, chain, threshold), subjects))
    found = []
    for histogram in tested:
        hits, misses = (int(count[0]) for count in histogram.counts_from(key + np.uint32(1)))
        found.append((Overlap(hits, misses, histogram.totals()[0] - hits), misses))
    return found
