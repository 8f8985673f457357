"""What intervals and tests promise, held against many made-up benchmarks of which the truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.uncertainty import bootstrap_mean, resample_counts
from leaderboard.statistics.signed_ranks import holm, wilcoxon

pytestmark = pytest.mark.slow

MEAN = 0.9 * 1.2 / 2.8


def dice(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw values as skewed as Dice: a tenth are 0, the others a beta distribution; the mean is MEAN."""
    return np.where(rng.random(shape) < 0.1, 0.0, rng.beta(1.2, 1.6, shape))


@pytest.mark.parametrize("subjects", [50, 150])
def test_intervals_of_a_mean_cover_the_truth_in_95_percent(subjects):
    rng = np.random.default_rng(subjects)
    hits, cases = 0, 1500
    for _ in range(cases):
        found = bootstrap_mean(dice(rng, subjects).tolist(), rng)
        hits += found.low <= MEAN <= found.high
    assert hits / cases == pytest.approx(0.95, abs=0.02)


def test_intervals_of_a_paired_difference_cover_the_truth_in_95_percent():
    rng = np.random.default_rng(1)
    hits, cases = 0, 1500
    for _ in range(cases):
        difficulty = rng.normal(0, 1, 60)
        first, second = (
            1 / (1 + np.exp(-(difficulty + shift + rng.normal(0, 0.5, 60)))) for shift in (0.3, 0.3)
        )
        draws = resample_counts(60, 1000, rng)
        low, high = np.percentile(draws @ (first - second) / 60, [2.5, 97.5])
        hits += low <= 0 <= high
    assert hits / cases == pytest.approx(0.95, abs=0.02)


def test_intervals_of_a_difference_in_pooled_average_precision_cover_the_truth_in_95_percent():
    """Two methods of equal quality on the same subjects: the truth is 0."""
    rng = np.random.default_rng(2)
    subjects, voxels, cases = 40, 400, 400
    hits = 0
    for _ in range(cases):
        lesions = [np.arange(voxels) < rng.integers(5, 60) for _ in range(subjects)]
        worth = rng.normal(1.5, 0.5, subjects)
        names = [str(k) for k in range(subjects)]
        draws = resample_counts(subjects, 1000, rng)
        resampled = []
        for _ in range(2):
            maps = [
                np.exp(rng.normal(0, 1, voxels) + (own + rng.normal(0, 0.3)) * lesion)
                for own, lesion in zip(worth, lesions, strict=True)
            ]
            histograms = [
                score_histogram(scores.astype(np.float32), np.ones(voxels, dtype=bool), lesion)
                for scores, lesion in zip(maps, lesions, strict=True)
            ]
            resampled.append(GroupedCounts.of(names, histograms).average_precision(draws))
        low, high = np.percentile(resampled[0] - resampled[1], [2.5, 97.5])
        hits += low <= 0 <= high
    assert hits / cases == pytest.approx(0.95, abs=0.035)  # three standard errors of so few cases


@pytest.mark.parametrize("subjects", [15, 80])
def test_among_equal_methods_a_family_finds_a_difference_in_at_most_5_percent(subjects):
    rng = np.random.default_rng(subjects)
    methods, cases = 5, 600
    wrong = single = 0
    for _ in range(cases):
        values = dice(rng, subjects, methods)
        p = [
            wilcoxon(values[:, first] - values[:, second]).p
            for first, second in itertools.combinations(range(methods), 2)
        ]
        wrong += min(holm(p)) < 0.05
        single += p[0] < 0.05
    assert wrong / cases <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / cases)
    assert single / cases == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / cases))


def test_a_true_difference_is_found():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        first = dice(rng, 80)
        found += wilcoxon(first - np.clip(first - rng.normal(0.05, 0.05, 80), 0, 1)).p < 0.05
    assert found >= 99
