"""FROC of a run: one more pass over the test subjects' maps, at thresholds that all of them decide together.

A subject leaves two small numbers a threshold: 1.5 kB a chain, a thirtieth of its score histogram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from andi_bench.executor import Work
from andi_bench.geometry import bounding_box
from andi_bench.metrics.froc import Froc, froc_counts, froc_of, froc_thresholds
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.lesionwise import LesionLabels
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.records.schema import FrocAt, FrocCurve
from benchmark.evaluation.measurement import Loader, chained, loaded

Counts = tuple[dict[str, NDArray[np.uint32]], int]


def froc_curves(
    load: Loader,
    work: Work,
    chains: Sequence[PostProcessing],
    tested: Mapping[str, Sequence[ScoreHistogram]],
    subjects: Sequence[str],
    resamples: int,
) -> dict[str, FrocCurve]:
    """Return the FROC curve of each chain; {} where no subject has a lesion.

    Parameters
    ----------
    load, work
        As for :func:`benchmark.evaluation.protocol.evaluate`.
    chains : sequence of PostProcessing
        Of the run.
    tested : mapping of chain to sequence of ScoreHistogram
        Of the test subjects.
    subjects : sequence of str
        Their names.
    resamples : int
        Bootstraps of the subjects.
    """
    merged = {chain.name: ScoreHistogram.merge(tested[chain.name]) for chain in chains}
    if not any(histogram.totals()[0] for histogram in merged.values()):
        return {}
    thresholds = {name: froc_thresholds(histogram) for name, histogram in merged.items()}
    counts: dict[str, list[NDArray[np.uint32]]] = {name: [] for name in thresholds}
    lesions = []
    for own, number in work(partial(_counted, load, chains, thresholds), subjects):
        lesions.append(number)
        for name, found in own.items():
            counts[name].append(found)
    curves = {name: froc_of(own, lesions, resamples) for name, own in counts.items()}
    return {name: recorded(found) for name, found in curves.items() if found is not None}


def _counted(
    load: Loader,
    chains: Sequence[PostProcessing],
    thresholds: Mapping[str, NDArray[np.float32]],
    subject: str,
) -> Counts:
    """Count one subject's matches and false positives by chain, and its lesions."""
    scored, truth = loaded(load, subject)
    inside, voxel_ml = truth.inside, float(np.prod(truth.spacing)) / 1000
    # nothing is detected outside the brain: its box is all that is labelled
    box = bounding_box(truth.brain) if truth.brain.any() else (slice(0),) * 3
    found = {
        chain.name: froc_counts(
            chained(chain, scored)[box],
            truth.brain[box],
            inside[box],
            thresholds[chain.name],
            partial(chain.clean, voxel_ml=voxel_ml) if chain.min_component_ml else None,
        )
        for chain in chains
    }
    return found, len(LesionLabels(inside).size)


def recorded(found: Froc) -> FrocCurve:
    """Return a curve as it stands in the record."""
    return FrocCurve(
        at=tuple(
            FrocAt(
                rate=point.rate,
                sensitivity=point.sensitivity,
                error=point.error,
                low=point.low,
                high=point.high,
            )
            for point in found.points
        ),
        false_positives=tuple(float(f"{value:.6g}") for value in found.false_positives),
        sensitivity=tuple(float(f"{value:.6g}") for value in found.sensitivity),
        lesions=found.lesions,
        with_lesion=found.with_lesion,
        scans=found.scans,
    )
