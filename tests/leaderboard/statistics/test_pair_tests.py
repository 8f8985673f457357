"""Pairs of rows: discordant winners, intervals, equivalence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from andi_bench.metrics.resampling import draws_of
from leaderboard.compare import compare
from leaderboard.statistics.pair_tests import mean_pair_tests, pooled_pair_tests
from leaderboard.statistics.pooled_swaps import STEPS

KEYS = (("a", "raw"), ("b", "raw"))


def pair_of(first, second, margin=None):
    values = [np.asarray(first, dtype=float), np.asarray(second, dtype=float)]
    values = [own.reshape(len(own), -1) for own in values]
    (test,), _ = mean_pair_tests(KEYS, values, 1, [(0, 1)], draws_of(len(values[0]), 1000), margin)
    return test


def test_a_row_that_most_subjects_favour_but_the_mean_does_not_is_named():
    """Version 1 called it better than all, below a row with a higher mean."""
    rng = np.random.default_rng(0)
    second = rng.uniform(0.4, 0.6, 40)
    first = second - 0.02 - rng.uniform(0, 0.001, 40)
    first[:4] = second[:4] + 0.4
    test = pair_of(first, second)
    assert test.difference > 0
    assert test.favoured == KEYS[0]
    assert test.ranks.better == KEYS[1]
    assert test.discordant == KEYS[1]
    assert test.better is None


def test_the_interval_of_a_difference_is_near_scipys_for_symmetric_values():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.5, 0.1, (2, 50))
    test = pair_of(first, second)
    wanted = stats.ttest_rel(first, second).confidence_interval()
    assert (test.low, test.high) == pytest.approx((wanted.low, wanted.high), abs=0.006)
    assert test.error == pytest.approx(stats.sem(first - second))


def test_equivalence_is_two_one_sided_t_tests():
    from statsmodels.stats.weightstats import ttost_paired

    rng = np.random.default_rng(2)
    first = rng.random(30)
    second = first + rng.normal(0.005, 0.03, 30)
    wanted = ttost_paired(first, second, -0.02, 0.02)[0]
    assert pair_of(first, second, margin=0.02).equivalent == pytest.approx(wanted)
    assert pair_of(first, second).equivalent is None
    same = pair_of(first, first, margin=0.02)
    assert same.equivalent == 0
    assert (same.low, same.high, same.p) == (None, None, 1.0)


def test_equivalence_of_rows_that_nothing_sets_apart_or_by_the_margin_itself():
    same = np.full((6, 1), 0.5)
    # a difference of the margin itself, of which nothing varies, is not within it
    assert pair_of(same + 0.25, same, margin=0.25).equivalent == 1
    assert pair_of(same + 0.25, same, margin=0.5).equivalent == 0
    # far within: not 0, which no p-value of a t test is
    close = np.random.default_rng(0).normal(0, 1e-3, (40, 1))
    assert 0 < pair_of(same[:1] + close, same[:1] + 0 * close, margin=0.1).equivalent < 1e-30


def test_no_interval_of_a_difference_of_shares_reaches_where_none_can_lie(make_run, records_dir):
    make_run("a", {"raw": [0.95, 0.9, 0.85, 0.1]}, protocol={"chains": ("raw",)})
    make_run("b", {"raw": [0.0, 0.05, 0.0, 0.02]}, protocol={"chains": ("raw",)})
    comparison = compare(records_dir)
    (table,) = comparison.tables
    family = comparison.statistics_of(table).family
    (test,) = family.tests
    assert sorted(map(abs, (test.low, test.high)))[-1] == 1.0
    assert -1 <= test.low < test.difference < test.high <= 1
    values = [np.array([[0.95], [0.9], [0.85], [0.1]]), np.array([[0.0], [0.05], [0.0], [0.02]])]
    draws = draws_of(4, 1000)
    amounts = mean_pair_tests(KEYS, values, 1, [(0, 1)], draws)[0][0]  # of millilitres, say
    assert max(abs(amounts.low), abs(amounts.high)) > 1


def test_no_interval_of_a_difference_in_pooled_average_precision_reaches_beyond_1():
    rng = np.random.default_rng(0)
    tables = [
        np.abs(rng.normal(size=(3, 2, STEPS))).astype(np.float32).cumsum(axis=2) for _ in KEYS
    ]
    pseudo = [np.array([[2.5], [-0.4], [0.8]]), np.array([[0.1], [0.05], [0.0]])]
    (test,) = pooled_pair_tests(KEYS, [0.95, 0.05], tables, pseudo, [(0, 1)], 2.0)
    assert (test.low, test.high) == (-1.0, 1.0)
