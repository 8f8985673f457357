"""How far a threshold hangs on the validation subjects, against a search that tries every score on every resample."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.metrics import threshold_spread
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.resampling import DRAW_SEED, resample_counts
from andi_bench.metrics.threshold_spread import dice_above, resampled_thresholds
from andi_bench.metrics.thresholds import best_dice


def brains(rng, count, size=40, levels=12):
    """Draw scores of a few values, so that every one has a bin of its own, and lesions; every fourth subject has none."""
    made = []
    for index in range(count):
        lesion = rng.random(size) < (0.0 if index % 4 == 3 else 0.3)
        scores = rng.integers(0, levels, size) / 4 + lesion * rng.integers(0, 4, size) / 4
        made.append((scores.astype(np.float32), lesion))
    return made


def of(subjects):
    return [score_histogram(s, np.ones(s.shape, bool), lesion) for s, lesion in subjects]


def dice_by_hand(subjects, threshold):
    values = []
    for scores, lesion in subjects:
        if lesion.any():
            above = scores > threshold
            values.append(2 * (above & lesion).sum() / (above.sum() + lesion.sum()))
    return float(np.mean(values))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_each_resample_has_the_threshold_that_a_search_over_all_scores_finds(seed, count):
    rng = np.random.default_rng(seed)
    validation, tested = brains(rng, count), brains(rng, 5)
    found = resampled_thresholds(of(validation), of(tested), 30)
    ill = [subject for subject in validation if subject[1].any()]
    if not ill:
        assert found is None
        return
    assert found.subjects == len(ill)
    every = np.unique(np.concatenate([scores for scores, _ in ill]))
    every = np.append(np.nextafter(every[0], np.float32(-np.inf)), every)
    draws = resample_counts(len(ill), 30, np.random.default_rng(DRAW_SEED))
    for draw, threshold, dice in zip(draws, found.thresholds, found.dice, strict=True):
        again = [subject for subject, times in zip(ill, draw, strict=True) for _ in range(times)]
        reached = np.array([dice_by_hand(again, one) for one in every])
        wanted = every[np.flatnonzero(reached >= reached.max() - 1e-12)[-1]]
        assert threshold == wanted
        if any(lesion.any() for _, lesion in tested):
            assert dice == pytest.approx(dice_by_hand(tested, threshold), abs=1e-12)


def test_subjects_all_alike_give_the_frozen_threshold_in_every_resample():
    (one,) = of(brains(np.random.default_rng(3), 1))
    found = resampled_thresholds([one] * 5, [one], 50)
    assert set(found.thresholds.tolist()) == {best_dice([one]).threshold}
    assert found.dice.std() == 0


def test_without_a_lesion_in_validation_there_is_none_and_without_one_in_test_no_dice():
    ill, healthy = of(brains(np.random.default_rng(1), 4))[::3]
    assert resampled_thresholds([healthy], [ill], 10) is None
    assert np.isnan(resampled_thresholds([ill], [healthy], 10).dice).all()


def continuous(count, size, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        lesion = np.arange(size) < size // 50
        scores = rng.lognormal(size=size) * rng.uniform(0.6, 1.5) + 2.5 * lesion * rng.random(size)
        made.append((scores.astype(np.float32), lesion))
    return made


def test_of_many_scores_a_few_thousand_thresholds_give_nearly_the_best_dice(monkeypatch):
    validation = of(continuous(6, 20_000))
    few = resampled_thresholds(validation, validation, 40)
    monkeypatch.setattr(threshold_spread, "MOST_THRESHOLDS", 10**7)
    every = resampled_thresholds(validation, validation, 40)
    assert np.abs(few.dice - every.dice).max() < 2e-3
    assert len(set(every.thresholds.tolist())) > 3


def test_memory_does_not_grow_with_subjects_times_voxels():
    few = of(continuous(6, 8_000))

    def peak(times):
        tracemalloc.start()
        resampled_thresholds(few * times, few * times, 200)
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    peak(12)
    # one number a subject and threshold, not one a subject and score
    assert peak(24) - peak(12) < 72 * 2100 * 8 + 1e6


def test_dice_above_a_threshold_is_that_of_the_voxels():
    rng = np.random.default_rng(5)
    subjects = brains(rng, 4)
    for subject, histogram in zip(subjects, of(subjects), strict=True):
        found = dice_above(histogram, 1.25)
        assert (found is None) == (not subject[1].any())
        if found is not None:
            assert found == pytest.approx(dice_by_hand([subject], 1.25))
