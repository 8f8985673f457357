"""One row from the runs of one method with several seeds: mean, spread over seeds, interval over subjects."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.records import RunRecord, SubjectSummary, read_subjects

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000


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
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed_sd: float | None = None
    undefined: int = 0


def over_seeds(values: Sequence[float | None]) -> Estimate:
    """Return mean and spread over the seeds of a figure without interval."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Estimate()
    spread = statistics.stdev(known) if len(known) > 1 else None
    return Estimate(statistics.fmean(known), seed_sd=spread)


def subject_tables(runs: Sequence[RunRecord]) -> list[pd.DataFrame]:
    """Read the tables of subjects that :func:`subject_estimate` needs: none for one seed.

    Raises
    ------
    UserError
        When a table cannot be read.
    """
    if len(runs) < 2:
        return []
    return [read_subjects(run.folder) for run in runs if run.folder is not None]


def subject_estimate(
    runs: Sequence[RunRecord], tables: Sequence[pd.DataFrame], chain: str, metric: str
) -> Estimate:
    """Return a per-subject metric's mean over subjects and seeds.

    With one seed the interval is the record's own. With several, every subject's values are first averaged over
    the seeds, and the subjects are resampled (percentile bootstrap, :data:`RESAMPLES` resamples): the interval says
    how much the choice of subjects matters, the spread over seeds stands apart.

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    tables : sequence of DataFrame
        From :func:`subject_tables`.
    chain : str
        Post-processing.
    metric : str
        Key of the record's summary: ``dice@val-dice``, ``ap``.
    """
    summaries = [_summary(run, chain, metric) for run in runs]
    mean = over_seeds([summary.mean for summary in summaries])
    undefined = max(summary.undefined for summary in summaries)
    low, high = summaries[0].low, summaries[0].high
    if tables and mean.value is not None and low is not None:
        low, high = _interval([_per_subject(table, chain, metric) for table in tables])
    return Estimate(mean.value, low, high, mean.seed_sd, undefined)


def _summary(run: RunRecord, chain: str, metric: str) -> SubjectSummary:
    results = run.summary.get(chain)
    found = results.subjects.get(metric) if results is not None else None
    return found or SubjectSummary()


def _per_subject(table: pd.DataFrame, chain: str, metric: str) -> dict[str, float]:
    name, _, point = metric.partition("@")
    if name not in table.columns:
        return {}
    lines = table[(table["chain"] == chain) & table[name].notna()]
    # figures without a threshold stand on every line of the subject
    lines = lines[lines["point"] == point] if point else lines.drop_duplicates("subject")
    return dict(zip(lines["subject"], lines[name].astype(float), strict=True))


def _interval(seeds: list[dict[str, float]]) -> tuple[float | None, float | None]:
    from benchmark.metrics.uncertainty import bootstrap_mean

    subjects = sorted(set.intersection(*(set(values) for values in seeds)))
    means = [statistics.fmean(values[subject] for values in seeds) for subject in subjects]
    interval = bootstrap_mean(means, np.random.default_rng(0), RESAMPLES)
    return (interval.low, interval.high) if interval is not None else (None, None)
