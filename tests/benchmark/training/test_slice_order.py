"""Which slices a training sees: every slice once a pass, or subjects and heights with equal weight."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.slice_order import (
    BANDS,
    BalancedOrder,
    balanced_weights,
    height_bands,
    sample_order,
)


def test_every_pass_visits_every_slice_once_however_the_stream_is_cut():
    whole = sample_order(7, 10, 0, 40)
    for epoch in range(4):
        assert sorted(whole[10 * epoch : 10 * epoch + 10]) == list(range(10))
    parts = [sample_order(7, 10, start, min(start + 7, 40)) for start in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(whole[:10], whole[10:20])


def patients(seed=0, count=9):
    """Slices of patients: many or few of each, with a gap where the lesion is."""
    rng = np.random.default_rng(seed)
    subjects, z = [], []
    for k in range(count):
        low, high = rng.integers(5, 25), rng.integers(60, 140)
        gap = rng.integers(low + 5, high - 5)
        width = rng.integers(0, 30)
        found = [n for n in range(low, high) if not gap <= n < min(gap + width, high - 2)]
        subjects += [f"p{k}"] * len(found)
        z += found
    return np.array(subjects), np.array(z)


def shares(subjects, z, drawn):
    """Return how much of a stream falls to each subject and to each band."""
    names, number = np.unique(subjects, return_inverse=True)
    bands = height_bands(number, z)[drawn]
    return (
        np.bincount(number[drawn], minlength=len(names)) / len(drawn),
        np.bincount(bands, minlength=BANDS) / len(drawn),
    )


def test_balanced_sampling_gives_subjects_and_heights_equal_weight():
    subjects, z = patients()
    of_subjects, of_bands = shares(subjects, z, BalancedOrder(subjects, z, 3)(0, 9 * 2000))
    assert np.allclose(of_subjects, 1 / 9, atol=1e-12)
    assert np.allclose(of_bands, 1 / BANDS, atol=0.01)
    plain, plain_bands = shares(subjects, z, np.arange(len(z)))
    assert np.ptp(plain) > 0.03
    assert np.ptp(plain_bands) > 0.03


def test_within_a_band_of_a_subject_all_slices_are_drawn_alike():
    subjects, z = patients(count=2)
    drawn = BalancedOrder(subjects, z, 0)(0, 60_000)
    number = (subjects == "p1").astype(np.int64)
    cell = number * BANDS + height_bands(number, z)
    counts = np.bincount(drawn, minlength=len(z))
    for value in np.unique(cell):
        here = counts[cell == value]
        assert here.min() > 0
        assert np.abs(here / here.mean() - 1).max() < 0.25


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 50),
    start=st.integers(0, 200),
    lengths=st.lists(st.integers(1, 40), max_size=5),
)
def test_the_balanced_stream_is_the_same_however_it_is_cut(seed, start, lengths):
    order = BalancedOrder(*patients(), seed)
    stop = start + sum(lengths)
    if not lengths:
        return
    whole = BalancedOrder(*patients(), seed)(0, stop)[start:]
    edges = start + np.cumsum([0, *lengths])
    parts = [order(low, high) for low, high in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_another_seed_gives_another_stream():
    first, second = (BalancedOrder(*patients(), seed)(0, 90) for seed in (0, 1))
    assert not np.array_equal(first, second)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_no_slice_is_asked_for_that_is_not_there(data):
    count = data.draw(st.integers(1, 6))
    subjects, z = [], []
    for k in range(count):
        found = data.draw(st.sets(st.integers(0, 40), min_size=1, max_size=8))
        subjects += [f"p{k}"] * len(found)
        z += sorted(found)
    drawn = BalancedOrder(np.array(subjects), np.array(z), 0)(0, 20 * count)
    of_subjects, _ = shares(np.array(subjects), np.array(z), drawn)
    assert np.allclose(of_subjects, 1 / count)
    assert set(drawn) <= set(range(len(z)))


def test_weights_are_equal_by_row_and_as_equal_by_column_as_can_be():
    filled = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1]], dtype=bool)
    weights = balanced_weights(filled)
    assert (weights[~filled] == 0).all()
    assert weights.sum(axis=1) == pytest.approx([1 / 3] * 3)
    assert weights.sum(axis=0) == pytest.approx([1 / 4] * 4, rel=1e-3)
    alone = balanced_weights(np.array([[1, 0], [1, 0], [1, 1]], dtype=bool))
    assert alone.sum(axis=1) == pytest.approx([1 / 3] * 3)
    assert alone[2, 1] > 0.3
