"""How often intervals hold the truth, on made-up benchmarks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from andi_bench.metrics.mean_intervals import (
    amount_intervals,
    degrees_by_weight,
    proportion_interval,
    share_interval,
)
from andi_bench.metrics.resampling import resample_counts
from leaderboard.statistics.pair_tests import difference_limits
from leaderboard.statistics.pooled_counts import degrees_of, pseudo_values
from leaderboard.statistics.sign_flips import mean_tests
from perf.made_up import (
    AMOUNTS,
    BRIGHTNESS_SD,
    NOISE,
    counted_lesions,
    made_up_counts,
    shares_of,
    true_amount,
    true_share,
    yes_or_no,
)


def covered_shares(shape: str, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of a share's mean holds the truth."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), *shape.encode()])
    truth = true_share(shape, seeds, sd)
    hits = 0
    for values in shares_of(rng, shape, (cases, subjects, seeds), sd):
        found = share_interval(values)
        hits += found is not None and found[0] <= truth <= found[1]
    return hits / cases


def covered_amounts(shape: str, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of an amount's mean holds the truth; ``sd`` is a share of the mean."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), *shape.encode()])
    truth = true_amount(shape)
    hits, together = 0, min(cases, 100)
    for _ in range(cases // together):
        values = AMOUNTS[shape](rng, (together, subjects, 1))
        if seeds > 1:
            scale = 1 + rng.normal(0, sd, (together, 1, seeds)) if sd else 1.0
            values = values * scale * (1 + rng.normal(0, NOISE, (together, subjects, seeds)))
        for found in amount_intervals(list(values), resample_counts(subjects, 1000, rng)):
            hits += found is not None and found[0] <= truth <= found[1]
    return hits / (cases // together * together)


def covered_counted(subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of a share of all subjects' lesions holds the truth."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), 13])
    truth = (
        0.5  # lesions are as hard to find where they are many, and the rates lie evenly about it
    )
    hits = 0
    for part, whole in zip(*counted_lesions(rng, (cases, subjects, seeds), sd), strict=True):
        shares = part.sum(axis=0) / whole.sum()
        values = shares + (part - shares * whole[:, None]) / whole.mean()
        limits = share_interval(values, among=degrees_by_weight(whole.astype(float)))
        hits += limits is not None and limits[0] <= truth <= limits[1]
    return hits / cases


def covered_yes_or_no(share: float, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of a share of subjects holds the truth."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), round(100 * share)])
    truth = _true_rate(share, sd)
    hits = 0
    for values in yes_or_no(rng, share, (cases, subjects, seeds), sd):
        limits = share_interval(values) or proportion_interval(values)
        hits += limits is not None and limits[0] <= truth <= limits[1]
    return hits / cases


@lru_cache
def _true_rate(share: float, sd: float) -> float:
    rng = np.random.default_rng(3)
    rates = rng.beta(4 * share, 4 * (1 - share), 4_000_000) + rng.normal(0, sd, 4_000_000)
    return float(np.clip(rates, 0, 1).mean())


def covered_differences(shape: str, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of the difference of two methods, one of them better by a fifth, holds the truth."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), *shape.encode()])
    draws = resample_counts(subjects, 1000, rng)
    truth = 0.2 * true_share(shape, 1, 0.0)
    hits = 0
    for _ in range(cases):
        own = shares_of(rng, shape, (1, subjects, 1), 0.0)[0]
        shift = rng.normal(0, sd, (1, 2 * seeds)) if sd else 0.0
        values = own + shift + rng.normal(0, 2 * NOISE, (subjects, 2 * seeds))
        better = values[:, :seeds] + 0.2 * own  # the more, the better a subject is done
        pair = [better, values[:, seeds:]]
        gained = (better.mean(axis=1) - pair[1].mean(axis=1))[:, None]
        ((low, high),) = difference_limits(gained, mean_tests(pair, [(0, 1)], 1), draws)
        hits += low is not None and high is not None and low <= truth <= high
    return hits / cases


@lru_cache
def _true_pooled(sd: float) -> float:
    """Return pooled average precision over 20,000 subjects, mean over the trainings that there could be."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5 if sd else 1)
    whole = made_up_counts(np.random.default_rng(3), 20_000, len(nodes), sd * nodes)
    return float(np.average([own.whole() for own in whole], weights=weights))


def covered_pooled(subjects: int, seeds: int, cases: int) -> float:
    """Return how often the interval of pooled average precision holds the truth."""
    rng = np.random.default_rng([subjects, seeds, 7])
    sd = BRIGHTNESS_SD if seeds > 1 else 0.0
    hits = 0
    for _ in range(cases):
        counts = made_up_counts(rng, subjects, seeds, rng.normal(0, sd, seeds))
        pseudo = pseudo_values(counts, counts[0].subjects)
        value = float(np.mean([own.whole() for own in counts]))
        found = None if pseudo is None else share_interval(pseudo, value, degrees_of(counts[0]))
        hits += found is not None and found[0] <= _true_pooled(sd) <= found[1]
    return hits / cases
