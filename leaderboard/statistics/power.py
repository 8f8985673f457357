"""What a comparison of so many subjects and seeds can show, and how many a given difference needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.sign_flips import training_variance

WANTED = (0.05, 0.02)
"""Differences that a reader would want shown."""

_NORMAL_AT_POWER = 0.8416212335729143  # of a power of 0.8: found in 4 of 5 repetitions


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
        As many as leave the trainings no more than half of what the standard error may be (squared); those there are, at least.
    subjects_then : int
        How many subjects these need.
    """

    difference: float
    subjects: int | None
    seeds: int
    subjects_then: int


@dataclass(frozen=True)
class Power:
    """What the typical pair of a family can show: that of the median variances.

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
    own, training = float(np.median(of_subjects)), float(np.median(of_trainings))
    errors = [a / number + b / seeds for a, b in zip(of_subjects, of_trainings, strict=True)]
    if not own and not training:
        return None
    reach = critical + _NORMAL_AT_POWER
    within = math.sqrt(float(np.mean(errors)) / 2)
    between = float(means.mean(axis=0).std(ddof=1))
    return Power(
        subjects=number,
        seeds=seeds,
        detectable=reach * math.sqrt(own / number + training / seeds),
        needs=tuple(_need(one, reach, own, training, seeds) for one in wanted),
        ratio=between / within if within > 0 else None,
    )


def _need(difference: float, reach: float, own: float, training: float, seeds: int) -> Need:
    allowed = (difference / reach) ** 2
    now = allowed - training / seeds
    then = max(seeds, math.ceil(2 * training / allowed))
    return Need(
        difference,
        _subjects(own, now) if now > 0 else None,
        then,
        _subjects(own, allowed - training / then),
    )


def _subjects(own: float, allowed: float) -> int:
    return max(2, math.ceil(own / allowed))
