"""One subject measured: all that the protocol asks of one map, then the volume leaves memory.

No torch here: worker processes start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.errors import UserError
from benchmark.map_store import ScoredSubject
from benchmark.metrics import thresholds
from benchmark.metrics.binning import score_histogram
from benchmark.metrics.exact import exact_ranking
from benchmark.metrics.histogram import ScoreHistogram
from benchmark.metrics.lesionwise import LesionWise, false_positive_ml, lesion_wise
from benchmark.metrics.overlap import Overlap, overlap
from benchmark.metrics.postprocessing import PostProcessing
from benchmark.metrics.scores import NonFiniteScores
from benchmark.metrics.surface import surface_distances

Loader = Callable[[str], ScoredSubject]
Row = dict[str, Any]

PRIMARY = "val-dice"
"""The operating point that ranks; surfaces and lesions are measured at this one."""


@dataclass(frozen=True)
class Measured:
    """What is kept of a test subject once its volume has left memory."""

    rows: list[Row]
    histograms: dict[str, ScoreHistogram]
    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    costs: dict[str, float]
    lesion_voxels: int
    lesion_outside: int


def _loaded(load: Loader, subject: str) -> tuple[ScoredSubject, NDArray[np.bool_]]:
    scored = load(subject)
    if scored.lesion is None:
        raise ValueError(f"subject {subject} has no lesion mask: it cannot be evaluated")
    return scored, scored.lesion


def _histogram(
    scores: NDArray[np.float32], scored: ScoredSubject, lesion: NDArray[np.bool_]
) -> ScoreHistogram:
    try:
        return score_histogram(scores, scored.brain, lesion)
    except NonFiniteScores as error:
        raise UserError(f"subject {scored.subject}: {error}") from error


def _chained(chain: PostProcessing, scored: ScoredSubject) -> NDArray[np.float32]:
    try:
        return chain.apply(scored.map, scored.brain)
    except NonFiniteScores as error:
        raise UserError(f"subject {scored.subject}: {error}") from error


def bin_subject(
    load: Loader, chains: Sequence[PostProcessing], subject: str
) -> dict[str, ScoreHistogram]:
    """Return a validation subject's histograms, by chain."""
    scored, lesion = _loaded(load, subject)
    return {c.name: _histogram(_chained(c, scored), scored, lesion) for c in chains}


def measure_subject(
    load: Loader,
    chains: Sequence[PostProcessing],
    frozen: dict[str, dict[str, float | None]],
    subject: str,
) -> Measured:
    """Measure a test subject at the frozen thresholds and at Yen's."""
    scored, lesion = _loaded(load, subject)
    inside = lesion & scored.brain
    voxel_ml = float(np.prod(scored.spacing)) / 1000
    rows: list[Row] = []
    histograms = {}
    for chain in chains:
        scores = _chained(chain, scored)
        histograms[chain.name] = _histogram(scores, scored, lesion)
        ranking = exact_ranking(scores[scored.brain], inside[scored.brain])
        shared: Row = {
            "subject": subject,
            "site": scored.site,
            "chain": chain.name,
            "lesion_ml": float(inside.sum()) * voxel_ml,
            "ap": ranking.average_precision,
            "auroc": ranking.auroc,
        }
        detections: dict[str, tuple[NDArray[np.bool_], float | None]] = {
            name: (thresholds.detect(scores, threshold, scored.brain), threshold)
            for name, threshold in frozen[chain.name].items()
            if threshold is not None
        }
        detections["yen"] = thresholds.yen_detection(scores, scored.brain)
        for name, (detection, threshold) in detections.items():
            cleaned = chain.clean(detection, voxel_ml)
            row = {**shared, "point": name, "threshold": threshold}
            row |= overlap_figures(overlap(cleaned, inside))
            row["false_positive_ml"] = false_positive_ml(cleaned, inside, voxel_ml)
            if name == PRIMARY:
                distances = surface_distances(cleaned, inside, scored.spacing)
                row["hd95"] = distances.hd95 if distances else None
                row["assd"] = distances.assd if distances else None
                row |= _lesion_figures(lesion_wise(cleaned, inside, voxel_ml))
            rows.append(row)
    x, y, z = scored.brain.shape
    return Measured(
        rows=rows,
        histograms=histograms,
        spacing=scored.spacing,
        shape=(x, y, z),
        costs=scored.costs,
        lesion_voxels=int(lesion.sum()),
        lesion_outside=int(lesion.sum() - inside.sum()),
    )


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
