"""One row from the runs of one method with several seeds: mean, spread over seeds, interval over subjects."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.records import RunRecord, SubjectSummary, read_subjects

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2000

Lines = dict[tuple[str, str], "pd.DataFrame"]
"""A record's table of subjects, by chain and operating point."""


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


def subject_tables(runs: Sequence[RunRecord]) -> list[Lines]:
    """Read the tables of subjects that :func:`subject_estimate` needs: none for one seed.

    Raises
    ------
    UserError
        When a table cannot be read.
    """
    if len(runs) < 2:
        return []
    tables = [
        read_subjects(run.folder, run.protocol.grid) for run in runs if run.folder is not None
    ]
    return [
        {
            (str(chain), str(point)): lines
            for (chain, point), lines in table.groupby(["chain", "point"])
        }
        for table in tables
    ]


def subject_estimate(
    runs: Sequence[RunRecord], tables: Sequence[Lines], chain: str, metric: str
) -> Estimate:
    """Return a per-subject metric's mean over subjects and seeds.

    With one seed the interval is the record's own. With several, every subject's values are first averaged over
    the seeds, and the subjects are resampled (percentile bootstrap, :data:`RESAMPLES` resamples): the interval says
    how much the choice of subjects matters, the spread over seeds stands apart.

    Parameters
    ----------
    runs : sequence of RunRecord
        The seeds.
    tables : sequence of Lines
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


def _per_subject(table: Lines, chain: str, metric: str) -> dict[str, float]:
    name, _, point = metric.partition("@")
    # figures without a threshold stand on every line of the subject: any point will do
    keys = [key for key in table if key[0] == chain and key[1] == (point or key[1])]
    if not keys or name not in table[keys[0]].columns:
        return {}
    subjects, values = table[keys[0]]["subject"].tolist(), table[keys[0]][name].tolist()
    pairs = zip(subjects, values, strict=True)
    return {subject: value for subject, value in pairs if not math.isnan(value)}


@lru_cache(maxsize=8)
def _draws(subjects: int) -> NDArray[np.int64]:
    """All rows are judged on the same resamples of the subjects."""
    from benchmark.metrics.uncertainty import resample_counts

    return resample_counts(subjects, RESAMPLES, np.random.default_rng(0))


def _interval(seeds: list[dict[str, float]]) -> tuple[float | None, float | None]:
    """Return the interval over the subjects for which every seed has a value."""
    subjects = sorted(set.intersection(*(set(values) for values in seeds)))
    if not subjects:
        return None, None
    means = np.array([[values[subject] for values in seeds] for subject in subjects]).mean(axis=1)
    low, high = np.percentile(_draws(len(subjects)) @ means / len(subjects), [2.5, 97.5])
    return float(low), float(high)
