"""The smooth line: a weighted mean of what is near, and nothing where few are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.figures.smooth import smooth_line


def test_of_fewer_than_five_subjects_there_is_no_line():
    assert smooth_line(np.arange(4.0), np.full(4, 0.5)) is None
    assert smooth_line(np.zeros(5), np.full(5, 0.5)) is not None


def test_where_few_are_near_there_is_no_line():
    x = np.concatenate([np.linspace(0, 0.2, 30), [3.0]])  # one subject far from all others
    line = smooth_line(x, np.full(31, 0.5))
    known = np.isfinite(line.mean)
    assert known[0]
    assert not known[-1]
    assert (np.isfinite(line.low) == known).all()


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), min_size=5, max_size=40))
def test_the_line_stays_among_the_values_and_in_its_band(pairs):
    x, y = np.array(pairs).T
    line = smooth_line(x, y)
    if line is None:
        return
    known = np.isfinite(line.mean)
    assert (line.mean[known] >= y.min() - 1e-9).all()
    assert (line.mean[known] <= y.max() + 1e-9).all()
    assert (line.low[known] <= line.high[known]).all()


def test_it_is_the_weighted_mean_by_hand():
    x, y = np.array([0.0, 0.0, 0.0, 0.1, 0.1, 0.1]), np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    line = smooth_line(x, y)
    near = 1.0  # at x = 0, with a reach of 0.25
    far = (1 - (0.1 / 0.25) ** 3) ** 3
    assert line.mean[0] == pytest.approx(far / (near + far))
