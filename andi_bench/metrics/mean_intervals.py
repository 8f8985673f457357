"""Intervals of a mean over subjects and trainings: how far it would lie elsewhere with other ones.

Subjects and trainings are two crossed samples (two-way random effects, one value a cell; Searle, Casella and McCulloch,
*Variance Components*, 1992). With S subjects and T trainings the variance of the grand mean is estimated by
(MS_subject + MS_training - MS_rest) / (S T), its degrees of freedom by Satterthwaite's formula (1946); with one training
this is the ordinary variance of a mean, with S - 1 degrees. On that stand two intervals:

- of shares, values in [0, 1]: Student t on the logit of the mean, its standard error by the delta method;
- of amounts (millimetres, millilitres, counts): bootstrap-t over subjects (Efron and Tibshirani, 1993, 12.5), which
  follows the skewness, widened by the trainings' share of the standard error and the smaller degrees of freedom.

Coverage in simulations: ``leaderboard/statistics/coverage.json``, made by ``python -m perf.coverage``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST = 3
"""Subjects: of fewer no interval is given."""

LEVEL = 0.95
_NOTHING = 1e-12  # a variance that is rounding alone, as a share of the mean square of the values


@dataclass(frozen=True)
class TwoWay:
    """A mean over subjects and trainings, and where its variance comes from.

    Parameters
    ----------
    mean : float
        Over all subjects and trainings.
    of_subjects, of_trainings, of_rest : float
        Mean squares; those of trainings and of the rest are 0 for one training.
    subjects, trainings : int
        How many, S and T.
    among : float
        Degrees of freedom of the mean square of subjects: S - 1, or fewer where few subjects carry most of the figure.
    """

    mean: float
    of_subjects: float
    of_trainings: float
    of_rest: float
    subjects: int
    trainings: int
    among: float

    @property
    def variance(self) -> float:
        """Of the mean, over subjects and trainings."""
        extra = max(self.of_trainings - self.of_rest, 0.0)
        return (self.of_subjects + extra) / (self.subjects * self.trainings)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of :attr:`variance`, by Satterthwaite."""
        own = self.among
        if self.of_trainings <= self.of_rest:
            return own
        others = self.trainings - 1
        total = self.of_subjects + self.of_trainings - self.of_rest
        below = (
            self.of_subjects**2 / own
            + self.of_trainings**2 / others
            + self.of_rest**2 / ((self.subjects - 1) * others)
        )
        return total**2 / below if below > 0 else own

    @property
    def sd_of_trainings(self) -> float:
        """Standard deviation between trainings, of means over all possible subjects; >= 0."""
        return math.sqrt(max(self.of_trainings - self.of_rest, 0.0) / self.subjects)

    @property
    def sd_of_subjects(self) -> float:
        """Standard deviation between subjects, of their means over all possible trainings; >= 0."""
        return math.sqrt(max(self.of_subjects - self.of_rest, 0.0) / self.trainings)

    @property
    def sd_of_rest(self) -> float:
        """Standard deviation of subject x training, with whatever else varies; >= 0."""
        return math.sqrt(self.of_rest)


def two_way(values: NDArray[np.float64], among: float | None = None) -> TwoWay:
    """Take the values of subjects by trainings apart.

    Parameters
    ----------
    values : float64 (S, T)
        One value a subject and training; S >= 2, T >= 1.
    among : float, optional
        Degrees of freedom of subjects, where they are not S - 1.

    Raises
    ------
    ValueError
        For fewer than two subjects.
    """
    subjects, trainings = values.shape
    degrees = float(subjects - 1) if among is None else among
    if subjects < 2:
        raise ValueError(f"{subjects} subjects: two wanted, or nothing varies")
    mean = float(values.mean())
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    of_subjects = trainings * float(np.square(rows - mean).sum()) / (subjects - 1)
    floor = _NOTHING * float(np.square(values).mean())
    if trainings == 1:
        return TwoWay(mean, _clean(of_subjects, floor), 0.0, 0.0, subjects, 1, degrees)
    of_trainings = subjects * float(np.square(columns - mean).sum()) / (trainings - 1)
    rest = float(np.square(values - rows[:, None] - columns + mean).sum())
    of_rest = rest / ((subjects - 1) * (trainings - 1))
    return TwoWay(
        mean,
        _clean(of_subjects, floor),
        _clean(of_trainings, floor),
        _clean(of_rest, floor),
        subjects,
        trainings,
        degrees,
    )


