"""How far a frozen threshold hangs on who was in the validation split: a bootstrap of the validation subjects.

In each resample the threshold of the highest mean Dice is found again, and the mean Dice that it gives on the same test
subjects is read off their histograms. All resamples are one product of weights and the subjects' Dice at some thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import along_ranking
from andi_bench.metrics.histograms.scores import Region, score_keys
from andi_bench.metrics.resampling import DRAW_SEED, resample_counts
from andi_bench.metrics.thresholds import dice_of, edge_keys

MOST_THRESHOLDS = 2048
"""Thresholds that are tried: all where the scores have no more, else so many at equal steps of recall and of log rank."""

_CHUNK = 256
_TIE = 1e-12


@dataclass(frozen=True)
class ResampledThresholds:
    """Thresholds that resamples of the validation subjects would have chosen.

    Parameters
    ----------
    subjects : int
        Validation subjects with a lesion, V.
    thresholds : float32 (R,)
        Of each resample; detected is score > threshold.
    dice : float64 (R,)
        Mean Dice of the test subjects with a lesion there, in [0, 1]; NaN where none has one. Exact but for the scores
        of a test subject's bin that the threshold cuts, which count as below it.
    """

    subjects: int
    thresholds: NDArray[np.float32]
    dice: NDArray[np.float64]


def resampled_thresholds(
    validation: Sequence[ScoreHistogram],
    tested: Sequence[ScoreHistogram],
    resamples: int,
    region: Region = "brain",
) -> ResampledThresholds | None:
    """Find the threshold of the highest mean Dice on resamples of the validation subjects that have a lesion.

    Of several the highest one, as in :func:`andi_bench.metrics.thresholds.best_dice`. Histograms are read one by one;
    memory holds their sum and one number a validation subject and threshold.

    Parameters
    ----------
    validation, tested : sequence of ScoreHistogram
        One a subject.
    resamples : int
        R, >= 1.
    region : {"brain", "all"}
        Where voxels count.

    Returns
    -------
    ResampledThresholds or None
        None where no validation subject has a lesion.
    """
    marked = np.array([histogram.totals(region)[0] > 0 for histogram in validation])
    if not marked.any():
        return None
    merged = ScoreHistogram.merge(
        histogram.in_region(region)
        for histogram, one in zip(validation, marked, strict=True)
        if one
    )
    keys = _thinned(merged, region)
    limits = merged.thresholds(keys)
    dice = np.empty((int(marked.sum()), len(keys)))
    rows = iter(dice)
    for histogram, one in zip(validation, marked, strict=True):
        if one:
            next(rows)[:] = _dice_at(histogram, keys, region)
    best = _best(dice, resamples)
    # scores of test subjects may lie between a threshold and the edge above it
    after = score_keys(limits) + np.uint32(1)
    reached, number = np.zeros(len(keys)), 0
    for histogram in tested:
        if histogram.totals(region)[0]:
            reached += _dice_at(histogram, after, region)
            number += 1
    mean = reached / number if number else np.full(len(keys), np.nan)
    return ResampledThresholds(len(dice), limits[best], mean[best])


def dice_above(
    histogram: ScoreHistogram, threshold: float, region: Region = "brain"
) -> float | None:
    """Return a subject's Dice at a threshold; None without a lesion.

    Exact but for scores of a bin that the threshold cuts, which count as below it.
    """
    if not histogram.totals(region)[0]:
        return None
    key = score_keys(np.asarray([threshold], dtype=np.float32)) + np.uint32(1)
    return float(_dice_at(histogram, key, region)[0])


def _dice_at(
    histogram: ScoreHistogram, keys: NDArray[np.uint32], region: Region
) -> NDArray[np.float64]:
    hits, misses = histogram.counts_from(keys, region)
    return dice_of(hits, hits + misses, histogram.totals(region)[0])


def _thinned(merged: ScoreHistogram, region: Region) -> NDArray[np.uint32]:
    """Return edges of the scores, ascending: all, or about :data:`MOST_THRESHOLDS`."""
    keys = edge_keys(merged)
    if len(keys) <= MOST_THRESHOLDS:
        return keys
    hits, misses = merged.counts_from(keys, region)
    step = np.floor(along_ranking(hits, hits + misses) * (MOST_THRESHOLDS / 2))
    return keys[np.append(step[1:] != step[:-1], True)]


def _best(dice: NDArray[np.float64], resamples: int) -> NDArray[np.intp]:
    """Return for each resample the last place of its highest mean, from the subjects' Dice (V, E)."""
    draws = resample_counts(len(dice), resamples, np.random.default_rng(DRAW_SEED))
    out = np.empty(resamples, dtype=np.intp)
    for begin in range(0, resamples, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        means = draws[part].astype(np.float64) @ dice / len(dice)
        highest = means >= means.max(axis=1, keepdims=True) - _TIE
        out[part] = dice.shape[1] - 1 - np.argmax(highest[:, ::-1], axis=1)
    return out
