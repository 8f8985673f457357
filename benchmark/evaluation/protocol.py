"""The protocol, run over scored subjects one at a time: thresholds from validation, figures from test.

Memory holds one volume a process, and one small score histogram a subject and chain; it does not grow with the
volumes. No torch here: worker processes start quickly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import EvaluationConfig
from andi_bench.console import Console
from andi_bench.executor import ordered
from andi_bench.metrics.exact import PooledPasses, Ranking
from andi_bench.metrics.histogram import ARRAYS, PackedHistograms, ScoreHistogram
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.records.schema import (
    GRID,
    ChainSummary,
    Group,
    Lesions,
    LostLesion,
    OperatingPoint,
)
from benchmark.evaluation.aggregates import (
    POINTS,
    Curve,
    Sweep,
    dice_sweep,
    pooled_figures,
    recall_curves,
    shares_above,
    subject_figures,
)
from benchmark.evaluation.frozen_points import calibrate, oracle_rows, read_brains
from benchmark.evaluation.measurement import (
    Loader,
    Measured,
    Row,
    bin_subject,
    brain_scores,
    measure_subject,
)
from benchmark.evaluation.subgroups import grouped

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sweeps:
    """Mean Dice against the threshold; a threshold stands at the share of test brain voxels above it.

    Parameters
    ----------
    splits : dict
        For ``val`` (where there are any) and ``test``: share and mean Dice, float64 (N,) each.
    points : dict
        Share at each operating point that has a threshold.
    """

    splits: dict[str, Sweep]
    points: dict[str, float]


PARALLEL_VOXELS = 30_000_000
"""With fewer voxels in all, starting processes costs more than it saves."""
_NAMED = 5  # lost lesions named in a note; the record names all


@dataclass(frozen=True)
class Evaluation:
    """Everything that is known of a run's maps.

    Parameters
    ----------
    chains : list of PostProcessing
        Raw and filtered.
    subjects : DataFrame
        One line per test subject, chain and operating point; empty where undefined.
    operating_points, summary, groups, lesions
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
    operating_points: dict[str, dict[str, OperatingPoint]]
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
    lesions: Lesions | None = None
    notes: list[str] = field(default_factory=list)


def chains_of(config: EvaluationConfig) -> list[PostProcessing]:
    """Return the post-processing chains: raw and median-filtered, all else equal."""
    shared = {"erosion": config.erosion, "min_component_ml": config.min_component_ml}
    sizes = [1] if config.median == 1 else [1, config.median]
    return [PostProcessing(median=size, **shared) for size in sizes]


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
        calibration = {chain.name: PackedHistograms() for chain in chains}
        with console.progress("calibrating", len(val)) as advance:
            for name, found in zip(val, work(partial(bin_subject, load, chains), val), strict=True):
                for chain in chains:
                    calibration[chain.name].append(found[chain.name])
                advance(1, name)
        points, unranked, notes = calibrate(chains, calibration, partial(read_brains, load, val))
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
        rows = [row for result in measured for row in result.rows]
        for chain in chains:
            rows += oracle_rows(load, work, chain, points[chain.name], tested[chain.name], measured)
    table = _table(rows, measured)
    summary = {}
    for chain in chains:
        recount = partial(_recount, load, chain, test)
        pooled = pooled_figures(tested[chain.name], config.bootstraps, recount, exact=config.exact)
        lines = table[table["chain"] == chain.name]
        summary[chain.name] = ChainSummary(
            pooled=pooled, subjects=subject_figures(lines, config.bootstraps)
        )
    groups, group_notes = grouped(table, _attributes(measured), tested, config.bootstraps)
    merged = ScoreHistogram.merge(tested[chains[0].name])
    return Evaluation(
        chains=chains,
        subjects=table,
        operating_points=points,
        summary=summary,
        histograms=_KeptHistograms({"val": (val, calibration), "test": (test, tested)}),
        curves=recall_curves(tested, summary),
        sweeps={
            chain.name: _sweeps(calibration[chain.name], tested[chain.name], points[chain.name])
            for chain in chains
        },
        prevalence=merged.prevalence(),
        spacing=_shared([m.spacing for m in measured]),
        shape=_shared([m.shape for m in measured]),
        costs=_costs([m.costs for m in measured]),
        unranked=unranked,
        groups=groups,
        lesions=_lesions(measured),
        notes=[*notes, *_notes(measured, merged), *group_notes],
    )


