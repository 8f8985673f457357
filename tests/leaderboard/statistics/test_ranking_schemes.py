"""Rankings, Friedman and Kendall against Demsar (2006), and values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from andi_bench.metrics.uncertainty import resample_counts
from leaderboard.statistics.rankings import (
    critical_difference,
    friedman,
    kendall_tau,
    rankings,
    ranks_of,
    wins,
)

# Demsar (2006), table 6: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets. 'voting' prints 0.975 twice; his ranks
# there, 2 and 3, tell the two apart.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_demsars_example_average_ranks_and_his_statistics_from_them():
    found = friedman(DEMSAR)
    assert found is not None
    assert found.average_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    # his formula, which does not correct for ties
    subjects, methods = DEMSAR.shape
    ranks = np.square(found.average_ranks).sum()
    chi2 = 12 * subjects / (methods * (methods + 1)) * (ranks - methods * (methods + 1) ** 2 / 4)
    assert chi2 == pytest.approx(9.28, abs=5e-3)
    assert (subjects - 1) * chi2 / (subjects * (methods - 1) - chi2) == pytest.approx(
        3.69, abs=5e-3
    )
    # with the correction, as R's friedman.test has it, the statistic is larger
    assert found.chi2 == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).statistic)
    assert found.chi2 > chi2


def test_demsars_critical_difference():
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)  # section 3.2.2: q = 2.569
    assert critical_difference(2, 1) == pytest.approx(1.960, abs=5e-4)  # table 5, times sqrt(6 / 6)


def test_friedman_without_ties_by_hand():
    # three subjects agree on the order of three methods: chi2 = N (k - 1) = 6, F infinite
    found = friedman(np.array([[3.0, 2, 1], [6, 5, 4], [9, 8, 7]]))
    assert found is not None
    assert found.average_ranks == (1, 2, 3)
    assert found.chi2 == pytest.approx(6)
    assert found.p == pytest.approx(math.exp(-3))  # chi-squared with two degrees of freedom
    assert (found.f, found.f_p) == (None, None)


def test_friedman_wants_three_methods_two_subjects_and_a_difference():
    assert friedman(np.ones((5, 2))) is None
    assert friedman(np.ones((1, 3))) is None
    assert friedman(np.ones((5, 3))) is None


def test_kendalls_tau_by_hand():
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx((5 - 1) / 6)
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    # two tied in the second: 5 concordant, none discordant, tau-b = 5 / sqrt(6 * 5)
    assert kendall_tau([1, 2, 3, 4], [1, 2, 2, 4]) == pytest.approx(5 / math.sqrt(30))
    assert kendall_tau([1, 2, 3], [1, 1, 1]) is None


def test_equal_scores_share_the_better_rank():
    assert ranks_of(np.array([0.5, 0.9, 0.5, 0.1]), True).tolist() == [2, 1, 2, 4]
    assert ranks_of(np.array([0.5, 0.9, 0.5, 0.1]), False).tolist() == [2, 4, 2, 1]
    assert ranks_of(np.array([0.1 + 0.2, 0.3]), True).tolist() == [1, 1]


def test_the_three_schemes_by_hand_where_they_disagree():
    # the first method wins on the mean by one subject alone, the second within most subjects
    values = np.array([[0.9, 0.1, 0.0], [0.4, 0.5, 0.0], [0.4, 0.5, 0.0], [0.4, 0.5, 0.45]])
    draws = resample_counts(4, 50, np.random.default_rng(0))
    by_mean, by_rank, by_test = rankings(values, np.array([1, 1, 0]), draws)
    assert by_mean.scores == pytest.approx((0.525, 0.4, 0.1125))
    assert by_mean.ranks == (1, 2, 3)
    assert by_rank.scores == pytest.approx(((1 + 2 + 2 + 3) / 4, (2 + 1 + 1 + 1) / 4, 11 / 4))
    assert by_rank.ranks == (2, 1, 3)
    assert by_test.scores == (1, 1, 0)
    assert by_test.ranks == (1, 1, 3)


def test_the_count_of_significantly_worse_methods():
    # pairs (0, 1), (0, 2), (1, 2)
    p, signs = np.array([0.01, 0.2, 0.049]), np.array([1.0, 1.0, -1.0])
    assert wins(p, signs, 3).tolist() == [1, 0, 1]
    assert wins(np.array([[0.04, 1, 1]]), np.array([[-1.0, 1, 1]]), 3).tolist() == [[0, 1, 0]]


def test_rank_intervals_and_frequencies_are_those_of_the_resamples():
    rng = np.random.default_rng(5)
    values = rng.random((30, 4)) + np.array([0.3, 0.0, 0.02, -0.4])
    draws = resample_counts(30, 400, rng)
    again = np.array(
        [stats.rankdata(-np.repeat(values, count, axis=0).mean(axis=0), "min") for count in draws]
    )
    found = rankings(values, np.zeros(4, dtype=np.int64), draws)[0]
    for method in range(4):
        shares = [(again[:, method] == rank).mean() for rank in (1, 2, 3, 4)]
        assert found.frequencies[method] == pytest.approx(shares)
        assert found.low[method] <= found.ranks[method] <= found.high[method]
        inside = (again[:, method] >= found.low[method]) & (again[:, method] <= found.high[method])
        assert inside.mean() >= 0.95
    assert found.ranks[0] == 1
    assert found.ranks[3] == 4
