"""Subject-level bootstrap: how much a number would change with other subjects.

Subjects, not voxels, are drawn with replacement; intervals are percentile intervals (Efron and Tibshirani, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import (
    pooled_auroc,
    pooled_average_precision,
    ranked_precision,
)
from andi_bench.metrics.histograms.scores import Region
from andi_bench.metrics.resampling import (
    DRAW_SEED,
    RESAMPLES,
    resample_counts,
    stratified_draws,
)

_GROUPS = 4096
_CHUNK = 64


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval.

    Parameters
    ----------
    value : float
        The statistic on the subjects themselves.
    low, high : float
        Ends of the percentile interval.
    subjects : int
        Subjects for which the statistic is defined.
    """

    value: float
    low: float
    high: float
    subjects: int


def bootstrap_mean(
    values: Sequence[float | None],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval | None:
    """Mean over the subjects for which a metric is defined, with its interval.

    Parameters
    ----------
    values : sequence of float or None
        One a subject; None where undefined, left out.
    rng : numpy.random.Generator
        Source of the draws.
    resamples : int
        Number of draws, >= 1; with 0 the interval is the mean alone.
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    Interval or None
        None where the metric is defined for no subject.
    """
    defined = np.asarray([value for value in values if value is not None], dtype=np.float64)
    if not len(defined):
        return None
    mean = float(defined.mean())
    if not resamples:
        return Interval(mean, mean, mean, len(defined))
    means = resample_counts(len(defined), resamples, rng) @ defined / len(defined)
    low, high = np.percentile(means, _tails(level))
    return Interval(mean, float(low), float(high), len(defined))


def pooled_resamples(
    histograms: Sequence[ScoreHistogram],
    draws: NDArray[np.int64],
    region: Region = "brain",
    merged: ScoreHistogram | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Pooled average precision and AUROC of many resamples of the subjects, without their volumes.

    Bins of all subjects are joined to about 4,096 groups along the ranking, repeated scores kept apart as ties; within
    a group lesion and lesion-free voxels are taken to be mixed evenly. Against the full histograms this changes a
    value by some 1e-5.

    Parameters
    ----------
    histograms : sequence of ScoreHistogram
        One a subject, S of them.
    draws : int (R, S)
        How often each subject occurs in each resample; see
        :func:`andi_bench.metrics.resampling.resample_counts`.
    region : {"brain", "all"}
        Where voxels count.
    merged : ScoreHistogram, optional
        The subjects' histograms in one, where that is known already.

    Returns
    -------
    dict of float64 (R,)
        ``ap`` and ``auroc``; NaN for a resample for which it is undefined.

    Raises
    ------
    ValueError
        When ``draws`` has not one column a subject.
    """
    draws = np.asarray(draws)
    if draws.ndim != 2 or draws.shape[1] != len(histograms):
        raise ValueError(f"draws of shape {draws.shape}: (resamples, {len(histograms)}) wanted")
    whole = ScoreHistogram.merge(histograms) if merged is None else merged
    tables, tied = _grouped(histograms, whole, region)
    out = {"ap": np.empty(len(draws)), "auroc": np.empty(len(draws))}
    for begin in range(0, len(draws), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        weights = draws[part].astype(np.float64)
        positives, negatives = weights @ tables[0], weights @ tables[1]
        hits, misses = np.cumsum(positives, axis=1), np.cumsum(negatives, axis=1)
        before = misses - negatives
        with np.errstate(divide="ignore", invalid="ignore"):
            low = ranked_precision(positives, hits - positives, np.where(tied, before, misses))
            high = positives * hits / (hits + np.where(tied, misses, before))
            precision = np.where(tied, high, (low + high) / 2)
            precision[positives == 0] = 0.0
            out["ap"][part] = precision.sum(axis=1) / hits[:, -1]
            # a lesion voxel outranks what lies in the groups below, and half of its own
            outranked = positives * (misses[:, -1:] - misses + negatives / 2)
            out["auroc"][part] = outranked.sum(axis=1) / (hits[:, -1] * misses[:, -1])
    return out


def bootstrap_pooled(
    histograms: Sequence[ScoreHistogram],
    resamples: int = RESAMPLES,
    region: Region = "brain",
    level: float = 0.95,
    seed: int = DRAW_SEED,
) -> dict[str, Interval]:
    """Pooled average precision and AUROC with their intervals; resamples that leave one undefined are left out.

    Subjects with a lesion and those without are drawn apart (:func:`andi_bench.metrics.resampling.stratified_draws`).
    Parameters as for :func:`bootstrap_mean` and :func:`pooled_resamples`; ``seed`` of the draws.

    Returns
    -------
    dict of Interval
        ``ap`` and ``auroc``, without what is undefined, and empty with 0 resamples. ``value`` is the centre that
        :mod:`andi_bench.metrics.histograms.pooled` gives.
    """
    merged = ScoreHistogram.merge(histograms)
    centres = {
        "ap": pooled_average_precision(merged, region),
        "auroc": pooled_auroc(merged, region),
    }
    if not resamples or centres["ap"] is None:
        return {}
    ill = np.array([histogram.totals(region)[0] > 0 for histogram in histograms])
    draws = stratified_draws(ill, resamples, seed)
    values = pooled_resamples(histograms, draws, region, merged)
    out = {}
    for name, centre in centres.items():
        if centre is None:
            continue
        known = values[name][np.isfinite(values[name])]
        low, high = np.percentile(known, _tails(level)).tolist()
        out[name] = Interval(centre.value, low, high, len(histograms))
    return out


def _tails(level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level {level}: a coverage in (0, 1) wanted")
    return 50 * (1 - level), 50 * (1 + level)


def _grouped(
    histograms: Sequence[ScoreHistogram], merged: ScoreHistogram, region: Region
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]:
    """Return lesion and lesion-free voxels (S, G) in groups from the highest scores down, and which are ties (G,)."""
    positives, negatives = merged.labels(region)
    # Nested bins are ordered by their middles, which differ from each other.
    middle = merged.start.astype(np.float64) + merged.last
    order = np.argsort(-middle, kind="stable")
    positives, negatives = positives[order], negatives[order]
    # Along the ranking, equal steps of recall and of log rank together.
    rank = np.cumsum(positives + negatives)
    travelled = np.cumsum(positives) / max(int(positives.sum()), 1)
    travelled = travelled + np.log1p(rank) / np.log1p(rank[-1] if len(rank) else 1)
    step = np.floor(travelled * (_GROUPS / 2)).astype(np.int64)
    jump = np.diff(travelled, prepend=0.0) > 2 / _GROUPS
    alone = jump & (merged.shift[order] == 0)
    new = np.ones(len(step), dtype=bool)
    new[1:] = (step[1:] != step[:-1]) | alone[1:] | alone[:-1]
    group_of = np.empty(len(step), dtype=np.int64)
    group_of[order] = np.cumsum(new) - 1
    groups, code = int(new.sum()), merged.code
    tables = np.zeros((2, len(histograms), groups))
    for row, histogram in enumerate(histograms):
        group = group_of[np.searchsorted(code, histogram.code)]
        for table, label in zip(tables, histogram.labels(region), strict=True):
            table[row] = np.bincount(group, weights=label, minlength=groups)
    return (tables[0], tables[1]), alone[new]
