"""One subject measured: all that the protocol asks of one map, then the volume leaves memory.

No torch here: worker processes start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from andi_bench.errors import UserError
from andi_bench.metrics.case import Case
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import NonFiniteScores
from andi_bench.metrics.points import POINTS, OperatingPoint, points_from
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.thresholds import detect
from andi_bench.records.schema import LESION_ML
from benchmark.evaluation.case_values import Row, map_values, point_values, reference_rows
from benchmark.scoring.map_store import ScoredSubject
from datasets.scans.grid import map_to_native
from datasets.volume import LesionLoss

Loader = Callable[[str], ScoredSubject]


@dataclass(frozen=True)
class Measured:
    """What is kept of a test subject once its volume has left memory.

    ``above``: by chain and frozen operating point, lesion-free brain voxels above the threshold, before small detections
    are removed. ``ignored``: voxels of the brain that count for nobody. ``references``: a line for each detection that
    looks at no scan. ``brain_ml``: volume of the brain mask, with what is ignored.
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
    notes: tuple[str, ...] = ()
    ignored: int = 0
    references: dict[str, Row] = field(default_factory=dict)
    brain_ml: float = 0.0


@dataclass(frozen=True)
class Truth:
    """What a map is held against, on the grid that is measured.

    ``brain``: the region that counts, without what is to be ignored; ``inside``: the lesion in it.
    """

    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    ignored: int = 0

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The lesion's voxels that count, bool (X, Y, Z)."""
        return self.lesion & self.brain


def loaded(load: Loader, subject: str) -> tuple[ScoredSubject, Truth]:
    """Load a subject, with what its map is held against.

    Raises
    ------
    ValueError
        For a subject without a lesion mask.
    """
    scored = load(subject)
    found = scored if scored.native is None else scored.native
    if found.lesion is None:
        raise ValueError(f"subject {subject} has no lesion mask: it cannot be evaluated")
    if found.ignore is None:
        return scored, Truth(found.brain, found.lesion, found.spacing)
    lesion = found.lesion & ~found.ignore
    ignored = int(np.count_nonzero(found.brain & found.ignore))
    return scored, Truth(found.brain & ~found.ignore, lesion, found.spacing, ignored)


def chained(chain: PostProcessing, scored: ScoredSubject) -> NDArray[np.float32]:
    """Post-process on the working grid, then bring the map to the grid that is measured."""
    try:
        scores = chain.apply(scored.map, scored.brain, scored.spacing)
    except NonFiniteScores as error:
        raise UserError(f"subject {scored.subject}: {error}") from error
    if scored.native is None:
        return scores
    return np.where(scored.native.brain, map_to_native(scores, scored.native.grid), np.float32(0))


def bin_subject(
    load: Loader, chains: Sequence[PostProcessing], subject: str
) -> dict[str, ScoreHistogram]:
    """Return a validation subject's histograms, by chain."""
    scored, truth = loaded(load, subject)
    return {
        chain.name: score_histogram(chained(chain, scored), truth.brain, truth.lesion)
        for chain in chains
    }


def brain_scores(
    load: Loader, chain: PostProcessing, subject: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scores of a subject's brain voxels, and which of them are lesion, (N,) each."""
    scored, truth = loaded(load, subject)
    return chained(chain, scored)[truth.brain], truth.lesion[truth.brain]


def measure_subject(
    load: Loader,
    chains: Sequence[PostProcessing],
    frozen: dict[str, dict[str, float | None]],
    subject: str,
) -> Measured:
    """Measure a test subject at the frozen thresholds and at those of its own volume.

    Raises
    ------
    UserError
        For non-finite scores: names the subject and the count.
    """
    scored, truth = loaded(load, subject)
    inside = truth.inside
    rows: list[Row] = []
    histograms = {}
    above: dict[str, dict[str, int]] = {chain.name: {} for chain in chains}
    for chain in chains:
        scores = chained(chain, scored)
        histograms[chain.name] = score_histogram(scores, truth.brain, truth.lesion)
        whole = Case(scores, truth.brain, inside, truth.spacing)
        shared: Row = {
            "subject": subject,
            "site": scored.site,
            "chain": chain.name,
            LESION_ML: float(inside.sum()) * whole.voxel_ml,
            **map_values(whole),
        }
        for point, detection, threshold in _detections(scores, truth.brain, frozen[chain.name]):
            above[chain.name][point.name] = int(np.count_nonzero(detection & ~inside))
            cleaned = chain.clean(detection, whole.voxel_ml)
            case = Case(scores, truth.brain, inside, truth.spacing, cleaned)
            row = {**shared, "point": point.name, "threshold": threshold}
            rows.append(row | point_values(case, point))
    x, y, z = truth.brain.shape
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
        notes=scored.notes,
        ignored=truth.ignored,
        references=reference_rows(subject, truth.brain, inside, truth.spacing),
        brain_ml=(int(np.count_nonzero(truth.brain)) + truth.ignored) * whole.voxel_ml,
    )


def measure_at(
    load: Loader, chain: PostProcessing, point: OperatingPoint, threshold: float, subject: str
) -> tuple[Row, int]:
    """Measure a subject at one threshold.

    Returns
    -------
    values : dict
        The metrics of the point, by column; small detections removed where the chain removes them.
    above : int
        Lesion-free brain voxels above the threshold, before that.
    """
    scored, truth = loaded(load, subject)
    scores, inside = chained(chain, scored), truth.inside
    detection = detect(scores, threshold, truth.brain)
    whole = Case(scores, truth.brain, inside, truth.spacing)
    cleaned = chain.clean(detection, whole.voxel_ml)
    case = Case(scores, truth.brain, inside, truth.spacing, cleaned)
    return point_values(case, point), int(np.count_nonzero(detection & ~inside))


def _detections(
    scores: NDArray[np.float32], brain: NDArray[np.bool_], frozen: Mapping[str, float | None]
) -> Iterator[tuple[OperatingPoint, NDArray[np.bool_], float | None]]:
    """Yield what a map detects at the frozen points, and at those that each volume decides itself."""
    for name, threshold in frozen.items():
        if threshold is not None:
            yield POINTS[name], detect(scores, threshold, brain), threshold
    for point in points_from("volume"):
        assert point.detect is not None
        yield point, *point.detect(scores, brain)
