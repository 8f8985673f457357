"""One row from the runs of one method with several seeds: mean, spread over seeds, interval."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.mean_intervals import (
    amount_intervals,
    degrees_by_weight,
    proportion_interval,
    share_interval,
)
from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.resampling import MEAN_RESAMPLES, stratified_draws
from andi_bench.records.schema import LESION_FREE_APART, LESION_ML
from andi_bench.records.store import Pooled, RunRecord, SubjectSummary
from leaderboard.tables.subject_values import SubjectTable, over_the_seeds


@dataclass(frozen=True)
class Estimate:
    """A figure of a table; None where undefined.

    Parameters
    ----------
    value : float or None
        Mean over the seeds; None as soon as one seed lacks it.
    low, high : float or None
        95 % interval over subjects and seeds, of the same subjects as the value; over subjects alone for one seed.
    seed_sd : float or None
        Standard deviation over the seeds (n - 1); None for one seed.
    undefined : int
        Subjects for which the metric is not defined.
    median : float or None
        Median over the subjects (of their means over the seeds).
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed_sd: float | None = None
    undefined: int = 0
    median: float | None = None


def over_seeds(values: Sequence[float | None]) -> Estimate:
    """Return mean and spread over the seeds of a figure without interval."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Estimate()
    spread = statistics.stdev(known) if len(known) > 1 else None
    return Estimate(statistics.fmean(known), seed_sd=spread)


def shortest(times: Iterable[float | None]) -> float | None:
    """Return the shortest of the seeds' times: other work on a machine makes a run take longer, never shorter; None where none is known."""
    return min((time for time in times if time is not None), default=None)


def pooled_estimate(seeds: Sequence[Pooled], name: str) -> Estimate:
    """Return a field of the records' pooled parts, without limits.

    Those of average precision follow from its histograms (:func:`leaderboard.tables.table.with_limits`); of AUROC they
    are the record's own, with one seed.
    """
    found = over_seeds([getattr(seed, name) for seed in seeds])
    if len(seeds) > 1 or name != "auroc":
        return found
    return replace(found, low=seeds[0].auroc_low, high=seeds[0].auroc_high)


def subject_estimates(
    runs: Sequence[RunRecord],
    tables: Sequence[SubjectTable],
    chain: str,
    metrics: Sequence[MetricAt],
) -> dict[str, Estimate]:
    """Return the means over subjects and seeds of per-subject metrics, by key.

    With several seeds, value, interval and spread are of the subjects for which every seed has a value. The interval is
    that of :mod:`andi_bench.metrics.mean_intervals`, the same construction for one seed and for several; all amounts
    share one product of resampling weights (:data:`~andi_bench.metrics.resampling.MEAN_RESAMPLES` resamples, subjects with a
    lesion and those without drawn apart).

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    tables : sequence of SubjectTable
        From :func:`leaderboard.tables.subject_values.subject_tables`; without them there is no interval.
    chain : str
        Post-processing.
    metrics : sequence of MetricAt
        Metrics of the subjects.
    """
    out: dict[str, Estimate] = {}
    amounts: dict[str, dict[str, list[float]]] = {}
    for found in metrics:
        out[found.key], shared = _of_subjects(runs, tables, chain, found)
        if not shared or out[found.key].value is None:
            continue
        values = np.array(list(shared.values()))
        if found.metric.share and values.min() >= 0 and values.max() <= 1:
            limits = share_interval(values)
            if limits is None and found.metric.yes_or_no:
                limits = proportion_interval(values)
            out[found.key] = _limited(out[found.key], limits)
        else:
            amounts[found.key] = shared
    names = sorted(set().union(*amounts.values()))
    if names:
        columns = [_column(shared, names, len(runs)) for shared in amounts.values()]
        volumes = tables[0].column(chain, LESION_ML)
        ill = np.array([volumes.get(name, 1.0) > 0 for name in names])
        all_limits = amount_intervals(columns, stratified_draws(ill, MEAN_RESAMPLES))
        for key, own in zip(amounts, all_limits, strict=True):
            out[key] = _limited(out[key], own)
    return out


def counted_estimate(tables: Sequence[SubjectTable], chain: str, found: MetricAt) -> Estimate:
    """Return a share that is counted over all subjects with a lesion: sums over them, divided.

    The interval is that of a mean of shares (:func:`~andi_bench.metrics.mean_intervals.share_interval`), with the standard
    error of a ratio of sums, linearised (Cochran, *Sampling Techniques*, 1977, 6.4): subjects, with all their lesions, are
    what varies. Those with many lesions weigh more, which leaves fewer degrees of freedom.

    Parameters
    ----------
    tables : sequence of SubjectTable
        Of the seeds.
    chain : str
        Post-processing.
    found : MetricAt
        A metric that has a ``ratio``.
    """
    sums = [table.sums(chain, found) for table in tables]
    names = sorted(set.intersection(*(set(own) for own in sums))) if sums else []
    if not names:
        return Estimate()
    counts = np.array([[own[name] for own in sums] for name in names])  # (subjects, seeds, 2)
    part, whole = counts[..., 0], counts[..., 1]
    shares = part.sum(axis=0) / whole.sum(axis=0)
    limits = share_interval(
        shares + (part - shares * whole) / whole.mean(axis=0),
        among=degrees_by_weight(whole.mean(axis=1)),
    )
    return _limited(over_seeds(shares.tolist()), limits)


def _of_subjects(
    runs: Sequence[RunRecord], tables: Sequence[SubjectTable], chain: str, found: MetricAt
) -> tuple[Estimate, dict[str, list[float]]]:
    """Return a metric without its interval, and the values of each seed of the subjects that all seeds have."""
    by_seed = [table.values(chain, found) for table in tables]
    summaries = [_summary(run, chain, found.key) for run in runs]
    mean = over_seeds([summary.mean for summary in summaries])
    undefined = max(summary.undefined for summary in summaries)
    median = summaries[0].median
    if mean.value is None or len(by_seed) < len(runs):
        return replace(mean, undefined=undefined, median=median), {}
    older = any(run.protocol.version < LESION_FREE_APART for run in runs)
    if older:  # its means are over lesion-free subjects too
        undefined = max(table.undefined(chain, found) for table in tables)
    common = set.intersection(*(set(values) for values in by_seed))
    shared = {name: [values[name] for values in by_seed] for name in sorted(common)}
    if not shared and (older or len(runs) > 1):
        return Estimate(undefined=undefined), {}
    if shared and (older or len(runs) > 1):
        averaged = over_the_seeds(by_seed)
        median = statistics.median(averaged.values())
        if older or any(len(values) > len(shared) for values in by_seed):
            mean = over_seeds(
                [statistics.fmean(column) for column in zip(*shared.values(), strict=True)]
            )
            if not older:
                undefined = max(summary.n + summary.undefined for summary in summaries) - len(
                    shared
                )
    return replace(mean, undefined=undefined, median=median), shared


def _column(
    shared: dict[str, list[float]], names: Sequence[str], seeds: int
) -> NDArray[np.float64]:
    """Return values by subject and seed, float64 (S, T), NaN for subjects that have none."""
    nothing = [np.nan] * seeds
    return np.array([shared.get(name, nothing) for name in names])


def _limited(estimate: Estimate, limits: tuple[float, float] | None) -> Estimate:
    return estimate if limits is None else replace(estimate, low=limits[0], high=limits[1])


def _summary(run: RunRecord, chain: str, metric: str) -> SubjectSummary:
    results = run.summary.get(chain)
    found = results.subjects.get(metric) if results is not None else None
    return found or SubjectSummary()
