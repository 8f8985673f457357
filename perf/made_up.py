"""Made-up benchmarks of which the truth is known: shares, amounts, lesions counted, yes or no, histograms.

Trainings differ by a normal shift, the same for all subjects, and every cell has noise of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from andi_bench.metrics.histograms.grouped import GroupedCounts

SUBJECTS = (8, 10, 20, 30, 60, 250)
SEED_SDS = (0.0, 0.02, 0.05)
SEEDS = 3
NOISE = 0.05
"""Standard deviation of a training's noise in one subject."""

BRIGHTNESS_SD = 0.1
"""Of trainings, in what sets lesions apart from the rest: that of pooled average precision is then some .02."""

Array = NDArray[np.float64]


def _zeros(rng: np.random.Generator, share: float, values: Array) -> Array:
    return np.where(rng.random(values.shape) < share, 0.0, values)


SHARES: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "a tenth 0": lambda rng, size: _zeros(rng, 0.1, rng.beta(1.2, 1.6, size)),
    "mostly low": lambda rng, size: rng.beta(0.6, 4.0, size),
    "mostly high": lambda rng, size: rng.beta(5.0, 1.5, size),
    "three tenths 0": lambda rng, size: _zeros(rng, 0.3, rng.beta(2.0, 2.0, size)),
    "low or high": lambda rng, size: rng.beta(0.5, 0.5, size),
}
AMOUNTS: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "exponential": lambda rng, size: rng.exponential(10.0, size),
    "log-normal": lambda rng, size: rng.lognormal(2.0, 0.8, size),
    "gamma": lambda rng, size: rng.gamma(3.0, 4.0, size),
}


def shares_of(rng: np.random.Generator, shape: str, size: tuple[int, int, int], sd: float) -> Array:
    """Draw (cases, subjects, seeds) of a share; one seed and no spread: the shape itself."""
    cases, subjects, seeds = size
    own = SHARES[shape](rng, (cases, subjects, 1))
    if seeds == 1:
        return own
    shift = rng.normal(0, sd, (cases, 1, seeds)) if sd else 0.0
    return np.clip(own + shift + rng.normal(0, NOISE, size), 0, 1)


@lru_cache
def true_share(shape: str, seeds: int, sd: float) -> float:
    """Return the mean of a share over all possible subjects and trainings."""
    rng = np.random.default_rng(1)
    if seeds == 1:
        return float(SHARES[shape](rng, 4_000_000).mean())
    own = SHARES[shape](rng, 4_000_000)
    return float(np.clip(own + rng.normal(0, np.hypot(sd, NOISE), own.shape), 0, 1).mean())


@lru_cache
def true_amount(shape: str) -> float:
    """Return the mean of an amount over all possible subjects."""
    return float(AMOUNTS[shape](np.random.default_rng(1), 4_000_000).mean())


def counted_lesions(
    rng: np.random.Generator, size: tuple[int, int, int], sd: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw lesions found (cases, subjects, seeds), and lesions (cases, subjects): few in most subjects, dozens in some."""
    cases, subjects, seeds = size
    lesions = 1 + rng.negative_binomial(0.6, 0.6 / 6.6, (cases, subjects))
    own = rng.beta(2.0, 2.0, (cases, subjects, 1))
    shift = rng.normal(0, sd, (cases, 1, seeds)) if sd else np.zeros((1, 1, seeds))
    return rng.binomial(lesions[..., None], np.clip(own + shift, 0.01, 0.99)), lesions


def yes_or_no(
    rng: np.random.Generator, share: float, size: tuple[int, int, int], sd: float
) -> Array:
    """Draw (cases, subjects, seeds) of 0 and 1: subjects differ in how easily something is detected in them."""
    cases, subjects, seeds = size
    own = rng.beta(4 * share, 4 * (1 - share), (cases, subjects, 1))
    shift = rng.normal(0, sd, (cases, 1, seeds)) if sd else np.zeros((1, 1, seeds))
    return (rng.random(size) < np.clip(own + shift, 0, 1)).astype(float)


def made_up_counts(
    rng: np.random.Generator,
    subjects: int,
    trainings: int,
    shifts: NDArray[np.float64],
    luck: np.random.Generator | None = None,
    groups: int = 48,
) -> list[GroupedCounts]:
    """Draw the histograms of trainings of one method: lesions differ in size and in how bright they are.

    Parameters
    ----------
    rng : numpy.random.Generator
        Of the subjects: the same state gives the same ones to several methods.
    subjects, trainings : int
        How many.
    shifts : float64 (trainings,)
        How far lesions stand out more, or less, in each training.
    luck : numpy.random.Generator, optional
        Of the subjects that suit a method, and of counts; ``rng`` if not given.
    groups : int
        Of scores.
    """
    size = rng.lognormal(5.0, 1.2, subjects).clip(5, 20_000).astype(np.int64)
    bright = rng.normal(1.2, 0.5, subjects)
    own = luck or rng
    suits = bright + own.normal(0, 0.4, subjects)
    edges = np.linspace(4.0, -4.0, groups + 1)
    names = tuple(f"S{k}" for k in range(subjects))
    tied = np.zeros(groups, dtype=bool)
    healthy = np.abs(np.diff(ndtr(edges)))
    out = []
    for k in range(trainings):
        shares = np.abs(np.diff(ndtr(edges[None, :] - suits[:, None] - shifts[k]), axis=1))
        lesion = own.multinomial(size, shares / shares.sum(axis=1, keepdims=True))
        rest = own.multinomial(60_000, healthy / healthy.sum(), size=subjects)
        out.append(GroupedCounts(names, lesion.astype(np.uint32), rest.astype(np.uint32), tied))
    return out