def share_interval(
    values: NDArray[np.float64], centre: float | None = None, among: float | None = None
) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean in [0, 1]: Student t on its logit.

    Parameters
    ----------
    values : float64 (S, T)
        One value a subject and training, or jackknife pseudo-values of one that is no mean.
    centre : float, optional
        What the interval is of, where that is not the mean of the values.
    among : float, optional
        Degrees of freedom of subjects, where they are not S - 1.

    Returns
    -------
    (float, float) or None
        In (0, 1); None for fewer than :data:`FEWEST` subjects, and where no value differs from another or the mean is 0
        or 1: nothing then tells how far it could lie elsewhere.
    """
    if len(values) < FEWEST:
        return None
    found = two_way(values, among)
    mean = found.mean if centre is None else centre
    if found.variance <= 0 or not 0 < mean < 1:
        return None
    return logit_limits(mean, found.variance, found.degrees)


def logit_limits(mean: float, variance: float, degrees: float) -> tuple[float, float]:
    """Return the 95 % interval of a share in (0, 1) from its variance: Student's t on the logit, by the delta method."""
    reach = t_quantile(degrees) * math.sqrt(variance) / (mean * (1 - mean))
    logit = math.log(mean / (1 - mean))
    return _inverse_logit(logit - reach), _inverse_logit(logit + reach)


def proportion_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of how many say yes where all subjects agree: that of Clopper and Pearson (1934).

    Parameters
    ----------
    values : float64 (S, T)
        All 0, or all 1.

    Returns
    -------
    (float, float) or None
        None where they do not agree, and for fewer than :data:`FEWEST` subjects.
    """
    if len(values) < FEWEST or values.min() != values.max() or values.max() not in (0, 1):
        return None
    least = ((1 - LEVEL) / 2) ** (1 / len(values))
    return (least, 1.0) if values.max() == 1 else (0.0, 1 - least)


def amount_intervals(
    values: Sequence[NDArray[np.float64]], draws: NDArray[np.int64]
) -> list[tuple[float, float] | None]:
    """Return the 95 % intervals of means of any size, by bootstrap-t, all on the same resamples of the subjects.

    Parameters
    ----------
    values : sequence of float64 (S, T)
        Of each metric one value a subject and training; NaN in a whole row where it is undefined for the subject.
    draws : int (R, S)
        How often each subject occurs in each resample.

    Returns
    -------
    list of (float, float) or None
        One a metric; from 0 on where no value is negative. None as for :func:`share_interval`.
    """
    if not values:
        return []
    known = [np.isfinite(own).all(axis=1) for own in values]
    means = [np.where(k, own.mean(axis=1), 0.0) for k, own in zip(known, values, strict=True)]
    low, high = studentised_quantiles(np.stack(means, 1), np.stack(known, 1), draws)
    out: list[tuple[float, float] | None] = []
    for place, (k, own) in enumerate(zip(known, values, strict=True)):
        out.append(_amount(own[k], float(low[place]), float(high[place])))
    return out


def studentised_quantiles(
    values: NDArray[np.float64], known: NDArray[np.bool_], draws: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 2.5 % and 97.5 % quantiles of Student's t of resampled means, float64 (K,) each; NaN for too few.

    Parameters
    ----------
    values : float64 (S, K)
        One a subject and metric, 0 where undefined.
    known : bool (S, K)
        Where they are defined.
    draws : int (R, S)
        How often each subject occurs in each resample.
    """
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = values.sum(axis=0) / count
        moved = np.where(known, values - mean, 0.0)
        parts = [moved, np.square(moved)]
        whole = bool(known.all())
        sums = draws.astype(np.float64) @ np.hstack(
            parts if whole else [*parts, known.astype(np.float64)]
        )
        drawn = np.split(sums, 2 if whole else 3, axis=1)
        number = count if whole else drawn[2]
        shift = drawn[0] / number
        variance = np.maximum(drawn[1] / number - np.square(shift), 0.0) / (number - 1)
        least = _NOTHING * np.square(moved).sum(axis=0) / np.square(count)
        t = np.where(variance > least, shift / np.sqrt(variance), np.nan)
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    out = np.full((2, values.shape[1]), np.nan)
    for place, column in enumerate(t.T):
        column = column[np.isfinite(column)]
        if count[place] >= FEWEST and len(column) >= len(draws) / 2:
            out[:, place] = np.percentile(column, tails)
    return out[0], out[1]


def degrees_by_weight(weights: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of subjects in a figure in which they weigh unequally, 1 to S - 1.

    One less than the number of equal subjects that would weigh the same (Kish, *Survey Sampling*, 1965): where one subject
    holds half of what is counted, the rest can say little of how far the figure would lie elsewhere.

    Parameters
    ----------
    weights : float64 (S,)
        Such as lesions or lesion voxels; >= 0.
    """
    total = float(np.square(weights).sum())
    return max(float(weights.sum()) ** 2 / total - 1, 1.0) if total else 1.0


def t_quantile(degrees: float, share: float = (1 + LEVEL) / 2) -> float:
    """Return a quantile of Student's t; of many degrees the normal's."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))


def _amount(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float] | None:
    if len(values) < FEWEST or not math.isfinite(low):
        return None
    found = two_way(values)
    if found.variance <= 0:
        return None
    reach = math.sqrt(found.variance) * t_quantile(found.degrees) / t_quantile(found.subjects - 1)
    begin, end = found.mean - high * reach, found.mean - low * reach
    return (max(begin, 0.0) if values.min() >= 0 else begin), end


def _clean(square: float, floor: float) -> float:
    return square if square > floor else 0.0


def _inverse_logit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
