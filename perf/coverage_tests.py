"""How often tests find what is not there, and what is, on made-up benchmarks."""

from __future__ import annotations

import itertools

import numpy as np

from leaderboard.statistics.pair_tests import equivalence
from leaderboard.statistics.pooled_counts import pseudo_values
from leaderboard.statistics.pooled_swaps import on_common_grid, swap_tests
from leaderboard.statistics.power import power_of
from leaderboard.statistics.sign_flips import Trainings, mean_tests, training_variance
from leaderboard.statistics.signed_ranks import holm, wilcoxon
from perf.made_up import BRIGHTNESS_SD, SEEDS, SHARES, Array, made_up_counts

FLIPS = 499
METHODS = 5
ALPHA = 0.05


def twice(subjects: int, sd: float, noise: float, cases: int) -> tuple[float, float]:
    """Return how often one method trained twice, three seeds each, is called two methods: by means, by signed ranks."""
    rng = np.random.default_rng([subjects, round(1000 * sd), round(1000 * noise)])
    wrong = np.zeros(2)
    for _ in range(cases):
        own = SHARES["a tenth 0"](rng, (subjects, 1, 1))
        shift = rng.normal(0, sd, (1, 2, SEEDS)) if sd else 0.0
        values = np.clip(own + shift + rng.normal(0, noise, (subjects, 2, SEEDS)), 0, 1)
        found = mean_tests([values[:, 0], values[:, 1]], [(0, 1)], FLIPS)
        means = values.mean(axis=2)
        wrong += found.adjusted[0] < ALPHA, wilcoxon(means[:, 0] - means[:, 1]).p < ALPHA
    return float(wrong[0]) / cases, float(wrong[1]) / cases


def _family(rng: np.random.Generator, size: tuple[int, int, int], gain: Array) -> Array:
    """Draw (subjects, methods, seeds)."""
    subjects, methods, seeds = size
    own = SHARES["a tenth 0"](rng, (subjects, 1, 1))
    shift = rng.normal(0, 0.02, (1, methods, seeds)) if seeds > 1 else 0.0
    return own + gain[None, :, None] + shift + rng.normal(0, 0.1, size)


def family_errors(
    subjects: int, seeds: int, differing: int, cases: int
) -> tuple[float, float | None]:
    """Return how often a family of five methods, the first ``differing`` of them better, finds a difference that is none.

    By means, and by Wilcoxon with Holm; the latter for one seed alone, since it knows nothing of trainings.
    """
    rng = np.random.default_rng([subjects, seeds, differing])
    pairs = list(itertools.combinations(range(METHODS), 2))
    equal = np.array([i >= differing for i, _ in pairs])
    gain = np.where(np.arange(METHODS) < differing, 0.1 * (1 + np.arange(METHODS)), 0.0)
    wrong = np.zeros(2)
    for _ in range(cases):
        values = _family(rng, (subjects, METHODS, seeds), gain)
        found = mean_tests([values[:, k] for k in range(METHODS)], pairs, FLIPS)
        wrong[0] += (found.adjusted[equal] < ALPHA).any()
        if seeds == 1:
            p = holm([wilcoxon(values[:, i, 0] - values[:, j, 0]).p for i, j in pairs])
            wrong[1] += (p[equal] < ALPHA).any()
    return float(wrong[0]) / cases, float(wrong[1]) / cases if seeds == 1 else None


def pooled_errors(subjects: int, seeds: int, differing: int, cases: int) -> float:
    """Return how often three methods, the first ``differing`` of them better, differ in pooled AP where they do not."""
    rng = np.random.default_rng([subjects, seeds, differing, 11])
    pairs = [(0, 1), (0, 2), (1, 2)]
    first, second = (np.array(side, dtype=np.intp) for side in zip(*pairs, strict=True))
    equal = np.array([i >= differing for i, _ in pairs])
    sd = BRIGHTNESS_SD if seeds > 1 else 0.0
    wrong = 0
    for _ in range(cases):
        state = rng.integers(2**32)
        gains = np.where(np.arange(3) < differing, 0.6, 0.0)
        methods = [
            # the same subjects for all, in whom a method's own luck is drawn apart
            made_up_counts(
                np.random.default_rng(state), subjects, seeds, gain + rng.normal(0, sd, seeds), rng
            )
            for gain in gains
        ]
        tables = [on_common_grid(own, own[0].subjects) for own in methods]
        pseudo = [pseudo_values(own, own[0].subjects) for own in methods]
        if any(one is None for one in (*tables, *pseudo)):
            continue
        variances = np.array([training_variance(own) for own in pseudo if own is not None])
        trainings = Trainings(variances, np.full(3, seeds), first, second)
        found = swap_tests([t for t in tables if t is not None], pairs, trainings, 399)
        wrong += bool((found.adjusted[equal] < ALPHA).any())
    return wrong / cases


def wrongly_equivalent(subjects: int, seeds: int, cases: int) -> float:
    """Return how often two methods count as equivalent whose difference is the margin itself."""
    rng = np.random.default_rng([subjects, seeds, 17])
    margin = 0.1
    wrong = 0
    for _ in range(cases):
        values = _family(rng, (subjects, 2, seeds), np.array([margin, 0.0]))
        tested = mean_tests([values[:, 0], values[:, 1]], [(0, 1)], 1)
        difference = np.array([values[:, 0].mean() - values[:, 1].mean()])
        wrong += equivalence(difference, tested, margin)[0] < ALPHA
    return wrong / cases


def found_of_detectable(subjects: int, seeds: int, cases: int) -> float:
    """Return how often the difference is found of which a table says that it is found in 4 of 5 repetitions."""
    rng = np.random.default_rng([subjects, seeds, 19])
    pairs = list(itertools.combinations(range(METHODS), 2))
    said = []
    for _ in range(max(cases // 10, 20)):
        values = _family(rng, (subjects, METHODS, seeds), np.zeros(METHODS))
        parts = [values[:, k] for k in range(METHODS)]
        power = power_of(parts, pairs, mean_tests(parts, pairs, FLIPS).critical, ())
        said.append(power.detectable if power is not None else 0.0)
    gain = np.array([float(np.mean(said)), 0.0, 0.0, 0.0, 0.0])
    found = 0
    for _ in range(cases):
        values = _family(rng, (subjects, METHODS, seeds), gain)
        found += (
            mean_tests([values[:, k] for k in range(METHODS)], pairs, FLIPS).adjusted[0] < ALPHA
        )
    return found / cases
