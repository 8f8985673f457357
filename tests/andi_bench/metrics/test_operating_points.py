"""Operating points against a search over every observed score, by numpy alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.filters import threshold_yen

from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.points import freeze
from andi_bench.metrics.thresholds import (
    best_dice,
    detect,
    dice_curve,
    false_positive_thresholds,
    yen_detection,
    yen_threshold,
)

Subject = tuple[np.ndarray, np.ndarray]


def of(subjects: list[Subject]) -> list[ScoreHistogram]:
    return [
        score_histogram(scores, np.ones(scores.shape, bool), lesion) for scores, lesion in subjects
    ]


def dice_by_hand(subjects: list[Subject], threshold: float) -> float:
    values = []
    ill = [(scores, lesion) for scores, lesion in subjects if lesion.any()]
    for scores, lesion in ill or subjects:
        above = scores > np.float32(threshold)
        both = above.sum() + lesion.sum()
        values.append(1.0 if both == 0 else 2 * (above & lesion).sum() / both)
    return float(np.mean(values))


def every_threshold(subjects: list[Subject]) -> np.ndarray:
    observed = np.unique(np.concatenate([scores for scores, _ in subjects]))
    return np.append(np.nextafter(observed[0], np.float32(-np.inf)), observed)


def brains(count: int, size: int, lesions: int, seed: int = 0) -> list[Subject]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        lesion = np.zeros(size, bool)
        lesion[:lesions] = True
        scores = rng.lognormal(size=size) * rng.uniform(0.7, 1.4) + 3 * lesion * rng.random(size)
        made.append((scores.astype(np.float32), lesion))
    return made


small = st.lists(
    st.integers(1, 25).flatmap(
        lambda size: st.tuples(
            hnp.arrays(
                np.float32,
                size,
                elements=st.sampled_from([-2.0, -0.0, 0.0, 0.25, 0.5, 7.0])
                | st.floats(-(2.0**100), 2.0**100, width=32),
            ),
            hnp.arrays(bool, size),
        )
    ),
    min_size=1,
    max_size=4,
)


@given(small)
@settings(max_examples=120, deadline=None)
def test_the_best_dice_is_the_best_over_every_observed_score(subjects: list[Subject]) -> None:
    point = best_dice(of(subjects))
    brute = max(dice_by_hand(subjects, threshold) for threshold in every_threshold(subjects))
    assert point.value == pytest.approx(brute, abs=1e-12)
    assert dice_by_hand(subjects, point.threshold) == pytest.approx(point.value, abs=1e-12)
    # A bin of width one leaves nothing open.
    assert dice_curve(of(subjects)).dice.max() == pytest.approx(brute, abs=1e-12)


@given(small, st.floats(0, 1))
@settings(max_examples=120, deadline=None)
def test_the_false_positive_threshold_is_the_lowest_that_holds_the_rate(
    subjects: list[Subject], rate: float
) -> None:
    healthy = np.concatenate([scores[~lesion] for scores, lesion in subjects])
    if not len(healthy):
        with pytest.raises(ValueError, match="no voxels"):
            false_positive_thresholds(of(subjects), {"val-fpr": rate})["val-fpr"]
        return
    point = false_positive_thresholds(of(subjects), {"val-fpr": rate})["val-fpr"]
    assert (healthy > np.float32(point.threshold)).mean() == pytest.approx(point.value, abs=1e-12)
    assert point.value <= rate
    assert all((healthy > score).mean() > rate for score in healthy[healthy < point.threshold])


def scales(shift: float, spread: float) -> list[Subject]:
    """Two subjects, the second with all its scores within a bin or two of the first one's."""
    rng = np.random.default_rng(5)
    lesions = [rng.random(60_000) < 0.03 for _ in range(2)]
    wide = np.exp(2 * rng.normal(size=60_000)) * (1 + 2 * lesions[0])
    narrow = shift + spread * (rng.normal(size=60_000) + 2 * lesions[1])
    return list(zip((wide.astype(np.float32), narrow.astype(np.float32)), lesions, strict=True))


