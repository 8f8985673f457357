"""How often and from which seed subjects are resampled: every number of draws of the protocol, with its reason."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DRAW_SEED = 20231204
"""Of all draws: every method and every pair is judged on the same resamples of the subjects. Any number would do, so
long as it stays."""

RESAMPLES = 1000
"""For the interval of one figure of one record: from one set of draws to another its ends then move by about a
fiftieth of its length, which the two digits shown mostly hide. ``evaluation.bootstraps`` overrules it for a run."""

MEAN_RESAMPLES = 2000
"""For the bootstrap-t intervals of means that are no shares, and of differences: made when tables are, all in one product."""

RANK_RESAMPLES = 1000
"""For rankings: the share of a rank is shown to a hundredth at most."""

CURVE_RESAMPLES = 500
"""For the bands of precision-recall curves: a band's edge is drawn, not read."""


def resample_counts(subjects: int, resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw subjects with replacement; return how often each was drawn, int64 (resamples, subjects).

    The same draws given to two methods make a paired bootstrap.
    """
    return rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)


@lru_cache(maxsize=8)
def draws_of(subjects: int, resamples: int, seed: int = DRAW_SEED) -> NDArray[np.int64]:
    """Return the resamples of so many subjects that everything is judged on, int64 (R, S); not to be changed."""
    draws = resample_counts(subjects, resamples, np.random.default_rng(seed))
    draws.flags.writeable = False
    return draws


def stratified_draws(
    strata: NDArray[np.bool_], resamples: int, seed: int = DRAW_SEED
) -> NDArray[np.int64]:
    """Return resamples of subjects of two kinds, each kind drawn from its own, int64 (R, S).

    How many have a lesion is a choice of who made the data set, not of chance: a resample without any, or with nothing
    else, tells nothing. Those of the first kind are the resamples of :func:`draws_of`, whoever else is there.

    Parameters
    ----------
    strata : bool (S,)
        The kind of each subject, such as whether it has a lesion.
    resamples, seed : int
        As for :func:`draws_of`.
    """
    out = np.empty((resamples, len(strata)), dtype=np.int64)
    for own, kind in ((seed, strata), (seed + 1, ~strata)):
        if kind.any():
            out[:, kind] = draws_of(int(np.count_nonzero(kind)), resamples, own)
    return out
