"""What a comparison of so many subjects and seeds can show, and how many a given difference needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.sign_flips import training_variance

WANTED = (0.05, 0.02)
"""Differences that a reader would want shown."""

POWER = 0.8
"""Found in 4 of 5 repetitions."""

_MOST = 1_000_000  # subjects: where these do not suffice, no number does
_REPETITIONS = 1024


@dataclass(frozen=True)
class Need:
    """What it takes to find a difference in 4 of 5 repetitions.

    Parameters
    ----------
    difference : float
        Between two methods.
    subjects : int or None
        With the seeds there are; None where no number suffices.
    seeds : int
        As many as leave the trainings no more than half of what the standard error may be (squared); those there are, at
        least.
    subjects_then : int
        How many subjects these need.
    """

    difference: float
    subjects: int | None
    seeds: int
    subjects_then: int


@dataclass(frozen=True)
class Power:
    """What the typical pair of a family can show: of the median variance over subjects, and twice the median row's over trainings.

    Parameters
    ----------
    subjects, seeds : int
        How many there are; of rows with different numbers of seeds, the fewest.
    detectable : float
        The difference that is found to be significant, within the family, in 4 of 5 repetitions.
    needs : tuple of Need
        For :data:`WANTED`.
    ratio : float or None
        Standard deviation between the methods' means, over the standard error of one of them in comparison: of the
        spread that is seen, how much is more than chance. About 1: this data set does not tell methods apart.
    """

    subjects: int
    seeds: int
    detectable: float
    needs: tuple[Need, ...]
    ratio: float | None


def power_of(
    values: Sequence[NDArray[np.float64]],
    pairs: Sequence[tuple[int, int]],
    critical: float,
    wanted: Sequence[float] = WANTED,
) -> Power | None:
    """Return what a family can show; None where no pair varies.

    Parameters
    ----------
    values : sequence of float64 (S, T)
        Of every method by subject and seed.
    pairs : sequence of (int, int)
        The family.
    critical : float
        What a statistic must exceed within it, on the normal's scale.
    wanted : sequence of float
        Differences to say the need for; > 0.
    """
    means = np.stack([own.mean(axis=1) for own in values], axis=1)
    number = len(means)
    of_subjects = [float((means[:, i] - means[:, j]).var(ddof=1)) for i, j in pairs]
    seeds = min((own.shape[1] for own in values if own.shape[1] > 1), default=1)
    # what one training adds to the variance of a method's mean
    added = [training_variance(own) * own.shape[1] for own in values]
    of_trainings = [added[i] + added[j] for i, j in pairs]
    pair = _Pair(float(np.median(of_subjects)), 2 * _typical(added, values), critical)
    if not pair.subjects and not pair.trainings:
        return None
    errors = [a / number + b / seeds for a, b in zip(of_subjects, of_trainings, strict=True)]
    within = math.sqrt(float(np.mean(errors)) / 2)
    between = float(means.mean(axis=0).std(ddof=1))
    return Power(
        subjects=number,
        seeds=seeds,
        detectable=pair.detectable(number, seeds),
        needs=tuple(_need(one, pair, seeds) for one in wanted),
        ratio=between / within if within > 0 else None,
    )


def _typical(added: Sequence[float], values: Sequence[NDArray[np.float64]]) -> float:
    """Return what a training adds to the variance of a typical method's mean: the median of those trained several times.

    Three seeds tell little of their variance, all methods' together more; but a mean of variances is that of the one method
    whose trainings lie far apart. Where true variances are equal the median of estimates is below them, by a factor that the
    number of seeds sets: it is taken out.
    """
    known = [
        (one, own.shape[1] - 1) for one, own in zip(added, values, strict=True) if own.shape[1] > 1
    ]
    half = np.array([0.5])
    return float(np.median([one / _spread(half, among)[0] for one, among in known] or [0.0]))


@dataclass(frozen=True)
class _Pair:
    """Variances of the difference of two methods: between subjects, and between trainings, a training of each."""

    subjects: float
    trainings: float
    critical: float

    def detectable(self, subjects: float, seeds: int) -> float:
        """Return the difference that is found in 4 of 5 repetitions with so many subjects (inf: all there are) and seeds.

        Repetitions are made up as the test sees them: estimated variances, their degrees of freedom, and the critical value
        brought from the normal's scale to t (as in :mod:`leaderboard.statistics.sign_flips`). Each says how large the
        difference must have been.
        """
        from scipy.special import ndtri

        chance = _repetitions()
        own, training = self.subjects / subjects, self.trainings / seeds / 2
        moved = math.sqrt(own + 2 * training) * ndtri(chance[0])
        of_subjects = own * _spread(chance[1], subjects - 1) if own else np.zeros(len(moved))
        first = second = np.zeros(len(moved))
        if training:
            first, second = (training * _spread(part, seeds - 1) for part in chance[2:])
        below = np.square(first) + np.square(second)
        below = np.square(of_subjects) / (subjects - 1) + below / max(seeds - 1, 1)
        total = of_subjects + first + second
        degrees = np.square(total) / np.maximum(below, np.finfo(float).tiny)
        scale = (8 * degrees + 1) / (8 * degrees + 3)
        with np.errstate(over="ignore"):
            t = np.sqrt(degrees * np.expm1(np.square(self.critical / scale) / degrees))
        with np.errstate(invalid="ignore"):
            found = float(np.quantile(np.sqrt(total) * t - moved, POWER))
        return math.inf if math.isnan(found) else found  # between two infinite ones


@cache
def _repetitions() -> NDArray[np.float64]:
    """Return points that fill the unit cube of four chances evenly, float64 (4, N): Roberts' sequence."""
    root = 1.1673039782614187  # of x**5 = x + 1
    steps = root ** -np.arange(1.0, 5.0)[:, None]
    return np.asarray((0.5 + steps * np.arange(1, _REPETITIONS + 1)) % 1)


def _spread(chance: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return an estimated variance over the true one: chi-squared over its degrees of freedom."""
    from scipy.special import gammaincinv

    if degrees > 1e6:
        return np.ones(len(chance))
    return np.asarray(gammaincinv(degrees / 2, chance) * 2 / degrees)


def _need(difference: float, pair: _Pair, seeds: int) -> Need:
    then = seeds
    if pair.trainings:
        alone = replace(pair, subjects=0.0)  # of which they may take half, squared
        half = difference / math.sqrt(2)
        then = _fewest(lambda n: alone.detectable(math.inf, n) <= half, seeds) or _MOST
    now = _fewest(lambda n: pair.detectable(n, seeds) <= difference, 2)
    more = now if then == seeds else _fewest(lambda n: pair.detectable(n, then) <= difference, 2)
    return Need(difference, now, then, more or _MOST)


def _fewest(suffices: Callable[[int], bool], least: int) -> int | None:
    """Return the smallest number from ``least`` on that suffices, None where none up to the most does."""
    if suffices(least):
        return least
    low, high = least, 2 * least
    while not suffices(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high
