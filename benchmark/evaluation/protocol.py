"""The protocol, run over scored subjects one at a time: thresholds from validation, figures from test.

Memory holds one volume a process, and one small score histogram a subject and chain; it does not grow with the
volumes. No torch here: worker processes start quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import EvaluationConfig
from andi_bench.console import Console
from andi_bench.executor import Work, ordered
from andi_bench.metrics.exact import PooledPasses, Ranking
from andi_bench.metrics.histograms.histogram import PackedHistograms, ScoreHistogram
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.records.schema import ChainSummary, FrocCurve, Group, Lesions, RecordedThreshold
from benchmark.evaluation.aggregates import pooled_figures, scan_figures, subject_figures
from benchmark.evaluation.case_values import Row
from benchmark.evaluation.curves import Curve, Sweeps, dice_sweeps, recall_curves
from benchmark.evaluation.froc_pass import froc_curves
from benchmark.evaluation.frozen_points import (
    calibrate,
    checked_points,
    read_brains,
    upper_bounds,
    with_spread,
)
from benchmark.evaluation.kept_histograms import KeptHistograms
from benchmark.evaluation.measurement import (
    Loader,
    Measured,
    bin_subject,
    brain_scores,
    measure_subject,
)
from benchmark.evaluation.references import reference_summaries
from benchmark.evaluation.scan_notes import lesions_of, notes_of
from benchmark.evaluation.subgroups import grouped
from benchmark.evaluation.subject_table import attributes_of, subject_table

if TYPE_CHECKING:
    import pandas as pd


VERSION = 2
"""Version of the protocol, in every record. Raised when the same maps would give other figures: records made before are then
not found again, and stand in tables of their own. 2: lesions and detections matched one to one; figures over subjects with
a lesion, thresholds frozen on these, lesion-free subjects apart."""

PARALLEL_VOXELS = 30_000_000
"""With fewer voxels in all, starting processes costs more than it saves."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that is known of a run's maps.

    Parameters
    ----------
    chains : list of PostProcessing
        Raw and filtered.
    subjects : DataFrame
        One line per test subject, chain and operating point; empty where undefined.
    operating_points, summary, groups, references, lesions
        As they stand in the record.
    histograms : mapping of arrays, unpacked one by one
        Keys ``<val|test>/<chain>/<subject>/<array>``.
    curves : dict
        Precision-recall curve of each chain: recall, precision, pooled average precision.
    sweeps : dict
        By chain: mean Dice against the threshold on either split, and the operating points, for a figure.
    prevalence : float or None
        Share of lesion voxels in the brains of the test subjects.
    spacing, shape : tuple or None
        Of the grid; None where subjects differ.
    costs : dict
        seconds_per_volume, peak_memory_mb, network_calls_per_slice.
    unranked : str or None
        Why the run can have no rank.
    notes : list of str
        What a reader must know.
    """

    chains: list[PostProcessing]
    subjects: pd.DataFrame
    operating_points: dict[str, dict[str, RecordedThreshold]]
    summary: dict[str, ChainSummary]
    histograms: Mapping[str, NDArray[Any]]
    curves: dict[str, Curve]
    sweeps: dict[str, Sweeps]
    prevalence: float | None
    spacing: tuple[float, float, float] | None
    shape: tuple[int, int, int] | None
    costs: dict[str, float]
    unranked: str | None
    groups: dict[str, tuple[Group, ...]] = field(default_factory=dict)
    references: dict[str, ChainSummary] = field(default_factory=dict)
    lesions: Lesions | None = None
    notes: list[str] = field(default_factory=list)


def chains_of(config: EvaluationConfig) -> list[PostProcessing]:
    """Return the post-processing chains: raw and median-filtered, all else equal."""
    shared = {"erosion": config.erosion, "min_component_ml": config.min_component_ml}
    raw = PostProcessing(median=1, **shared)
    return [raw] if config.median == 1 else [raw, PostProcessing(median=config.median, **shared)]


def evaluate(
    load: Loader,
    val: Sequence[str],
    test: Sequence[str],
    config: EvaluationConfig,
    *,
    workers: int | None = None,
    console: Console | None = None,
) -> Evaluation:
    """Evaluate scored subjects by the protocol; region: the brain.

    The grid is the one that the loader gives: the working grid, or each scan's own where a subject comes with
    ``native`` (:class:`benchmark.evaluation.native_grid.NativeLoader`).

    Parameters
    ----------
    load : callable
        Returns a scored subject, with a lesion mask, by its name. Must be picklable where processes are used.
    val, test : sequence of str
        Subjects that thresholds are frozen on, and subjects that are reported on.
    config : EvaluationConfig
        Chains and bootstraps.
    workers : int or None
        Processes; None: as many as the work is worth. The result does not depend on it.
    console : Console or None
        Where to show progress.

    Raises
    ------
    UserError
        For non-finite scores: names the subject and the count.
    """
    chains = chains_of(config)
    console = console or Console(quiet=True)
    everyone = [*val, *test]

    def worth() -> bool:
        return load(everyone[0]).brain.size * len(everyone) > PARALLEL_VOXELS

    with ordered(len(everyone), workers, worth) as work:
        calibration = _calibration(load, chains, val, work, console)
        points, unranked, notes = calibrate(chains, calibration, partial(read_brains, load, val))
        tested, measured = _tested(load, chains, points, test, work, console)
        rows = [row for result in measured for row in result.rows]
        for chain in chains:
            name = chain.name
            above = {p: sum(m.above[name][p] for m in measured) for p in points[name]}
            bounds, more = upper_bounds(load, work, chain, tested[name], measured)
            checked = checked_points(points[name], tested[name], above)
            checked = with_spread(
                checked, chain, calibration[name], tested[name], config.bootstraps
            )
            points[name] = {**checked, **bounds}
            rows += more
        froc = froc_curves(load, work, chains, tested, test, config.bootstraps)
    passes = _Passes(val, calibration, tested, measured, rows, points, froc)
    return _evaluation(partial(_recount, load, test), chains, config, passes, unranked, notes)


@dataclass(frozen=True)
class _Passes:
    """What the passes over the maps leave: histograms by chain, test subjects, rows of their table, thresholds, FROC."""

    val: Sequence[str]
    calibration: dict[str, PackedHistograms]
    tested: dict[str, PackedHistograms]
    measured: list[Measured]
    rows: list[Row]
    points: dict[str, dict[str, RecordedThreshold]]
    froc: dict[str, FrocCurve]

    def histograms(self) -> KeptHistograms:
        test = [m.subject for m in self.measured]
        return KeptHistograms({"val": (self.val, self.calibration), "test": (test, self.tested)})


def _calibration(
    load: Loader,
    chains: Sequence[PostProcessing],
    val: Sequence[str],
    work: Work,
    console: Console,
) -> dict[str, PackedHistograms]:
    """Bin the maps of the validation subjects, by chain."""
    calibration = {chain.name: PackedHistograms() for chain in chains}
    with console.progress("calibrating", len(val)) as advance:
        for name, found in zip(val, work(partial(bin_subject, load, chains), val), strict=True):
            for chain in chains:
                calibration[chain.name].append(found[chain.name])
            advance(1, name)
    return calibration


def _tested(
    load: Loader,
    chains: Sequence[PostProcessing],
    points: Mapping[str, Mapping[str, RecordedThreshold]],
    test: Sequence[str],
    work: Work,
    console: Console,
) -> tuple[dict[str, PackedHistograms], list[Measured]]:
    """Measure the test subjects; return their histograms by chain, and what else is known of each."""
    frozen = {
        chain: {name: point.threshold for name, point in found.items()}
        for chain, found in points.items()
    }
    tested = {chain.name: PackedHistograms() for chain in chains}
    measured: list[Measured] = []
    with console.progress("evaluating", len(test)) as advance:
        task = partial(measure_subject, load, chains, frozen)
        for name, result in zip(test, work(task, test), strict=True):
            for chain in chains:
                tested[chain.name].append(result.histograms.pop(chain.name))
            measured.append(result)
            advance(1, name)
    return tested, measured


def _evaluation(
    recount: Callable[[PostProcessing], Ranking],
    chains: list[PostProcessing],
    config: EvaluationConfig,
    passes: _Passes,
    unranked: str | None,
    notes: Sequence[str],
) -> Evaluation:
    """Put together what the passes left."""
    tested, measured = passes.tested, passes.measured
    table = subject_table(passes.rows, measured)
    summary = {}
    for chain in chains:
        count = partial(recount, chain)
        pooled = pooled_figures(tested[chain.name], config.bootstraps, count, exact=config.exact)
        lines = table[table["chain"] == chain.name]
        subjects = subject_figures(lines, config.bootstraps)
        summary[chain.name] = ChainSummary(
            pooled=pooled,
            subjects=subjects,
            scan=scan_figures(lines),
            froc=passes.froc.get(chain.name),
        )
    groups, group_notes = grouped(table, attributes_of(measured), tested, config.bootstraps)
    merged = ScoreHistogram.merge(tested[chains[0].name])
    return Evaluation(
        chains=chains,
        subjects=table,
        operating_points=passes.points,
        summary=summary,
        histograms=passes.histograms(),
        curves=recall_curves(tested, summary),
        sweeps={
            name: dice_sweeps(passes.calibration[name], tested[name], points)
            for name, points in passes.points.items()
        },
        prevalence=merged.prevalence(),
        spacing=_shared([m.spacing for m in measured]),
        shape=_shared([m.shape for m in measured]),
        costs=_costs([m.costs for m in measured]),
        unranked=unranked,
        groups=groups,
        references=reference_summaries([m.references for m in measured], merged.prevalence()),
        lesions=lesions_of(measured),
        notes=[*notes, *notes_of(measured, merged), *group_notes],
    )


def _recount(load: Loader, subjects: Sequence[str], chain: PostProcessing) -> Ranking:
    """Count the brain voxels of all subjects one by one, in two passes over their maps."""
    passes = PooledPasses()
    for count in (passes.first, passes.second):
        for subject in subjects:
            count(*brain_scores(load, chain, subject))
    return passes.ranking()


def _shared(values: Sequence[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else None


def _costs(costs: Sequence[dict[str, float]]) -> dict[str, float]:
    known = [cost for cost in costs if cost]
    if not known:
        return {}
    return {
        "seconds_per_volume": float(np.mean([cost["seconds"] for cost in known])),
        "peak_memory_mb": max(cost["peak_memory_mb"] for cost in known),
        "network_calls_per_slice": sum(cost["network_calls"] for cost in known)
        / max(1, sum(cost["slices"] for cost in known)),
    }