def _sweeps(
    calibration: Sequence[ScoreHistogram],
    tested: Sequence[ScoreHistogram],
    points: Mapping[str, OperatingPoint],
) -> Sweeps:
    merged = ScoreHistogram.merge(tested)
    splits = {"val": calibration, "test": tested}
    named = {name: point.threshold for name, point in points.items() if point.threshold is not None}
    shares = shares_above(merged, np.array(list(named.values()), dtype=np.float32))
    return Sweeps(
        {name: dice_sweep(part, merged) for name, part in splits.items() if len(part)},
        dict(zip(named, shares.tolist(), strict=True)),
    )


def _recount(load: Loader, chain: PostProcessing, subjects: Sequence[str]) -> Ranking:
    """Count the brain voxels of all subjects one by one, in two passes over their maps."""
    passes = PooledPasses()
    for count in (passes.first, passes.second):
        for subject in subjects:
            count(*brain_scores(load, chain, subject))
    return passes.ranking()


def _attributes(measured: Sequence[Measured]) -> dict[str, dict[str, str]]:
    """Return site and the further columns of the split, column by column."""
    names = dict.fromkeys(["site", *(name for m in measured for name in m.attributes)])
    sites = {m.subject: str(m.rows[0]["site"]) for m in measured}
    return {
        name: {
            m.subject: sites[m.subject] if name == "site" else m.attributes.get(name, "")
            for m in measured
        }
        for name in names
    }


def _table(rows: Sequence[Row], measured: Sequence[Measured]) -> pd.DataFrame:
    """Return the table of subjects: keys, columns of the split, figures."""
    import pandas as pd

    figures = pd.DataFrame(rows)
    at = 1 + list(figures.columns).index("site")
    for name, cells in _attributes(measured).items():
        if name == "site":
            continue
        # a column of the split never hides a figure, nor the grid that the record's table is read by
        shown = name
        while shown in figures.columns or shown == GRID:
            shown = f"{shown} (split)"
        figures.insert(at, shown, figures["subject"].map(cells))
        at += 1
    order = {name: rank for rank, name in enumerate(POINTS)}
    return figures.sort_values(
        ["subject", "chain", "point"],
        key=lambda column: column.map(order) if column.name == "point" else column,
        kind="stable",
    ).reset_index(drop=True)


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


def _lesions(measured: Sequence[Measured]) -> Lesions | None:
    """Count the lesions of the scans' own masks; None where it is not known for every subject."""
    known = [(m.subject, m.loss) for m in measured if m.loss is not None]
    if len(known) < len(measured):
        return None
    lost = [
        LostLesion(subject=subject, ml=ml, centre_mm=centre)
        for subject, loss in known
        for ml, centre in loss.lost
    ]
    return Lesions(total=sum(loss.total for _, loss in known), lost=tuple(lost))


def _notes(measured: Sequence[Measured], merged: ScoreHistogram) -> list[str]:
    notes = []
    if not merged.totals()[0]:
        notes.append("the evaluated split holds no lesion voxel: AP and AUROC are undefined")
    outside = sum(m.lesion_outside for m in measured)
    if outside:
        total = sum(m.lesion_voxels for m in measured)
        notes.append(
            f"{outside} of {total} lesion voxels lie outside the brain mask and do not count"
        )
    lesions = _lesions(measured)
    if lesions is not None and lesions.lost:
        named = [f"{lesion.subject} {lesion.ml:.2g} ml" for lesion in lesions.lost[:_NAMED]]
        more = ", ..." if len(lesions.lost) > _NAMED else ""
        notes.append(
            f"{len(lesions.lost)} of {lesions.total} lesions have no voxel on the working grid "
            f"({', '.join(named)}{more})"
        )
    return notes


class _KeptHistograms(Mapping[str, NDArray[Any]]):
    """All histograms of a run as plain arrays, unpacked only when asked for."""

    def __init__(
        self, parts: dict[str, tuple[Sequence[str], Mapping[str, PackedHistograms]]]
    ) -> None:
        self._places = {
            f"{part}/{chain}/{name}": (packed, index)
            for part, (names, by_chain) in parts.items()
            for chain, packed in by_chain.items()
            for index, name in enumerate(names)
        }

    def __iter__(self) -> Iterator[str]:
        return (f"{place}/{array}" for place in self._places for array in ARRAYS)

    def __len__(self) -> int:
        return len(self._places) * len(ARRAYS)

    def __getitem__(self, key: str) -> NDArray[Any]:
        place, _, array = key.rpartition("/")
        packed, index = self._places[place]
        return packed.arrays(index)[array]
