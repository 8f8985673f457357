"""Mean differences of many pairs tested together: sign flips of the subjects, step-down over the family.

The statistic of a pair is its mean difference over subjects (of the means over seeds), divided by its standard error. If
two methods are equal, a subject could as well have favoured the other one: the signs of a subject's differences, of all
pairs at once, are flipped, and the largest statistic of the family is compared with those that flips give (Westfall and
Young, *Resampling-Based Multiple Testing*, 1993, algorithm 4.1; family-wise error, also where some pairs differ).

With several seeds the trainings' variance stands in the standard error, and in the reference: every flip is moved by a
normal draw for the trainings of each method, whose variance is estimated anew from a chi-squared draw with T - 1 degrees
of freedom. Statistics with different degrees of freedom (Satterthwaite) are brought to one scale (Wallace, 1959). Without
trainings' variance it is the sign-flip test alone, exact where all flips can be listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.mean_intervals import two_way

FLIPS = 9_999
"""Random flips where there are too many to list: p-values down to 1 in 10,000."""

LISTED_UP_TO = 13
"""Subjects: of so many all flips are listed, 4,096 but for the sign of all together."""

_SEED = 20231204
_CHUNK = 1024
_SAME = 1 - 1e-9  # statistics this close are equal, in whatever order they were summed
_NOTHING = 1e-12


@dataclass(frozen=True)
class Tested:
    """Tests of the pairs of one family, float64 (P,) each.

    Parameters
    ----------
    p, adjusted : float64 (P,)
        Two-sided; by itself, and corrected step-down within the family.
    floor : float
        The smallest p that there can be: a p that equals it is "at most".
    exact : bool
        Whether all flips were listed.
    errors, degrees : float64 (P,)
        Standard error of the mean difference and its degrees of freedom.
    critical : float
        What the largest statistic of the family exceeds in 5 % of the flips, on the normal's scale.
    """

    p: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    floor: float
    exact: bool
    errors: NDArray[np.float64]
    degrees: NDArray[np.float64]
    critical: float


def training_variance(values: NDArray[np.float64]) -> float:
    """Return the trainings' part of the variance of a method's mean; 0 for one seed, which cannot tell.

    Of the noise between subjects, half is left in: with the two degrees of freedom of three seeds an estimate cleared of it
    wholly is too often 0, and one method trained twice then counts as two in up to 10 % of simulations.

    Parameters
    ----------
    values : float64 (S, T)
        By subject and seed.
    """
    if values.shape[1] < 2:
        return 0.0
    found = two_way(values)
    return max(found.of_trainings - found.of_rest / 2, 0.0) / values.size


def signs_of(subjects: int, flips: int = FLIPS) -> tuple[NDArray[np.int8], bool]:
    """Return signs of the subjects, +1 and -1, int8 (B, S), none flipped first; and whether they are all there are.

    Flipping all changes no two-sided statistic, so the first subject keeps its sign where all are listed.
    """
    if subjects <= LISTED_UP_TO:
        bits = np.arange(2 ** (subjects - 1))[:, None] >> np.arange(subjects - 1)
        signs = np.hstack([np.ones((len(bits), 1), dtype=np.int8), 1 - 2 * (bits & 1)])
        return signs.astype(np.int8), True
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, 2, (flips, subjects), dtype=np.int8) * 2 - 1
    return np.vstack([np.ones((1, subjects), dtype=np.int8), drawn]), False


def mean_tests(
    values: Sequence[NDArray[np.float64]], pairs: Sequence[tuple[int, int]], flips: int = FLIPS
) -> Tested:
    """Test the mean differences of pairs of methods.

    Parameters
    ----------
    values : sequence of float64 (S, T)
        Of every method by subject and seed; S >= 2, the same subjects for all, T may differ.
    pairs : sequence of (int, int)
        The family, P pairs.
    flips : int
        Random flips where there are too many to list.
    """
    first, second = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    means = np.stack([own.mean(axis=1) for own in values], axis=1)
    differences = means[:, first] - means[:, second]
    subjects = len(differences)
    squares = np.square(differences).sum(axis=0)
    signs, listed = signs_of(subjects, flips)

    def spread(flipped: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of a mean of flipped differences: their squares stay what they are."""
        rest = squares - subjects * np.square(flipped)
        return np.where(rest > _NOTHING * squares, rest, 0.0) / (subjects * (subjects - 1))

    flipped = np.empty((len(signs), len(first)))
    for begin in range(0, len(signs), _CHUNK):
        part = signs[begin : begin + _CHUNK].astype(np.float64)
        flipped[begin : begin + len(part)] = part @ differences / subjects
    variances = np.array([training_variance(own) for own in values])
    seeds = np.array([own.shape[1] for own in values])
    return step_down(
        flipped, spread, Trainings(variances, seeds, first, second), subjects - 1, listed, flips
    )


