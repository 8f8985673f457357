"""FROC against a sweep over every score that there is, and its intervals against a plain bootstrap."""

import numpy as np
import pytest
from scipy import ndimage

from andi_bench.metrics.froc import (
    RATES,
    THRESHOLDS,
    froc_counts,
    froc_of,
    froc_thresholds,
)
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.lesionwise import LesionLabels, lesion_wise

SHAPE = (26, 24, 16)


def drawn(seed, lesions=4, skill=2.0):
    """Smooth noise with some balls of lesions in it that are brighter by chance."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    brain = sum(((a - n / 2) / (n / 2)) ** 2 for a, n in zip(axes, SHAPE, strict=True)) < 0.95
    lesion = np.zeros(SHAPE, bool)
    scores = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.9)
    scores /= scores.std()
    for _ in range(lesions):
        centre = [rng.uniform(0.3 * n, 0.7 * n) for n in SHAPE]
        near = sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True))
        ball = (near < rng.uniform(1.3, 3) ** 2) & brain
        lesion |= ball
        scores += rng.uniform(0, 2 * skill) * ball
    return scores.astype(np.float32) * brain, brain, lesion


def test_counts_are_those_of_the_matching_at_each_threshold():
    scores, brain, lesion = drawn(1)
    thresholds = np.array([4.0, 2.0, 2.0, 0.5, -3.0], dtype=np.float32)
    found = froc_counts(scores, brain, lesion, thresholds)
    for threshold, (matches, false) in zip(thresholds, found, strict=True):
        alone = lesion_wise((scores > threshold) & brain, lesion, 0.01)
        assert (matches, matches + false) == (alone.matches, alone.detections)
    bare = froc_counts(scores, brain, np.zeros(SHAPE, bool), thresholds)
    assert (bare[:, 0] == 0).all()
    assert (bare[:, 1] == found.sum(axis=1)).all()
    assert (froc_counts(scores, np.zeros(SHAPE, bool), lesion, thresholds) == 0).all()


def test_small_detections_are_taken_out_before_they_count():
    scores, brain, lesion = drawn(2)
    thresholds = np.array([2.0], dtype=np.float32)
    every = froc_counts(scores, brain, lesion, thresholds)
    none = froc_counts(scores, brain, lesion, thresholds, clean=np.zeros_like)
    assert every.sum() > 0
    assert none.sum() == 0


def over_all(cases, rate):
    """The highest sensitivity with so few false positives, over every score that any subject has."""
    merged = np.unique(np.concatenate([scores[brain] for scores, brain, _ in cases]))
    counts = [froc_counts(*case, merged[::-1]) for case in cases]
    lesions = sum(len(LesionLabels(lesion).size) for _, _, lesion in cases)
    matches, false = np.sum(counts, axis=0, dtype=np.int64).T
    return (matches / lesions)[false / len(cases) <= rate].max(initial=0.0)


def test_the_chosen_thresholds_lack_one_lesion_of_all_of_them_at_most():
    cases = [drawn(seed, lesions=0 if seed == 3 else 4) for seed in range(4)]
    cases = [(np.round(scores * 40) / 40, brain, lesion) for scores, brain, lesion in cases]
    merged = ScoreHistogram.merge(score_histogram(*case) for case in cases)
    thresholds = froc_thresholds(merged)
    assert THRESHOLDS / 2 < len(thresholds) <= THRESHOLDS
    assert (np.diff(thresholds) < 0).all()
    lesions = [len(LesionLabels(lesion).size) for _, _, lesion in cases]
    found = froc_of([froc_counts(*case, thresholds) for case in cases], lesions, 0)
    for point in found.points:
        exact = over_all(cases, point.rate)
        assert exact - 1.01 / sum(lesions) <= point.sensitivity <= exact
    assert found.points[-1].sensitivity >= 0.3
    assert (found.lesions, found.with_lesion, found.scans) == (sum(lesions), 3, 4)


def test_a_figure_is_the_best_threshold_with_no_more_false_positives_over_all_scans():
    # at three thresholds: matches, false positives of two subjects with lesions and one without
    counts = [
        np.array([[1, 0], [2, 1], [1, 9]], dtype=np.uint32),
        np.array([[0, 1], [2, 2], [3, 9]], dtype=np.uint32),
        np.array([[0, 0], [0, 0], [0, 2]], dtype=np.uint32),
    ]
    found = froc_of(counts, [3, 5, 0], 0)
    at = {point.rate: point.sensitivity for point in found.points}
    assert at == {0.5: 1 / 8, 1: 4 / 8, 2: 4 / 8, 4: 4 / 8}  # one, three, twenty in three scans
    assert found.false_positives.tolist() == [1 / 3, 1]
    assert found.sensitivity.tolist() == [1 / 8, 4 / 8]
    assert froc_of(counts, [0, 0, 0], 0) is None
    silent = froc_of([np.empty((0, 2), np.uint32)] * 2, [1, 1], 10)
    assert [point.sensitivity for point in silent.points] == [0] * len(RATES)


def test_more_false_positives_never_buy_less_and_nothing_found_has_no_interval():
    counts = [np.array([[0, 1], [0, 3]], dtype=np.uint32)] * 5
    for point in froc_of(counts, [1] * 5, 50).points:
        assert (point.sensitivity, point.error, point.low, point.high) == (0, 0, None, None)


def test_the_error_is_that_of_a_bootstrap_of_subjects_with_all_their_lesions():
    rng = np.random.default_rng(0)
    lesions = rng.integers(1, 9, 30)
    share = rng.beta(2, 2, 30)
    steps = np.linspace(0.1, 1, 12)
    counts = [
        np.stack([np.round(n * p * steps), np.round(rng.integers(2, 9) * steps**2)], axis=1).astype(
            np.uint32
        )
        for n, p in zip(lesions, share, strict=True)
    ]
    found = froc_of(counts, lesions, 2000)
    drawn_again = []
    for _ in range(2000):
        who = rng.integers(0, 30, 30)
        again = froc_of([counts[k] for k in who], lesions[who], 0)
        drawn_again.append([point.sensitivity for point in again.points])
    for point, values in zip(found.points, np.transpose(drawn_again), strict=True):
        assert point.error == pytest.approx(values.std(), rel=0.1)
        assert point.low < point.sensitivity < point.high
