"""Curves of a chain for a run's figures: precision against recall, and mean Dice against the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import precision_recall_curve
from andi_bench.metrics.histograms.scores import score_keys
from andi_bench.metrics.thresholds import dice_curve
from andi_bench.records.schema import ChainSummary, RecordedThreshold

Curve = tuple[Sequence[float], Sequence[float], float | None]

Sweep = tuple[NDArray[np.float64], NDArray[np.float64]]

_DRAWN = 500  # points of a sweep that a figure can show


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


def dice_sweeps(
    calibration: Sequence[ScoreHistogram],
    tested: Sequence[ScoreHistogram],
    points: Mapping[str, RecordedThreshold],
) -> Sweeps:
    """Sweep the thresholds of one chain on both splits.

    Parameters
    ----------
    calibration, tested : sequence of ScoreHistogram
        Of the validation and of the test subjects.
    points : mapping of str to RecordedThreshold
        The chain's operating points.
    """
    merged = ScoreHistogram.merge(tested)
    splits = {"val": calibration, "test": tested}
    named = {name: point.threshold for name, point in points.items() if point.threshold is not None}
    shares = shares_above(merged, np.array(list(named.values()), dtype=np.float32))
    return Sweeps(
        {name: dice_sweep(part, merged) for name, part in splits.items() if len(part)},
        dict(zip(named, shares.tolist(), strict=True)),
    )


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