@pytest.mark.parametrize("spread", [1e-6, 1e-5, 1e-3])
def test_the_optimum_is_found_where_a_subjects_scores_lie_within_a_bin_of_anothers(
    spread: float,
) -> None:
    subjects = scales(1.7, spread)
    point = best_dice(of(subjects), read=lambda: iter(subjects))
    assert dice_by_hand(subjects, point.threshold) == pytest.approx(point.value, abs=1e-12)
    candidates = np.unique(subjects[1][0])
    candidates = candidates[:: max(1, len(candidates) // 300)]
    best = max(dice_by_hand(subjects, threshold) for threshold in candidates)
    assert point.value >= best - point.slack - 1e-12
    assert point.slack <= 5e-4
    assert not point.at_edge


def test_a_false_positive_threshold_inside_a_shared_bin_is_the_lowest_that_holds_the_rate() -> None:
    subjects = scales(20.0, 1e-4)
    healthy = np.concatenate([scores[~lesion] for scores, lesion in subjects])
    for rate in (0.05, 0.2):
        found = false_positive_thresholds(of(subjects), {"r": rate}, read=lambda: iter(subjects))
        share = (healthy > np.float32(found["r"].threshold)).mean()
        assert share == pytest.approx(found["r"].value, abs=1e-12)
        assert share <= rate
        # voxels that share the next score are all that is missing
        below = healthy[healthy <= np.float32(found["r"].threshold)].max()
        assert (healthy >= below).mean() > rate


def test_where_every_bin_holds_one_score_nothing_is_left_open() -> None:
    rng = np.random.default_rng(2)
    subjects = [
        ((rng.random(20_000) < share).astype(np.float32), rng.random(20_000) < 0.1)
        for share in (0.3, 0.05)
    ]
    assert best_dice(of(subjects)).slack == 0


def test_validation_subjects_that_are_lesion_throughout_have_no_false_positive_rates() -> None:
    points = freeze(of([(np.arange(5, dtype=np.float32), np.ones(5, bool))]))
    assert set(points) == {"val-dice"}
    assert points["val-dice"].value == 1


def test_a_threshold_is_finite_even_under_the_lowest_float() -> None:
    lowest = np.full(6, np.finfo(np.float32).min)
    lesion = np.arange(6) < 3
    points = freeze(of([(lowest, lesion)]))
    assert all(np.isfinite(point.threshold) for point in points.values())
    assert points["val-dice"].value == 0


def test_binned_scores_lose_no_more_than_the_slack_against_the_search_over_every_score() -> None:
    subjects = brains(4, 40_000, 1_500)
    point = best_dice(of(subjects))
    assert dice_by_hand(subjects, point.threshold) == pytest.approx(point.value, abs=1e-12)
    finest = max(dice_by_hand(subjects, threshold) for threshold in every_threshold(subjects)[::37])
    assert finest <= point.value + point.slack + 1e-12
    assert point.slack < 1e-3
    assert not point.at_edge


def test_the_dice_curve_is_exact_at_every_one_of_its_thresholds() -> None:
    subjects = brains(3, 20_000, 700)
    curve = dice_curve(of(subjects))
    assert len(curve.threshold) > 3_000
    for index in range(0, len(curve.threshold), 500):
        expected = dice_by_hand(subjects, curve.threshold[index])
        assert curve.dice[index] == pytest.approx(expected, abs=1e-12)
    assert (curve.most >= curve.dice).all()


def test_calibrated_rates_hold_on_the_subjects_they_were_found_on() -> None:
    subjects = brains(5, 30_000, 500)
    points = freeze(of(subjects))
    healthy = np.concatenate([scores[~lesion] for scores, lesion in subjects])
    for name, nominal in (("val-fpr1", 0.01), ("val-fpr5", 0.05)):
        share = (healthy > points[name].threshold).mean()
        assert share == pytest.approx(points[name].value, abs=1e-12)
        assert nominal * 0.99 < share <= nominal
    assert set(points) == {"val-dice", "val-fpr1", "val-fpr5"}
    assert points["val-dice"].subjects == 5


def test_lesion_free_subjects_do_not_move_the_threshold() -> None:
    scores = np.array([0.0, 1.0, 2.0, 3.0], dtype=np.float32)
    with_lesion = (scores, np.array([False, False, True, True]))
    lesion_free = (np.array([0.0, 0.0, 0.0, 2.0], dtype=np.float32), np.zeros(4, bool))
    assert best_dice(of([with_lesion])).threshold == 1
    both = best_dice(of([lesion_free, with_lesion]))
    assert (both.threshold, both.value, both.subjects) == (1, 1, 1)


def test_a_set_without_lesions_is_best_with_nothing_detected_and_says_it_is_the_edge() -> None:
    point = best_dice(of([(np.arange(5, dtype=np.float32), np.zeros(5, bool))]))
    assert point.threshold == 4
    assert (point.value, point.subjects) == (1, 0)
    assert point.at_edge


def test_an_inverted_map_has_its_optimum_at_the_edge() -> None:
    scores = np.arange(10, dtype=np.float32)
    point = best_dice(of([(scores, scores < 9)]))
    assert point.at_edge
    assert point.value == pytest.approx(18 / 19)


def test_of_equally_good_thresholds_the_highest_is_taken_whatever_the_order_of_subjects() -> None:
    subjects = brains(6, 3_000, 200)
    assert best_dice(of(subjects)) == best_dice(of(subjects[::-1]))


def test_no_subject_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="no voxels"):
        freeze([])


def test_detection_is_strictly_above_the_threshold_and_inside_the_region() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.3], dtype=np.float32)
    assert detect(scores, 0.2).tolist() == [False, False, True, True]
    inside = np.array([True, True, True, False])
    assert detect(scores, float(np.float32(0.1)), inside).tolist() == [False, True, True, False]


def test_yen_is_scikit_images_inside_the_brain_then_dilated_once() -> None:
    rng = np.random.default_rng(0)
    brain = np.zeros((20, 20, 20), bool)
    brain[3:17, 3:17, 3:17] = True
    scores = np.where(brain, rng.gamma(1.0, size=brain.shape), 0).astype(np.float32)
    detection, threshold = yen_detection(scores, brain)
    assert threshold == pytest.approx(float(threshold_yen(scores[brain])))
    cross = ndimage.generate_binary_structure(3, 1)
    expected = ndimage.binary_dilation((scores > np.float32(threshold)) & brain, cross) & brain
    assert np.array_equal(detection, expected)
    assert yen_detection(scores)[1] == pytest.approx(float(threshold_yen(scores)))


def test_yen_of_a_constant_map_detects_nothing() -> None:
    detection, threshold = yen_detection(np.full((4, 4, 4), 0.7, dtype=np.float32))
    assert threshold is None
    assert not detection.any()


@pytest.mark.parametrize(
    "scores",
    [
        np.array([1000.0, np.nextafter(np.float32(1000), np.float32(2000)), 1000.0]),
        np.array([-3e38, 0.0, 3e38]),
        np.array([0.0, 1e-45, 0.0]),
    ],
)
def test_yen_survives_ranges_that_a_float32_histogram_cannot_cut(scores: np.ndarray) -> None:
    threshold = yen_threshold(scores)
    assert threshold is not None
    assert scores.min() <= threshold <= scores.max()
