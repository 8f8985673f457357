"""Pairs of rows compared on the same subjects: by their means, by signed ranks, by pooled average precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.mean_intervals import studentised_quantiles, t_quantile
from leaderboard.statistics.pooled_swaps import swap_tests
from leaderboard.statistics.rankings import ALPHA
from leaderboard.statistics.sign_flips import Tested, Trainings, mean_tests, training_variance
from leaderboard.statistics.signed_ranks import holm, wilcoxon

Key = tuple[str, str]
"""A row of a table: label and chain."""

BY_MEAN, BY_SWAPS = "sign flips", "swaps"


@dataclass(frozen=True)
class SignedRanks:
    """The second opinion on a pair: paired Wilcoxon.

    Parameters
    ----------
    p, adjusted : float
        Two-sided, and corrected by Holm's method within the family.
    effect : float
        Matched-pairs rank-biserial correlation, positive where the first is better.
    zeros : int
        Subjects without a difference, left out.
    better : (str, str) or None
        The row that it favours, where it is significant at 5 % within the family.
    """

    p: float
    adjusted: float
    effect: float
    zeros: int
    better: Key | None


@dataclass(frozen=True)
class PairTest:
    """Two rows compared.

    Parameters
    ----------
    first, second : (str, str)
        Labels and chains.
    difference : float
        First less second: of the means over subjects and seeds, or of pooled average precision.
    low, high : float or None
        95 % interval of this one difference, over subjects and seeds; None where nothing tells.
    error, degrees : float
        Standard error of the difference, and its degrees of freedom.
    p, adjusted : float
        Two-sided, and corrected step-down within the family.
    floor : float
        The smallest p that there can be: one that equals it is "at most".
    how : str
        ``sign flips`` or ``swaps``; with ``, all`` where all were listed.
    subjects : int
        How many were compared.
    favoured : (str, str) or None
        The row with the better figure, significant or not; None where both have the same.
    better : (str, str) or None
        It, where the difference is significant at 5 % within the family.
    ranks : SignedRanks or None
        None for pooled figures.
    equivalent : float or None
        Where a margin was given: Holm's p of the two one-sided tests that the difference is within it.
    """

    first: Key
    second: Key
    difference: float
    low: float | None
    high: float | None
    error: float
    degrees: float
    p: float
    adjusted: float
    floor: float
    how: str
    subjects: int
    favoured: Key | None
    better: Key | None
    ranks: SignedRanks | None = None
    equivalent: float | None = None

    @property
    def discordant(self) -> Key | None:
        """The row that the signed ranks call significantly better though its mean is not the better one."""
        if self.ranks is None or self.ranks.better is None:
            return None
        return None if self.ranks.better == self.favoured else self.ranks.better


def mean_pair_tests(
    keys: Sequence[Key],
    values: Sequence[NDArray[np.float64]],
    sign: int,
    pairs: Sequence[tuple[int, int]],
    draws: NDArray[np.int64],
    margin: float | None = None,
    bound: float = math.inf,
) -> tuple[tuple[PairTest, ...], Tested]:
    """Test pairs of rows by the means of their subjects' values.

    Parameters
    ----------
    keys : sequence of (str, str)
        K rows.
    values : sequence of float64 (S, T)
        Of every row by subject and seed.
    sign : int
        1 where more is better, -1 where less is.
    pairs : sequence of (int, int)
        Which rows to compare; one family.
    draws : int (R, S)
        Resamples of the subjects, for the intervals.
    margin : float, optional
        Differences up to this count as none: equivalence is tested too.
    bound : float
        The largest difference that there can be: 1 of shares. Intervals end there.
    """
    tested = mean_tests(values, pairs)
    means = np.stack([own.mean(axis=1) for own in values], axis=1)
    first, second = (list(side) for side in zip(*pairs, strict=True))
    differences = means[:, first] - means[:, second]
    limits = difference_limits(differences, tested, draws, bound)
    ranks, centre = _signed_ranks(keys, sign * differences, pairs), differences.mean(axis=0)
    equivalent = None if margin is None else equivalence(centre, tested, margin)
    out = []
    for place, (i, j) in enumerate(pairs):
        difference, (low, high) = float(centre[place]), limits[place]
        favoured = _favoured(sign * difference, keys[i], keys[j])
        out.append(
            PairTest(
                first=keys[i],
                second=keys[j],
                difference=difference,
                low=low,
                high=high,
                error=float(tested.errors[place]),
                degrees=float(tested.degrees[place]),
                p=float(tested.p[place]),
                adjusted=float(tested.adjusted[place]),
                floor=tested.floor,
                how=BY_MEAN + (", all" if tested.exact else ""),
                subjects=len(means),
                better=favoured if tested.adjusted[place] < ALPHA else None,
                ranks=ranks[place],
                equivalent=None if equivalent is None else float(equivalent[place]),
                favoured=favoured,
            )
        )
    return tuple(out), tested


def pooled_pair_tests(
    keys: Sequence[Key],
    figures: Sequence[float],
    tables: Sequence[NDArray[np.float32]],
    pseudo: Sequence[NDArray[np.float64]],
    pairs: Sequence[tuple[int, int]],
    among: float,
) -> tuple[PairTest, ...]:
    """Test pairs of rows by their pooled average precision.

    Parameters
    ----------
    keys : sequence of (str, str)
        K rows.
    figures : sequence of float
        Pooled average precision of each, mean over its seeds.
    tables : sequence of float32 (S, 2, G)
        From :func:`leaderboard.statistics.pooled_swaps.on_common_grid`.
    pseudo : sequence of float64 (S, T)
        Pseudo-values, from :func:`leaderboard.statistics.pooled_counts.pseudo_values`.
    pairs : sequence of (int, int)
        Which rows to compare; one family.
    among : float
        Degrees of freedom of subjects, for the intervals.
    """
    variances = np.array([training_variance(own) for own in pseudo])
    seeds = np.array([own.shape[1] for own in pseudo])
    first, second = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    trainings = Trainings(variances, seeds, first, second)
    tested = swap_tests(tables, pairs, trainings)
    number = len(pseudo[0])
    means = np.stack([own.mean(axis=1) for own in pseudo], axis=1)
    own = (means[:, first] - means[:, second]).var(axis=0, ddof=1) / number
    errors = np.sqrt(own + variances[first] + variances[second])
    freedom = trainings.degrees(own, variances, among)
    out = []
    for place, (i, j) in enumerate(pairs):
        difference, error = figures[i] - figures[j], float(errors[place])
        reach = t_quantile(float(freedom[place])) * error
        favoured = _favoured(difference, keys[i], keys[j])
        out.append(
            PairTest(
                first=keys[i],
                second=keys[j],
                difference=difference,
                low=max(difference - reach, -1.0) if error else None,
                high=min(difference + reach, 1.0) if error else None,
                error=error,
                degrees=float(freedom[place]),
                p=float(tested.p[place]),
                adjusted=float(tested.adjusted[place]),
                floor=tested.floor,
                how=BY_SWAPS + (", all" if tested.exact else ""),
                subjects=number,
                better=favoured if tested.adjusted[place] < ALPHA else None,
                favoured=favoured,
            )
        )
    return tuple(out)


def equivalence(
    differences: NDArray[np.float64], tested: Tested, margin: float
) -> NDArray[np.float64]:
    """Return Holm's p that differences are within a margin: two one-sided t tests (Schuirmann, 1987), float64 (P,)."""
    from scipy.special import stdtr

    room = margin - np.abs(differences)
    certain = np.where(room > 0, np.inf, -np.inf)  # nothing varies
    t = np.divide(room, tested.errors, out=certain, where=tested.errors > 0)
    return holm(stdtr(tested.degrees, -t))


