"""From an anomaly map to its score histogram: how wide each bin is made.

Bin widths follow the ranks, because the curves behind average precision, AUROC and Dice are functions of ranks. Within
each doubling of the rank, counted from the highest score of the brain, bins are so narrow that the rank changes by
about a share :data:`RESOLUTION` across one. Bins that hold more for their rank are split further, down to single
floats. The highest scores, the score 0, scores that repeat and have a bin to themselves, and lesion voxels where they are
few, get bins of width one, which are exact. Then the subject's own average precision and AUROC are bounded from the histogram; where they are
left open by more than :data:`OWN_ERROR`, the resolution is refined.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import WIDEST, ScoreHistogram
from andi_bench.metrics.histograms.pooled import pooled_auroc, pooled_average_precision
from andi_bench.metrics.histograms.scores import ZERO_KEY, as_scores, same_shape, score_keys

RESOLUTION = 2.0**-12
"""Share of the rank that one bin spans, where scores are spread smoothly."""

LARGEST_SHARE = 1.5e-4
"""Largest share of a subject's voxels in one bin of several scores; bounds what is open in AUROC."""

EXACT_TOP = 1024
"""So many of a subject's highest scores are kept exactly."""

EXACT_TOTAL = 8192
"""A subject with no more brain voxels than this is kept exactly; no more lesion voxels than this, they are."""

OWN_ERROR = 4e-5
"""Largest error that one subject's own histogram may leave in its average precision and AUROC."""


def score_histogram(
    scores: NDArray[Any],
    brain: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    exact: bool = False,
) -> ScoreHistogram:
    """Bin one subject's anomaly map.

    Parameters
    ----------
    scores : array (X, Y, Z)
        Anomaly map, higher = more anomalous; read as float32.
    brain, lesion : bool (X, Y, Z)
        Masks. Lesion voxels outside the brain mask are counted apart.
    exact : bool
        Give every distinct score a bin of its own: as large as the map, for small volumes or for checks.

    Raises
    ------
    NonFiniteScores
        For NaN or infinities, inside the brain or outside.
    ValueError
        For arrays of different shapes.
    """
    scores = as_scores(scores)
    brain, lesion = np.asarray(brain, dtype=bool), np.asarray(lesion, dtype=bool)
    same_shape(scores=scores, brain=brain, lesion=lesion)
    inside_scores, inside_lesion = scores[brain], lesion[brain]
    inside = _adaptive(*_sorted_keys(inside_scores, inside_lesion), exact=exact)
    if np.count_nonzero(scores) == np.count_nonzero(inside_scores):
        # Most methods leave 0 outside the brain: nothing to sort there.
        hidden = int(np.count_nonzero(lesion) - np.count_nonzero(inside_lesion))
        total = scores.size - inside_scores.size
        beyond = _single(ZERO_KEY, hidden, total - hidden)
    else:
        around = ~brain
        found = _sorted_keys(scores[around], lesion[around])
        beyond = _binned(*found, resolution=0.0 if exact else RESOLUTION)
    return inside + ScoreHistogram(beyond.start, beyond.shift, beyond.counts[:, [2, 3, 1, 0]])


def _single(key: int, lesion: int, healthy: int) -> ScoreHistogram:
    """Return the histogram of voxels that all have one score; without a voxel it is empty."""
    if not lesion + healthy:
        return ScoreHistogram.merge([])
    counts = np.array([[lesion, healthy, 0, 0]], dtype=np.int64)
    return ScoreHistogram(np.array([key], dtype=np.uint32), np.zeros(1, dtype=np.uint8), counts)


