"""Intervals of means against scipy, statsmodels and a bootstrap by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats

from andi_bench.metrics.mean_intervals import (
    amount_intervals,
    share_interval,
    t_quantile,
    two_way,
)
from andi_bench.metrics.resampling import resample_counts


def test_mean_squares_are_those_of_statsmodels_analysis_of_variance():
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values = np.random.default_rng(0).random((9, 3)) + np.array([0.0, 0.2, -0.1])
    lines = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(9), 3),
            "seed": np.tile(np.arange(3), 9),
            "value": values.ravel(),
        }
    )
    table = anova_lm(ols("value ~ C(subject) + C(seed)", lines).fit())
    found = two_way(values)
    squares = [found.of_subjects, found.of_trainings, found.of_rest]
    assert squares == pytest.approx(table["mean_sq"].tolist())
    assert found.variance == pytest.approx((squares[0] + squares[1] - squares[2]) / 27)


def test_components_are_found_again_in_many_values():
    rng = np.random.default_rng(1)
    values = (
        0.5
        + rng.normal(0, 0.2, (3000, 1))
        + rng.normal(0, 0.05, (1, 400))
        + rng.normal(0, 0.1, (3000, 400))
    )
    found = two_way(values)
    assert found.sd_of_subjects == pytest.approx(0.2, rel=0.05)
    assert found.sd_of_trainings == pytest.approx(0.05, rel=0.1)
    assert found.sd_of_rest == pytest.approx(0.1, rel=0.01)


def test_one_training_is_students_t_on_the_logit():
    values = np.random.default_rng(2).beta(1, 3, 12)
    mean = values.mean()
    error = stats.sem(values) / (mean * (1 - mean))
    wanted = special.expit(stats.t.interval(0.95, 11, special.logit(mean), error))
    assert share_interval(values[:, None]) == pytest.approx(tuple(wanted))


def test_the_same_training_three_times_tells_no_more_than_once():
    values = np.random.default_rng(3).random((10, 1))
    assert share_interval(np.repeat(values, 3, axis=1)) == pytest.approx(share_interval(values))


def test_trainings_that_differ_widen_the_interval():
    rng = np.random.default_rng(4)
    values = rng.random((100, 1)) + np.zeros(3) + rng.normal(0, 0.01, (100, 3))
    values = np.clip(values * 0.5 + 0.2, 0, 1)
    own, moved = (share_interval(values + shift) for shift in (0, np.array([-0.1, 0.0, 0.1])))
    assert moved[1] - moved[0] > 2 * (own[1] - own[0])
    assert two_way(values + np.array([-0.1, 0.0, 0.1])).degrees < 5


@given(arrays(float, (6, 2), elements=st.floats(0, 1)))
def test_limits_of_a_share_lie_around_its_mean_within_0_and_1(values):
    found = share_interval(values)
    if found is not None:
        assert 0 <= found[0] < values.mean() < found[1] <= 1


def test_where_nothing_tells_how_far_it_could_lie_there_is_no_interval():
    assert share_interval(np.full((8, 1), 0.4)) is None
    assert share_interval(np.zeros((8, 3))) is None
    assert share_interval(np.array([[0.2], [0.7]])) is None
    draws = resample_counts(8, 50, np.random.default_rng(0))
    assert amount_intervals([np.full((8, 1), 4.0)], draws) == [None]
    assert amount_intervals([], draws) == []
    with pytest.raises(ValueError, match="1 subjects: two wanted"):
        two_way(np.ones((1, 3)))


def test_bootstrap_t_is_that_by_hand():
    rng = np.random.default_rng(5)
    values = rng.lognormal(2, 0.8, 15)
    draws = resample_counts(15, 300, rng)
    again = [np.repeat(values, count) for count in draws]
    t = [(own.mean() - values.mean()) / stats.sem(own) for own in again]
    low, high = np.percentile(t, [2.5, 97.5])
    wanted = values.mean() - high * stats.sem(values), values.mean() - low * stats.sem(values)
    (found,) = amount_intervals([values[:, None]], draws)
    assert found == pytest.approx(wanted)
    assert found[1] - values.mean() > values.mean() - found[0]  # as skewed as the values


def test_metrics_that_are_undefined_for_some_subjects_share_the_resamples():
    rng = np.random.default_rng(6)
    values = rng.exponential(5, (40, 1))
    holes = values.copy()
    holes[5:12] = np.nan
    draws = resample_counts(40, 2000, rng)
    whole, part = amount_intervals([values, holes], draws)
    assert whole == pytest.approx(amount_intervals([values], draws)[0])
    left = values[~np.isnan(holes[:, 0])]
    alone = amount_intervals([left], resample_counts(33, 2000, rng))[0]
    assert part == pytest.approx(alone, rel=0.12)


def test_an_amount_that_cannot_be_negative_has_no_negative_limit():
    values = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 9.0])[:, None]
    (found,) = amount_intervals([values], resample_counts(6, 500, np.random.default_rng(1)))
    assert found[0] >= 0


def test_quantiles_are_scipys():
    for degrees in (1, 2.5, 9, 1e6):
        assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees))