@dataclass(frozen=True)
class Trainings:
    """The trainings' variance of each method's figure, and which methods a pair is of.

    Parameters
    ----------
    variances : float64 (K,)
        See :func:`training_variance`.
    seeds : int (K,)
        How many, T.
    first, second : int (P,)
        The methods of each pair.
    """

    variances: NDArray[np.float64]
    seeds: NDArray[np.int64]
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    @property
    def none(self) -> bool:
        """Whether no pair has any."""
        return not self.variances[np.union1d(self.first, self.second)].any()

    def degrees(
        self, own: NDArray[np.float64], variances: NDArray[np.float64], among: float
    ) -> NDArray[np.float64]:
        """Return Satterthwaite's degrees of freedom of the variances (..., P) of subjects and (..., K) of trainings."""
        parts = np.square(variances) / np.maximum(self.seeds - 1, 1)
        below = np.square(own) / among + parts[..., self.first] + parts[..., self.second]
        total = own + variances[..., self.first] + variances[..., self.second]
        return np.where(below > 0, np.square(total) / np.where(below > 0, below, 1.0), among)


def step_down(
    flipped: NDArray[np.float64],
    spread: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    trainings: Trainings,
    degrees: int,
    listed: bool,
    draws: int,
) -> Tested:
    """Compare differences with those that flips give, the first flip being none.

    Parameters
    ----------
    flipped : float64 (B, P)
        The difference of each pair under each flip.
    spread : callable
        From differences (..., P) to the variance over subjects of each.
    trainings : Trainings
        Added to it.
    degrees : int
        Degrees of freedom of the variance over subjects.
    listed : bool
        Whether the flips are all there are.
    draws : int
        Of flips and trainings together, where flips are listed and trainings vary.
    """
    own = spread(flipped[:1])
    moved = trainings.variances[None]
    errors = np.sqrt(own + moved[:, trainings.first] + moved[:, trainings.second])
    freedom = trainings.degrees(own, moved, degrees)
    observed = on_normal_scale(np.abs(flipped[:1]), errors, freedom)[0]
    exact = listed and trainings.none
    rng = np.random.default_rng(_SEED + 1)
    if listed and not exact:
        # few flips, but draws of the trainings without number: repeat them
        flipped = np.vstack([flipped[:1], flipped[rng.integers(0, len(flipped), draws)]])
    steps = StepDown(observed)
    largest = np.empty(len(flipped))
    for begin in range(0, len(flipped), _CHUNK):
        part = flipped[begin : begin + _CHUNK]
        found = _reference(part, spread(part), trainings, degrees, rng)
        if begin == 0:
            found[0] = observed
        largest[begin : begin + len(part)] = found.max(axis=1)
        steps.add(found)
    return Tested(
        p=steps.p,
        adjusted=steps.adjusted,
        floor=1 / len(flipped),
        exact=exact,
        errors=errors[0],
        degrees=freedom[0],
        critical=float(np.quantile(largest, 0.95)),
    )


class StepDown:
    """Counts how often statistics of a reference reach the observed ones: each by itself, and step-down the largest.

    Parameters
    ----------
    observed : float64 (P,)
        Statistics, larger = further from none, on one scale.
    """

    def __init__(self, observed: NDArray[np.float64]) -> None:
        self._reached = observed * _SAME
        self._order = np.argsort(-observed, kind="stable")
        self._alone, self._together = np.zeros(len(observed)), np.zeros(len(observed))
        self._number = 0

    def add(self, found: NDArray[np.float64]) -> None:
        """Count some of the reference, (B, P); what was observed belongs to it."""
        order = self._order
        self._alone += (found >= self._reached).sum(axis=0)
        successive = np.maximum.accumulate(found[:, order[::-1]], axis=1)[:, ::-1]
        self._together += (successive >= self._reached[order]).sum(axis=0)
        self._number += len(found)

    @property
    def p(self) -> NDArray[np.float64]:
        """Two-sided p of each by itself, (P,)."""
        return self._alone / self._number

    @property
    def adjusted(self) -> NDArray[np.float64]:
        """Corrected for their number, (P,)."""
        out = np.empty(len(self._order))
        out[self._order] = np.maximum.accumulate(self._together) / self._number
        return out


def _reference(
    flipped: NDArray[np.float64],
    own: NDArray[np.float64],
    trainings: Trainings,
    degrees: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the statistics of flips, moved by draws of the trainings where these vary."""
    if trainings.none:
        return on_normal_scale(np.abs(flipped), np.sqrt(own), np.full((1, 1), float(degrees)))
    shape = (len(flipped), len(trainings.seeds))
    draw = rng.standard_normal(shape) * np.sqrt(trainings.variances)
    freedom = np.maximum(trainings.seeds - 1, 1)
    again = rng.chisquare(freedom, shape) / freedom * trainings.variances
    moved = np.abs(flipped + draw[:, trainings.first] - draw[:, trainings.second])
    errors = np.sqrt(own + again[:, trainings.first] + again[:, trainings.second])
    return on_normal_scale(moved, errors, trainings.degrees(own, again, degrees))


def on_normal_scale(
    difference: NDArray[np.float64], error: NDArray[np.float64], degrees: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return |difference| / error brought from Student's t to the normal's scale; large where the error is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(error > 0, difference / error, np.where(difference > 0, 1e150, 0.0))
    scale = (8 * degrees + 1) / (8 * degrees + 3)
    found: NDArray[np.float64] = np.sqrt(degrees * np.log1p(np.square(t) / degrees)) * scale
    return found
