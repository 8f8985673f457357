"""From subjects to figures of a chain: means with intervals, pooled figures with their proven errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.exact import Ranking
from andi_bench.metrics.histogram import ScoreHistogram
from andi_bench.metrics.pooled import (
    pooled_auroc,
    pooled_average_precision,
    precision_recall_curve,
)
from andi_bench.metrics.scores import score_keys
from andi_bench.metrics.thresholds import dice_curve
from andi_bench.metrics.uncertainty import bootstrap_mean, bootstrap_pooled
from andi_bench.records.schema import ChainSummary, Pooled, SubjectSummary
from benchmark.evaluation.measurement import PRIMARY

if TYPE_CHECKING:
    import pandas as pd

Curve = tuple[Sequence[float], Sequence[float], float | None]

Sweep = tuple[NDArray[np.float64], NDArray[np.float64]]

POINTS = ("val-dice", "val-fpr1", "val-fpr5", "yen", "oracle")
"""Operating points, in the order of the tables."""

DRAW_SEED = 20231204
"""Seed of all bootstraps: every method is judged on the same resamples of the subjects."""

LARGEST_ERROR = 1e-4
"""Beyond this proven error of a pooled figure, voxels are counted one by one."""

_DRAWN = 500  # points of a sweep that a figure can show

_EVERYWHERE = ("dice", "sensitivity", "precision")
_AT_PRIMARY = (
    "hd95", "assd", "lesion_sensitivity", "lesion_precision", "lesion_f1", "false_positive_lesions",
)  # fmt: skip


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
    intervals = bootstrap_pooled(histograms, np.random.default_rng(DRAW_SEED), bootstraps)
    limits: dict[str, float] = {}
    for name, interval in intervals.items():
        limits |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found.model_copy(update=limits)


def subject_figures(
    table: pd.DataFrame, bootstraps: int, points: Sequence[str] = POINTS
) -> dict[str, SubjectSummary]:
    """Summarise every per-subject figure of one chain.

    Parameters
    ----------
    table : DataFrame
        Lines of one chain, as in ``subjects.csv``.
    bootstraps : int
        Resamples of the subjects; 0: no limits.
    points : sequence of str
        Operating points to tell of.
    """
    out = {}
    once = table.drop_duplicates("subject")
    for metric in ("ap", "auroc"):
        out[metric] = summary(once[metric].tolist(), bootstraps)
    strata = [name for name in table.columns if name.startswith("lesion_sensitivity ")]
    for point in [name for name in points if (table["point"] == name).any()]:
        lines = table[table["point"] == point]
        for metric in (*_EVERYWHERE, *((*_AT_PRIMARY, *strata) if point == PRIMARY else ())):
            out[f"{metric}@{point}"] = summary(lines[metric].tolist(), bootstraps)
        if point != "oracle":
            healthy = lines[lines["lesion_ml"] == 0]["false_positive_ml"].tolist()
            out[f"false_positive_ml_lesion_free@{point}"] = summary(healthy, bootstraps)
    return out


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


def recall_curves(
    tested: Mapping[str, Sequence[ScoreHistogram]], found: Mapping[str, ChainSummary]
) -> dict[str, Curve]:
    """Return the precision-recall curve of each chain: recall, precision, pooled average precision."""
    out: dict[str, Curve] = {}
    for name, histograms in tested.items():
        curve = precision_recall_curve(ScoreHistogram.merge(histograms))
        precision = found[name].pooled.ap
        if curve is not None and precision is not None:
            out[name] = (curve.recall.tolist(), curve.precision.tolist(), precision)
    return out


def dice_sweep(histograms: Sequence[ScoreHistogram], tested: ScoreHistogram) -> Sweep:
    """Return mean per-subject Dice at thresholds from end to end, for a figure.

    Parameters
    ----------
    histograms : sequence of ScoreHistogram
        One a subject of a split.
    tested : ScoreHistogram
        All test subjects together: a threshold stands where it stands for them.

    Returns
    -------
    share, dice : float64 (N,)
        Share of the test subjects' brain voxels above the threshold, falling; mean Dice there.
    """
    curve = dice_curve(histograms)
    share = shares_above(tested, curve.threshold)
    # as many points as a figure can show, evenly along the logarithm of the share
    place = np.log10(np.maximum(share, share[share > 0].min(initial=1) / 2))
    cells = np.floor((place - place.min()) / max(float(np.ptp(place)), 1e-9) * _DRAWN)
    kept = np.append(np.flatnonzero(np.diff(cells)), len(cells) - 1)
    return share[kept], curve.dice[kept]


def shares_above(tested: ScoreHistogram, thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of brain voxels above each threshold, float64; within a bin's width."""
    keys = score_keys(np.asarray(thresholds, dtype=np.float32)) + np.uint32(1)
    positives, negatives = tested.counts_from(keys)
    return (positives + negatives) / max(sum(tested.totals()), 1)
