"""Sign flips against scipy and brute force, step-down against its definition, trainings against Satterthwaite's t."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from leaderboard.statistics.sign_flips import mean_tests, signs_of, training_variance


def columns(values: np.ndarray) -> list[np.ndarray]:
    return [values[:, [k]] for k in range(values.shape[1])]


def test_one_pair_is_scipys_paired_permutation_test_of_the_studentised_mean():
    values = np.random.default_rng(0).random((9, 2)) + np.array([0.25, 0.0])

    def statistic(first, second, axis):
        return stats.ttest_rel(first, second, axis=axis).statistic

    reference = stats.permutation_test(
        (values[:, 0], values[:, 1]),
        statistic,
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    found = mean_tests(columns(values), [(0, 1)])
    assert found.exact
    assert found.p[0] == pytest.approx(reference.pvalue)
    assert found.adjusted[0] == found.p[0]
    assert found.errors[0] == pytest.approx(stats.sem(values[:, 0] - values[:, 1]))


def test_step_down_is_westfalls_and_youngs_over_all_flips():
    values = np.random.default_rng(1).random((8, 4)) + np.array([0.6, 0.3, 0.1, 0.0])
    pairs = list(itertools.combinations(range(4), 2))
    differences = np.stack([values[:, i] - values[:, j] for i, j in pairs], axis=1)

    def t_of(signs):
        moved = differences * np.array(signs)[:, None]
        return np.abs(stats.ttest_1samp(moved, 0).statistic)

    flips = np.array([t_of(signs) for signs in itertools.product([1, -1], repeat=8)])
    observed = t_of([1] * 8)
    order = np.argsort(-observed)
    wanted, last = np.empty(len(pairs)), 0.0
    for place, pair in enumerate(order):
        left = flips[:, order[place:]].max(axis=1)
        last = max(last, (left >= observed[pair] - 1e-9).mean())
        wanted[pair] = last
    found = mean_tests(columns(values), pairs)
    assert found.adjusted == pytest.approx(wanted)
    assert found.p == pytest.approx((flips >= observed - 1e-9).mean(axis=0))
    assert (found.p <= found.adjusted + 1e-12).all()


def test_many_subjects_are_flipped_at_random_and_agree_with_the_t_test():
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, (80, 2)) + np.array([0.3, 0.0])
    found = mean_tests(columns(values), [(0, 1)])
    assert not found.exact
    assert found.floor == pytest.approx(1e-4)
    assert found.p[0] == pytest.approx(stats.ttest_rel(*values.T).pvalue, rel=0.2)
    again = mean_tests(columns(values), [(0, 1)])
    assert again.p[0] == found.p[0]


def test_the_smallest_p_is_the_floor_and_equal_rows_are_no_difference():
    values = np.array([[0.5, 0.6, 0.6]] * 4)
    found = mean_tests(columns(values), [(0, 1), (1, 2)])
    assert found.p.tolist() == [1 / 8, 1.0]
    assert found.floor == 1 / 8
    signs, listed = signs_of(4)
    assert listed
    assert len({tuple(line) for line in signs.tolist()}) == 8


def test_trainings_that_differ_take_the_difference_back():
    rng = np.random.default_rng(3)
    own = rng.random((60, 1))
    noise = rng.normal(0, 0.02, (2, 60, 3))
    shift = np.array([0.05, -0.05, 0.0])
    steady = mean_tests([own + 0.04 + noise[0], own + noise[1]], [(0, 1)])
    moved = mean_tests([own + 0.04 + noise[0] + shift, own + noise[1] - shift], [(0, 1)])
    assert steady.adjusted[0] < 0.001
    assert moved.adjusted[0] > 0.05
    assert not moved.exact
    assert moved.degrees[0] < 6 < steady.degrees[0]


def test_where_trainings_are_all_that_varies_p_is_students_with_two_samples():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.06, 0.03, 3), rng.normal(0.0, 0.03, 3)
    own = rng.normal(0.5, 1e-4, (200, 1))
    found = mean_tests([own + a, own + b], [(0, 1)])
    reference = stats.ttest_ind(a, b, equal_var=False)
    assert found.errors[0] == pytest.approx(
        np.sqrt(a.var(ddof=1) / 3 + b.var(ddof=1) / 3), rel=1e-3
    )
    assert found.degrees[0] == pytest.approx(reference.df, rel=1e-3)
    assert found.p[0] == pytest.approx(reference.pvalue, abs=0.02)


def test_one_seed_cannot_tell_how_much_trainings_vary():
    assert training_variance(np.random.default_rng(0).random((9, 1))) == 0
