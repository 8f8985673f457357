"""One subject measured: all that the protocol asks of one map, then the volume leaves memory.

No torch here: worker processes start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.metrics import thresholds
from andi_bench.metrics.binning import score_histogram
from andi_bench.metrics.exact import exact_ranking
from andi_bench.metrics.histogram import ScoreHistogram
from andi_bench.metrics.lesionwise import LesionWise, false_positive_ml, lesion_wise
from andi_bench.metrics.overlap import Overlap, overlap
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.scores import NonFiniteScores
from andi_bench.metrics.surface import surface_distances
from benchmark.scoring.map_store import ScoredSubject
from datasets.scans.grid import map_to_native
from datasets.volume import LesionLoss

Loader = Callable[[str], ScoredSubject]
Row = dict[str, Any]

PRIMARY = "val-dice"
"""The operating point that ranks; surfaces and lesions are measured at this one."""


@dataclass(frozen=True)
class Measured:
    """What is kept of a test subject once its volume has left memory.

    ``above``: by chain and frozen operating point, lesion-free brain voxels above the threshold, before small detections
    are removed.
    """

    subject: str
    rows: list[Row]
    attributes: dict[str, str]
    histograms: dict[str, ScoreHistogram]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    costs: dict[str, float]
    lesion_voxels: int
    lesion_outside: int
    loss: LesionLoss | None
    above: dict[str, dict[str, int]]


@dataclass(frozen=True)
class _Truth:
    """What a map is held against, on the grid that is measured."""

    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    spacing: tuple[float, float, float]


def _loaded(load: Loader, subject: str) -> tuple[ScoredSubject, _Truth]:
    scored = load(subject)
    if scored.native is not None:
        native = scored.native
        return scored, _Truth(native.brain, native.lesion, native.spacing)
    if scored.lesion is None:
        raise ValueError(f"subject {subject} has no lesion mask: it cannot be evaluated")
    return scored, _Truth(scored.brain, scored.lesion, scored.spacing)


def _chained(chain: PostProcessing, scored: ScoredSubject) -> NDArray[np.float32]:
    """Post-process on the working grid, then bring the map to the grid that is measured."""
    try:
        scores = chain.apply(scored.map, scored.brain)
    except NonFiniteScores as error:
        raise UserError(f"subject {scored.subject}: {error}") from error
    if scored.native is None:
        return scores
    return np.where(scored.native.brain, map_to_native(scores, scored.native.grid), np.float32(0))


def bin_subject(
    load: Loader, chains: Sequence[PostProcessing], subject: str
) -> dict[str, ScoreHistogram]:
    """Return a validation subject's histograms, by chain."""
    scored, truth = _loaded(load, subject)
    return {
        chain.name: score_histogram(_chained(chain, scored), truth.brain, truth.lesion)
        for chain in chains
    }


def brain_scores(
    load: Loader, chain: PostProcessing, subject: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scores of a subject's brain voxels, and which of them are lesion, (N,) each."""
    scored, truth = _loaded(load, subject)
    return _chained(chain, scored)[truth.brain], truth.lesion[truth.brain]


def measure_subject(
    load: Loader,
    chains: Sequence[PostProcessing],
    frozen: dict[str, dict[str, float | None]],
    subject: str,
) -> Measured:
    """Measure a test subject at the frozen thresholds and at Yen's.

    Raises
    ------
    UserError
        For non-finite scores: names the subject and the count.
    """
    scored, truth = _loaded(load, subject)
    brain, inside = truth.brain, truth.lesion & truth.brain
    voxel_ml = float(np.prod(truth.spacing)) / 1000
    rows: list[Row] = []
    histograms = {}
    above: dict[str, dict[str, int]] = {chain.name: {} for chain in chains}
    for chain in chains:
        scores = _chained(chain, scored)
        histograms[chain.name] = score_histogram(scores, brain, truth.lesion)
        ranking = exact_ranking(scores[brain], inside[brain])
        shared: Row = {
            "subject": subject,
            "site": scored.site,
            "chain": chain.name,
            "lesion_ml": float(inside.sum()) * voxel_ml,
            "ap": ranking.average_precision,
            "auroc": ranking.auroc,
        }
        detections: dict[str, tuple[NDArray[np.bool_], float | None]] = {
            name: (thresholds.detect(scores, threshold, brain), threshold)
            for name, threshold in frozen[chain.name].items()
            if threshold is not None
        }
        detections["yen"] = thresholds.yen_detection(scores, brain)
        for name, (detection, threshold) in detections.items():
            above[chain.name][name] = int(np.count_nonzero(detection & ~inside))
            cleaned = chain.clean(detection, voxel_ml)
            row = {**shared, "point": name, "threshold": threshold}
            row |= overlap_figures(overlap(cleaned, inside))
            row["false_positive_ml"] = false_positive_ml(cleaned, inside, voxel_ml)
            if name == PRIMARY:
                distances = surface_distances(cleaned, inside, truth.spacing)
                row["hd95"] = distances.hd95 if distances else None
                row["assd"] = distances.assd if distances else None
                row |= _lesion_figures(lesion_wise(cleaned, inside, voxel_ml))
            rows.append(row)
    x, y, z = brain.shape
    voxels = int(truth.lesion.sum())
    return Measured(
        subject=subject,
        rows=rows,
        attributes=scored.attributes,
        histograms=histograms,
        spacing=truth.spacing,
        shape=(x, y, z),
        costs=scored.costs,
        lesion_voxels=voxels,
        lesion_outside=voxels - int(inside.sum()),
        loss=scored.loss,
        above=above,
    )


def overlap_at(
    load: Loader, chain: PostProcessing, threshold: float, subject: str
) -> tuple[Overlap, int]:
    """Count a subject's voxels at one threshold.

    Returns
    -------
    overlap : Overlap
        Of the detection, small ones removed where the chain removes them.
    above : int
        Lesion-free brain voxels above the threshold, before that.
    """
    scored, truth = _loaded(load, subject)
    inside = truth.lesion & truth.brain
    detection = thresholds.detect(_chained(chain, scored), threshold, truth.brain)
    cleaned = chain.clean(detection, float(np.prod(truth.spacing)) / 1000)
    return overlap(cleaned, inside), int(np.count_nonzero(detection & ~inside))


def overlap_figures(found: Overlap) -> Row:
    """Return the columns of the table that tell of voxel-wise overlap."""
    return {
        "dice": found.dice,
        "sensitivity": found.sensitivity,
        "precision": found.precision,
    }


def _lesion_figures(found: LesionWise) -> Row:
    row: Row = {
        "lesions": found.lesions,
        "lesions_found": found.found,
        "lesion_sensitivity": found.sensitivity,
        "lesion_precision": found.precision,
        "lesion_f1": found.f1,
        "false_positive_lesions": found.false_positives,
    }
    for name, stratum in found.strata.items():
        row[f"lesions {name}"] = stratum.lesions
        row[f"lesions_found {name}"] = stratum.found
        row[f"lesion_sensitivity {name}"] = stratum.sensitivity
    return row
