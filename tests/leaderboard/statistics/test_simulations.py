"""What intervals and tests promise, held against many made-up benchmarks of which the truth is known."""

from __future__ import annotations

import pytest

from leaderboard.words.promises import GOOD, simulations
from perf.coverage import (
    AMOUNTS,
    SEED_SDS,
    SHARES,
    SUBJECTS,
    covered_amounts,
    covered_pooled,
    covered_shares,
    family_errors,
    pooled_errors,
    twice,
)

pytestmark = pytest.mark.slow

CASES = 600
NOISE = 3.5 * (0.05 * 0.95 / CASES) ** 0.5


def said(kind, **setting):
    """Return what the committed file says of a setting."""
    (cell,) = [
        cell
        for cell in simulations()[kind]
        if all(cell[key] == value for key, value in setting.items())
    ]
    return cell


@pytest.mark.parametrize("sd", [None, *SEED_SDS])
@pytest.mark.parametrize("subjects", SUBJECTS)
@pytest.mark.parametrize("shape", SHARES)
def test_intervals_of_shares_cover_the_truth_as_the_file_says(shape, subjects, sd):
    seeds = 1 if sd is None else 3
    covered = covered_shares(shape, subjects, seeds, sd or 0.0, CASES)
    cell = said("shares", shape=shape, subjects=subjects, seeds=seeds, sd=sd or 0.0)
    assert covered == pytest.approx(cell["covered"], abs=NOISE)
    if GOOD[0] <= cell["covered"] <= GOOD[1]:
        assert GOOD[0] - NOISE <= covered <= GOOD[1] + NOISE


@pytest.mark.parametrize("sd", [None, *SEED_SDS])
@pytest.mark.parametrize("subjects", SUBJECTS)
@pytest.mark.parametrize("shape", AMOUNTS)
def test_intervals_of_amounts_cover_the_truth_as_the_file_says(shape, subjects, sd):
    seeds = 1 if sd is None else 3
    covered = covered_amounts(shape, subjects, seeds, sd or 0.0, CASES)
    cell = said("amounts", shape=shape, subjects=subjects, seeds=seeds, sd=sd or 0.0)
    assert covered == pytest.approx(cell["covered"], abs=1.5 * NOISE)


@pytest.mark.parametrize("subjects", SUBJECTS)
def test_intervals_of_pooled_average_precision_cover_the_truth_as_the_file_says(subjects):
    covered = covered_pooled(subjects, 400)
    assert covered == pytest.approx(said("pooled", subjects=subjects)["covered"], abs=0.06)


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("sd", SEED_SDS)
@pytest.mark.parametrize("subjects", [10, 30, 250])
def test_one_method_trained_twice_is_two_in_at_most_7_percent(subjects, sd, noise):
    assert twice(subjects, sd, noise, CASES) <= 0.07 + NOISE / 2


@pytest.mark.parametrize("differing", [0, 2])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("subjects", [8, 30, 250])
def test_a_family_finds_a_difference_that_is_none_in_about_5_percent(subjects, seeds, differing):
    assert family_errors(subjects, seeds, differing, CASES) <= 0.05 + NOISE


@pytest.mark.parametrize("subjects", [8, 10, 30, 60])
def test_equal_methods_differ_in_pooled_average_precision_in_about_5_percent(subjects):
    assert pooled_errors(subjects, CASES) <= 0.05 + NOISE


def test_a_true_difference_is_found():
    """Power of what ranks, where Wilcoxon with Holm has none: ten subjects, eight methods.

    The smallest p of a signed-rank test of ten pairs is 2 / 1024: times 28 comparisons it is above .05.
    """
    import itertools

    import numpy as np

    from leaderboard.statistics.sign_flips import mean_tests
    from leaderboard.statistics.signed_ranks import holm, wilcoxon

    rng = np.random.default_rng(0)
    pairs = list(itertools.combinations(range(8), 2))
    found = by_ranks = 0
    for _ in range(100):
        values = rng.random((10, 1)) + 0.1 * np.arange(8) + rng.normal(0, 0.05, (10, 8))
        tested = mean_tests([values[:, [k]] for k in range(8)], pairs)
        found += (tested.adjusted < 0.05).mean()
        p = holm([wilcoxon(values[:, i] - values[:, j]).p for i, j in pairs])
        by_ranks += (p < 0.05).mean()
    assert found / 100 > 0.45
    assert by_ranks / 100 < 0.05