def difference_limits(
    differences: NDArray[np.float64],
    tested: Tested,
    draws: NDArray[np.int64],
    bound: float = math.inf,
) -> list[tuple[float, float] | tuple[None, None]]:
    """Return bootstrap-t intervals of mean differences, widened by the trainings' part of the standard error.

    They are cut where no difference can lie: that takes nothing from their coverage.

    Parameters
    ----------
    differences : float64 (S, P)
        Of each subject and pair.
    tested : Tested
        Has the standard errors.
    draws : int (R, S)
        Resamples of the subjects.
    bound : float
        The largest difference that there can be: 1 of shares.
    """
    known = np.ones(differences.shape, dtype=bool)
    low, high = studentised_quantiles(differences, known, draws)
    out: list[tuple[float, float] | tuple[None, None]] = []
    for place, centre in enumerate(differences.mean(axis=0).tolist()):
        error = float(tested.errors[place])
        if not error or not math.isfinite(low[place]):
            out.append((None, None))
            continue
        wider = t_quantile(float(tested.degrees[place])) / t_quantile(len(differences) - 1)
        begin, end = (float(high[place]) * wider * error, float(low[place]) * wider * error)
        out.append((max(centre - begin, -bound), min(centre - end, bound)))
    return out


def _signed_ranks(
    keys: Sequence[Key], worth: NDArray[np.float64], pairs: Sequence[tuple[int, int]]
) -> list[SignedRanks]:
    found = [wilcoxon(column) for column in worth.T]
    adjusted = holm([test.p for test in found])
    out = []
    for (i, j), test, p in zip(pairs, found, adjusted, strict=True):
        better = None
        if p < ALPHA and test.effect:
            better = keys[i] if test.effect > 0 else keys[j]
        out.append(SignedRanks(test.p, float(p), test.effect, test.zeros, better))
    return out


def _favoured(worth: float, first: Key, second: Key) -> Key | None:
    """Return the better of two rows; None where rounding alone is between them."""
    if abs(worth) <= 1e-12:
        return None
    return first if worth > 0 else second
