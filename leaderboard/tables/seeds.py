"""One row from the runs of one method with several seeds: mean, spread over seeds, interval over subjects."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from andi_bench.metrics.metric import MetricAt
from andi_bench.metrics.resampling import SEED_MEANS_RESAMPLES, SEED_MEANS_SEED, draws_of
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
        95 % interval over subjects.
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


def pooled_estimate(seeds: Sequence[Pooled], name: str) -> Estimate:
    """Return a field of the records' pooled parts; with one seed the limits are the record's own, where it has any."""
    found = over_seeds([getattr(seed, name) for seed in seeds])
    if len(seeds) > 1:
        return found
    low, high = (getattr(seeds[0], f"{name}_{end}", None) for end in ("low", "high"))
    return replace(found, low=low, high=high)


def subject_estimate(
    runs: Sequence[RunRecord], tables: Sequence[SubjectTable], chain: str, found: MetricAt
) -> Estimate:
    """Return a per-subject metric's mean over subjects and seeds.

    With one seed the interval is the record's own. With several, every subject's values are first averaged over
    the seeds, and the subjects are resampled (percentile bootstrap, :data:`~andi_bench.metrics.resampling.SEED_MEANS_RESAMPLES` resamples): the interval says
    how much the choice of subjects matters, the spread over seeds stands apart.

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    tables : sequence of SubjectTable
        From :func:`leaderboard.tables.subject_values.subject_tables`.
    chain : str
        Post-processing.
    found : MetricAt
        A metric of the subjects.
    """
    summaries = [_summary(run, chain, found.key) for run in runs]
    mean = over_seeds([summary.mean for summary in summaries])
    undefined = max(summary.undefined for summary in summaries)
    low, high, median = summaries[0].low, summaries[0].high, summaries[0].median
    if len(tables) > 1 and mean.value is not None:
        values = over_the_seeds([table.values(chain, found) for table in tables])
        median = statistics.median(values.values()) if values else None
        if low is not None:
            low, high = _interval(list(values.values()))
    return Estimate(mean.value, low, high, mean.seed_sd, undefined, median)


def _summary(run: RunRecord, chain: str, metric: str) -> SubjectSummary:
    results = run.summary.get(chain)
    found = results.subjects.get(metric) if results is not None else None
    return found or SubjectSummary()


def _interval(values: list[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    means = (
        draws_of(len(values), SEED_MEANS_RESAMPLES, SEED_MEANS_SEED)
        @ np.asarray(values)
        / len(values)
    )
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