def _sorted_keys(
    scores: NDArray[np.float32], lesion: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the sorted keys of all voxels, and those of the lesion voxels."""
    keys = score_keys(scores)
    return np.sort(keys), np.sort(keys[lesion])


def _adaptive(
    keys: NDArray[np.uint32], lesion_keys: NDArray[np.uint32], exact: bool
) -> ScoreHistogram:
    """Bin a brain's scores, finer until the subject's own pooled metrics are within OWN_ERROR."""
    resolution = 0.0 if exact else RESOLUTION
    while True:
        histogram = _binned(keys, lesion_keys, resolution)
        if resolution == 0.0:
            return histogram
        found = pooled_average_precision(histogram), pooled_auroc(histogram)
        if all(metric is None or metric.error <= OWN_ERROR for metric in found):
            return histogram
        resolution = resolution / 4 if resolution > 2.0**-22 else 0.0


def _binned(
    keys: NDArray[np.uint32], lesion_keys: NDArray[np.uint32], resolution: float
) -> ScoreHistogram:
    """Bin sorted keys; columns 0 and 1 of the counts are lesion and lesion-free voxels."""
    if not len(keys):
        return ScoreHistogram.merge([])
    shift = _shifts(keys, resolution)
    first = np.flatnonzero(_begins(keys, shift))
    voxels = np.diff(first, append=len(keys))
    shift = shift[first]
    counts = np.zeros((len(first), 4), dtype=np.int64)
    bin_of = np.searchsorted(keys[first], lesion_keys, side="right") - 1
    counts[:, 0] = np.bincount(bin_of, minlength=len(first))
    counts[:, 1] = voxels - counts[:, 0]
    start = keys[first] >> shift << shift
    # where the width grows along the keys, a wide bin may begin before a narrow one to its left
    order = np.lexsort((shift, start))
    start, shift, counts = start[order], shift[order], counts[order]
    if len(lesion_keys) > EXACT_TOTAL or not resolution:
        return ScoreHistogram(start, shift, counts)
    # Few lesion voxels weigh much each: they leave the shared bins for bins of their own.
    counts[:, 0] = 0
    kept = counts[:, 1] > 0
    values, repeats = np.unique(lesion_keys, return_counts=True)
    own = np.zeros((len(values), 4), dtype=np.int64)
    own[:, 0] = repeats
    return ScoreHistogram(start[kept], shift[kept], counts[kept]) + ScoreHistogram(
        values, np.zeros(len(values), dtype=np.uint8), own
    )


def _begins(keys: NDArray[np.uint32], shift: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the first element of every bin among sorted keys."""
    prefix = keys >> shift
    begins = np.ones(len(keys), dtype=bool)
    begins[1:] = (prefix[1:] != prefix[:-1]) | (shift[1:] != shift[:-1])
    return begins


def _shifts(keys: NDArray[np.uint32], resolution: float) -> NDArray[np.uint8]:
    """Choose the width of every voxel's bin (the module's docstring has the rule), uint8 (M,).

    Equal keys get equal widths, so that a score never counts in two bins.
    """
    total = len(keys)
    shift = np.zeros(total, dtype=np.uint8)
    if resolution == 0.0 or total <= EXACT_TOTAL:
        return shift
    rank = EXACT_TOP
    end = int(np.searchsorted(keys, keys[total - rank]))
    while end > 0:
        # The last range may be shorter or longer than a doubling, but never so short that its slope is noise.
        next_rank = 2 * rank if 3 * rank < total else total
        spread = int(keys[total - rank]) - int(keys[total - next_rank])
        width = resolution * spread / math.log(next_rank / rank)
        begin = int(np.searchsorted(keys, keys[total - next_rank])) if next_rank < total else 0
        shift[begin:end] = min(WIDEST, int(math.log2(width))) if width >= 1 else 0
        end, rank = min(begin, end), next_rank
    _split_heavy(keys, shift, resolution)
    return shift


def _split_heavy(keys: NDArray[np.uint32], shift: NDArray[np.uint8], resolution: float) -> None:
    """Narrow, in place, the bins that hold many voxels for their rank, and those of one repeated score."""
    total = len(keys)
    place = np.arange(total)
    part, part_shift = keys, shift
    while len(place):
        first = np.flatnonzero(_begins(part, part_shift))
        voxels = np.diff(first, append=len(place))
        now = part_shift[first]
        alone = part[first] == part[first + voxels - 1]
        # A score of 0 is what maps hold where nothing was found: it must never share a bin.
        exact = alone & ((voxels > 1) | (part[first] == ZERO_KEY))
        rank = total - place[first]
        most = np.minimum(2 * resolution * rank, LARGEST_SHARE * total)
        heavy = ~alone & (voxels > most) & (now > 0)
        narrower = np.where(heavy, now - np.minimum(now, np.uint8(2)), now)
        narrower[exact] = 0
        shift[place] = np.repeat(narrower, voxels)
        place = place[np.repeat(heavy, voxels)]
        part, part_shift = keys[place], shift[place]
