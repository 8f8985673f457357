"""From subjects to figures of a chain: means with intervals, pooled figures with their proven errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from andi_bench.metrics.catalogue import CATALOGUE, over_all_lesions, summarised
from andi_bench.metrics.exact import Ranking
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import pooled_auroc, pooled_average_precision
from andi_bench.metrics.metric import Metric
from andi_bench.metrics.points import POINTS
from andi_bench.metrics.resampling import DRAW_SEED, resample_counts
from andi_bench.metrics.scan_level import scan_auroc
from andi_bench.metrics.uncertainty import bootstrap_mean, bootstrap_pooled
from andi_bench.records.schema import LESION_ML, Pooled, ScanLevel, SubjectSummary

if TYPE_CHECKING:
    import pandas as pd

_SCAN_SCORE = CATALOGUE["scan_score"].field

LARGEST_ERROR = 1e-4
"""Beyond this proven error of a pooled figure, voxels are counted one by one."""


def pooled_figures(
    histograms: Sequence[ScoreHistogram],
    bootstraps: int,
    recount: Callable[[], Ranking] | None = None,
    *,
    exact: bool = False,
) -> Pooled:
    """Return figures over all brain voxels of some subjects.

    Parameters
    ----------
    histograms : sequence of ScoreHistogram
        One a subject.
    bootstraps : int
        Resamples of the subjects; 0: no limits.
    recount : callable, optional
        Counts the same voxels one by one; called where ``exact``, or where a proven error exceeds
        :data:`LARGEST_ERROR`.
    exact : bool
        Whether to count in any case.
    """
    merged = ScoreHistogram.merge(histograms)
    precision, area = pooled_average_precision(merged), pooled_auroc(merged)
    if precision is None:
        return Pooled(prevalence=merged.prevalence())
    found = Pooled(
        ap=precision.value,
        ap_error=precision.error,
        auroc=area.value if area else None,
        auroc_error=area.error if area else None,
        prevalence=merged.prevalence(),
    )
    errors = (found.ap_error or 0.0, found.auroc_error or 0.0)
    if recount is not None and (exact or max(errors) > LARGEST_ERROR):
        ranking = recount()
        found = found.model_copy(
            update={
                "ap": ranking.average_precision,
                "ap_error": 0.0,
                "auroc": ranking.auroc,
                "auroc_error": None if ranking.auroc is None else 0.0,
                "exact": True,
            }
        )
    intervals = bootstrap_pooled(histograms, bootstraps)
    limits: dict[str, float] = {}
    for name, interval in intervals.items():
        limits |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found.model_copy(update=limits)


def subject_figures(
    table: pd.DataFrame, bootstraps: int, points: Sequence[str] | None = None
) -> dict[str, SubjectSummary]:
    """Summarise every per-subject metric of one chain that the table has.

    Parameters
    ----------
    table : DataFrame
        Lines of one chain, as in ``subjects.csv``.
    bootstraps : int
        Resamples of the subjects; 0: no limits.
    points : sequence of str, optional
        Operating points to summarise at; all, if not given.
    """
    once = table.drop_duplicates("subject")
    out = {
        metric.key: summary(_values(once, metric), bootstraps)
        for metric in summarised(None)
        if metric.field in table.columns
    }
    for name in POINTS if points is None else points:
        lines = table[table["point"] == name]
        if not len(lines):
            continue
        for metric in summarised(POINTS[name]):
            if metric.field in table.columns:
                out[f"{metric.key}@{name}"] = summary(_values(lines, metric), bootstraps)
        for metric in over_all_lesions():
            if metric.is_at(POINTS[name]):
                out[f"{metric.key}@{name}"] = _counted(lines, metric, bootstraps)
    return out


def scan_figures(table: pd.DataFrame) -> ScanLevel | None:
    """Tell the scans with a lesion from those without; None without either kind.

    Parameters
    ----------
    table : DataFrame
        Lines of one chain, as in ``subjects.csv``.
    """
    once = table.drop_duplicates("subject").dropna(subset=[_SCAN_SCORE])
    scores = once[_SCAN_SCORE].to_numpy(dtype=np.float64)[:, None]
    ill = once[LESION_ML].to_numpy() > 0
    found = scan_auroc(scores[ill], scores[~ill])
    if found is None:
        return None
    return ScanLevel(
        auroc=found.value,
        low=found.low,
        high=found.high,
        lesion=found.lesion,
        lesion_free=found.lesion_free,
    )


def _counted(lines: pd.DataFrame, metric: Metric, bootstraps: int) -> SubjectSummary:
    """Divide sums over the subjects with a lesion; the limits are a bootstrap of subjects, with all their lesions."""
    assert metric.ratio is not None
    lines = lines[lines[LESION_ML] > 0]
    if not {*metric.ratio[0], *metric.ratio[1]} <= set(lines.columns):
        return SubjectSummary()
    part, whole = (
        np.sum([lines[name].to_numpy(dtype=np.float64) for name in names], axis=0)
        for names in metric.ratio
    )
    part, whole = part[whole > 0], whole[whole > 0]
    if not len(whole):
        return SubjectSummary(undefined=len(lines))
    limits: dict[str, float] = {}
    if bootstraps:
        draws = resample_counts(len(whole), bootstraps, np.random.default_rng(DRAW_SEED))
        low, high = np.percentile((draws @ part) / (draws @ whole), [2.5, 97.5]).tolist()
        limits = {"low": low, "high": high}
    return SubjectSummary(
        mean=float(part.sum() / whole.sum()),
        n=len(whole),
        undefined=len(lines) - len(whole),
        **limits,
    )


def _values(lines: pd.DataFrame, metric: Metric) -> list[float | None]:
    """Return a metric's values of the subjects that it is a mean over, where it is defined."""
    if metric.over == "lesion":
        lines = lines[lines[LESION_ML] > 0]
    elif metric.over == "lesion-free":
        lines = lines[lines[LESION_ML] == 0]
    values: list[float | None] = lines[metric.field].tolist()
    return values


def summary(values: Sequence[float | None], bootstraps: int) -> SubjectSummary:
    """Summarise one figure over the subjects for which it is defined."""
    known = [float(v) for v in values if v is not None and not np.isnan(v)]
    if not known:
        return SubjectSummary(undefined=len(values))
    interval = bootstrap_mean(known, np.random.default_rng(DRAW_SEED), bootstraps)
    assert interval is not None
    return SubjectSummary(
        mean=interval.value,
        median=float(np.median(known)),
        low=interval.low if bootstraps else None,
        high=interval.high if bootstraps else None,
        n=len(known),
        undefined=len(values) - len(known),
    )
