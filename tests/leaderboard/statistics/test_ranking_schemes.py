"""Rankings and Kendall's tau, against scipy and values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from andi_bench.metrics.uncertainty import resample_counts
from leaderboard.statistics.rankings import (
    kendall_tau,
    other_rankings,
    ranking_by_mean,
    ranks_of,
)


def test_kendalls_tau_by_hand():
    assert kendall_tau([1, 2, 3, 4], [1, 3, 2, 4])[0] == pytest.approx((5 - 1) / 6)
    assert kendall_tau([1, 2, 3], [3, 2, 1])[0] == -1
    # two tied in the second: 5 concordant, none discordant, tau-b = 5 / sqrt(6 * 5)
    assert kendall_tau([1, 2, 3, 4], [1, 2, 2, 4])[0] == pytest.approx(5 / math.sqrt(30))
    assert kendall_tau([1, 2, 3], [1, 1, 1]) == (None, None)


def test_equal_scores_share_the_better_rank():
    assert ranks_of(np.array([0.5, 0.9, 0.5, 0.1]), True).tolist() == [2, 1, 2, 4]
    assert ranks_of(np.array([0.5, 0.9, 0.5, 0.1]), False).tolist() == [2, 4, 2, 1]
    assert ranks_of(np.array([0.1 + 0.2, 0.3]), True).tolist() == [1, 1]


def test_the_three_schemes_by_hand_where_they_disagree():
    # the first method wins on the mean by one subject alone, the second within most subjects
    values = np.array([[0.9, 0.1, 0.0], [0.4, 0.5, 0.0], [0.4, 0.5, 0.0], [0.4, 0.5, 0.45]])
    draws = resample_counts(4, 50, np.random.default_rng(0))
    by_mean = ranking_by_mean([values[:, [k]] for k in range(3)], draws)
    by_rank, by_test = other_rankings(values, np.array([1, 1, 0]))
    assert by_mean.scores == pytest.approx((0.525, 0.4, 0.1125))
    assert by_mean.ranks == (1, 2, 3)
    assert by_rank.scores == pytest.approx(((1 + 2 + 2 + 3) / 4, (2 + 1 + 1 + 1) / 4, 11 / 4))
    assert by_rank.ranks == (2, 1, 3)
    assert by_test.scores == (1, 1, 0)
    assert by_test.ranks == (1, 1, 3)


def test_there_is_no_rank_by_tests_where_nothing_is_significant():
    (only,) = other_rankings(np.random.default_rng(0).random((5, 3)), np.zeros(3, dtype=np.int64))
    assert only.scheme == "by mean rank"


def test_rank_intervals_and_frequencies_are_those_of_the_resamples():
    rng = np.random.default_rng(5)
    values = rng.random((30, 4)) + np.array([0.3, 0.0, 0.02, -0.4])
    draws = resample_counts(30, 400, rng)
    again = np.array(
        [stats.rankdata(-np.repeat(values, count, axis=0).mean(axis=0), "min") for count in draws]
    )
    found = ranking_by_mean([values[:, [k]] for k in range(4)], draws)
    for method in range(4):
        shares = [(again[:, method] == rank).mean() for rank in (1, 2, 3, 4)]
        assert found.frequencies[method] == pytest.approx(shares)
        assert found.low[method] <= found.ranks[method] <= found.high[method]
        inside = (again[:, method] >= found.low[method]) & (again[:, method] <= found.high[method])
        assert inside.mean() >= 0.95
    assert found.ranks[0] == 1
    assert found.ranks[3] == 4


def test_ranks_of_fewer_than_five_subjects_are_not_resampled():
    values = np.random.default_rng(2).random((5, 3))
    draws = resample_counts(5, 50, np.random.default_rng(0))
    enough = ranking_by_mean([values[:, [k]] for k in range(3)], draws)
    few = ranking_by_mean([values[:4, [k]] for k in range(3)], draws[:, :4])
    assert enough.low
    assert enough.frequencies
    assert (few.low, few.high, few.frequencies) == ((), (), ())
    assert sorted(few.ranks) == [1, 2, 3]


def test_trainings_that_differ_make_a_rank_less_sure():
    rng = np.random.default_rng(6)
    own = rng.random((200, 1))
    shifts = np.array([-0.1, 0.0, 0.1])
    draws = resample_counts(200, 400, rng)
    sure = ranking_by_mean([own + 0.01, own], draws)
    assert sure.frequencies[0][0] == 1
    unsure = ranking_by_mean([own + 0.01 + shifts, own + shifts[::-1]], draws)
    assert 0.2 < unsure.frequencies[0][1] < 0.6
