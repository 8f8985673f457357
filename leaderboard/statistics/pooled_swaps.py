"""Pooled average precision compared by swapping two methods' histograms within subjects.

If two methods are equal, the histogram of a subject could as well have come from the other one. Scores of two methods have
no common scale, so each method's are first replaced by their place in its own pooled ranking: the share of all voxels that
lie higher. Histograms are then counts on a common grid of such shares, equal steps of their logarithm, and swapping them
within some of the subjects gives two new pooled curves. The largest difference of the family, each divided by its own
standard deviation over the swaps, is compared as in :mod:`leaderboard.statistics.sign_flips`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.grouped import GroupedCounts
from leaderboard.statistics.sign_flips import Tested, Trainings, signs_of, step_down

SWAPS = 1_999
"""Random swaps where there are too many to list: each one makes a curve of every pair."""

STEPS = 160
"""Of the common grid, from one voxel in a million to all of them."""

_FINEST = 1e-6
_DIGITS = 6  # of single precision: swaps that change nothing are ties, and count as such
_CHUNK = 250


def on_common_grid(
    counts: Sequence[GroupedCounts], subjects: Sequence[str]
) -> NDArray[np.float32] | None:
    """Return lesion voxels and all voxels of each subject that lie above each step of the grid, mean over the seeds.

    Parameters
    ----------
    counts : sequence of GroupedCounts
        Seeds of one method.
    subjects : sequence of str
        S names.

    Returns
    -------
    float32 (S, 2, STEPS) or None
        None where a seed was not measured on these subjects, or there is no voxel.
    """
    total = np.zeros((len(subjects), 2, STEPS))
    for seed in counts:
        if set(seed.subjects) != set(subjects) or not len(seed.tied):
            return None
        ordered = seed.only(subjects)
        lesion = np.cumsum(ordered.lesion, axis=1, dtype=np.float64)
        marked = lesion + np.cumsum(ordered.healthy, axis=1, dtype=np.float64)
        depth = np.concatenate([[0.0], marked.sum(axis=0)])
        place, share = _places(depth / depth[-1], ordered.tied)
        for side, table in enumerate((lesion, marked)):
            padded = np.hstack([np.zeros((len(subjects), 1)), table])
            below, above = padded[:, place], padded[:, place + 1]
            total[:, side] += below + share * (above - below)
    return (total / len(counts)).astype(np.float32)


def swap_tests(
    tables: Sequence[NDArray[np.float32]],
    pairs: Sequence[tuple[int, int]],
    trainings: Trainings,
    swaps: int = SWAPS,
) -> Tested:
    """Test the differences of pooled average precision of pairs of methods.

    Parameters
    ----------
    tables : sequence of float32 (S, 2, G)
        Of every method; see :func:`on_common_grid`.
    pairs : sequence of (int, int)
        The family.
    trainings : Trainings
        The trainings' variance of each method's figure.
    swaps : int
        Random swaps where there are too many to list.
    """
    subjects = len(tables[0])
    signs, listed = signs_of(subjects, swaps)
    own = (signs > 0).astype(np.float32)
    flat = [table.reshape(subjects, -1) for table in tables]
    wholes = [table.sum(axis=0, dtype=np.float64).astype(np.float32) for table in flat]
    differences = np.empty((len(own), len(pairs)))
    for begin in range(0, len(own), _CHUNK):
        part = own[begin : begin + _CHUNK]
        kept = [part @ table for table in flat]
        for place, (i, j) in enumerate(pairs):
            one = kept[i] + (wholes[j] - kept[j])
            other = kept[j] + (wholes[i] - kept[i])
            differences[begin : begin + len(part), place] = _precision(one) - _precision(other)
    differences = np.round(differences, _DIGITS)
    # the swaps of a pair are one set whichever of them is taken for the truth: so is their spread
    variance = np.square(differences).mean(axis=0)
    return step_down(
        differences,
        lambda flipped: np.broadcast_to(variance, flipped.shape),
        trainings,
        subjects - 1,
        listed,
        swaps,
    )


def _places(
    depth: NDArray[np.float64], tied: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each step of the grid the group it lies in, and how much of it lies above: nothing of a tie."""
    steps = np.geomspace(_FINEST, 1.0, STEPS)
    place = np.clip(np.searchsorted(depth, steps, side="right") - 1, 0, len(tied) - 1)
    width = depth[place + 1] - depth[place]
    share = np.divide(steps - depth[place], width, out=np.ones(STEPS), where=width > 0)
    share = np.clip(share, 0.0, 1.0)
    return place, np.where(tied[place] & (share < 1), 0.0, share)


def _precision(curves: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the step-wise average precision of curves (B, 2 G): lesion voxels, then all, above each step."""
    hits, marked = curves[:, :STEPS], curves[:, STEPS:]
    gain = np.diff(hits, axis=1, prepend=np.float32(0))
    gain *= np.divide(hits, marked, out=np.zeros_like(hits), where=marked > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = gain.sum(axis=1, dtype=np.float64) / hits[:, -1]
    return np.where(np.isfinite(found), found, 0.0)
