"""Tests of paired values by their signed ranks, the subjects being the blocks: Wilcoxon, Holm, effect size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 50
"""With no more differences than this, zeros apart, the null distribution is exact."""

_DIGITS = 12  # differences this close are ties, in whatever order the seeds were summed


@dataclass(frozen=True)
class Signed:
    """A paired Wilcoxon test.

    Parameters
    ----------
    p : float
        Two-sided; 1 where every difference is 0.
    effect : float
        Matched-pairs rank-biserial correlation in [-1, 1]; see :func:`rank_biserial`.
    zeros : int
        Differences of 0, left out.
    how : str
        ``exact``, or ``approximate`` (normal, with correction for ties and continuity).
    """

    p: float
    effect: float
    zeros: int
    how: str


def wilcoxon(differences: Sequence[float] | NDArray[np.float64]) -> Signed:
    """Test paired differences by Wilcoxon's signed ranks, two-sided.

    Differences of 0 are left out, as in Wilcoxon (1945) and R's ``wilcox.test``; equal absolute differences share
    their mean rank. The null distribution is exact for up to :data:`EXACT_UP_TO` differences, with ties that of all
    signs given the ranks; beyond, normal, corrected for ties and continuity. By scipy, but for exact tests with ties.
    """
    rounded = np.round(np.asarray(differences, dtype=np.float64), _DIGITS)
    kept = rounded[rounded != 0]
    zeros = len(rounded) - len(kept)
    if not len(kept):
        return Signed(1.0, 0.0, zeros, "exact")
    from scipy import stats

    ties = len(np.unique(np.abs(kept))) < len(kept)
    if len(kept) > EXACT_UP_TO:
        p, how = stats.wilcoxon(kept, method="asymptotic", correction=True).pvalue, "approximate"
    else:
        p, how = _tied(kept) if ties else stats.wilcoxon(kept, method="exact").pvalue, "exact"
    return Signed(min(float(p), 1.0), rank_biserial(kept), zeros, how)


def rank_biserial(differences: Sequence[float] | NDArray[np.float64]) -> float:
    """Return Kerby's matched-pairs rank-biserial correlation, (W+ - W-) / (W+ + W-), zeros left out.

    1: every subject favours the first; -1: the second; 0: neither, or no difference at all.
    """
    rounded = np.round(np.asarray(differences, dtype=np.float64), _DIGITS)
    kept = rounded[rounded != 0]
    if not len(kept):
        return 0.0
    ranks = mean_ranks(np.abs(kept))
    return float((np.sign(kept) * ranks).sum() / ranks.sum())


def _tied(differences: NDArray[np.float64]) -> float:
    """Two-sided p over all signs of the mean ranks (shift algorithm of Streitberg and Roehmel, 1986)."""
    doubled = np.round(2 * mean_ranks(np.abs(differences))).astype(np.int64)
    share = np.zeros(int(doubled.sum()) + 1)
    share[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(share)
        moved[rank:] = share[:-rank]
        share = (share + moved) / 2
    found = int(doubled[differences > 0].sum())
    return min(1.0, 2 * float(share[max(found, len(share) - 1 - found) :].sum()))


def mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank from 1, equal values sharing their mean rank, float64 (N,)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    result: NDArray[np.float64] = (last - (count - 1) / 2)[place]
    return result


def holm(p: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for their number by Holm's step-down method (Holm, 1979).

    Parameters
    ----------
    p : float (..., M)
        The last axis is the family.

    Returns
    -------
    float64 (..., M)
        At most 1; in the order given.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, axis=-1, kind="stable")
    factors = np.arange(values.shape[-1], 0, -1)
    stepped = np.maximum.accumulate(np.take_along_axis(values, order, -1) * factors, axis=-1)
    out = np.empty_like(values)
    np.put_along_axis(out, order, np.minimum(stepped, 1.0), -1)
    return out
