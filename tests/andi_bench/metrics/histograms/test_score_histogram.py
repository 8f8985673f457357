"""Score histograms against scikit-learn on the voxels themselves."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import (
    average_precision_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.pooled import (
    pooled_auroc,
    pooled_average_precision,
    precision_recall_curve,
)
from andi_bench.metrics.histograms.scores import NonFiniteScores, key_scores, score_keys

ALLOWED = 1e-4
ROUNDING = 1e-9


def clusters(rng: np.random.Generator, size: int) -> np.ndarray:
    """Most scores within a few floats of three values, the rest spread."""
    centres = rng.normal(size=3)[rng.integers(0, 3, size)]
    return np.where(rng.random(size) < 0.7, centres * (1 + 1e-6 * rng.normal(size=size)), centres)


SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "log-normal": lambda rng, size: np.exp(3 * rng.normal(size=size)),
    "huge": lambda rng, size: 1e37 * rng.normal(size=size),
    "tiny": lambda rng, size: 1e-41 * rng.normal(size=size),
    "narrow": lambda rng, size: 1000 + 0.001 * rng.normal(size=size),
    "medium": lambda rng, size: 1 + 0.02 * rng.normal(size=size),
    "constant": lambda rng, size: np.full(size, rng.normal()),
    "ties": lambda rng, size: np.round(4 * rng.normal(size=size)) / 10,
    "half zero": lambda rng, size: np.maximum(rng.normal(size=size), 0),
    "negative": lambda rng, size: -np.exp(rng.normal(size=size)),
    "clusters": clusters,
}


def subject(
    seed: int, shape: str, size: int, lesions: int, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = SHAPES[shape](rng, size)
    lesion = np.zeros(size, dtype=bool)
    lesion[rng.choice(size, min(lesions, size), replace=False)] = True
    spread = np.percentile(np.abs(scores), 75)
    scores[lesion] += effect * spread * rng.random(int(lesion.sum()))
    return scores.astype(np.float32), lesion


def in_brain(scores: np.ndarray, lesion: np.ndarray, **options: bool) -> ScoreHistogram:
    return score_histogram(scores, np.ones(scores.shape, dtype=bool), lesion, **options)


def check_against_sklearn(subjects: list[tuple[np.ndarray, np.ndarray]]) -> None:
    merged = ScoreHistogram.merge(in_brain(*one) for one in subjects)
    scores = np.concatenate([one[0] for one in subjects])
    lesion = np.concatenate([one[1] for one in subjects])
    for metric, exact in (
        (pooled_average_precision(merged), average_precision_score),
        (pooled_auroc(merged), roc_auc_score),
    ):
        assert metric is not None
        # As float64: scikit-learn would sum float32 scores' weights less exactly.
        assert abs(metric.value - exact(lesion, scores.astype(float))) <= metric.error + ROUNDING
        assert metric.error <= ALLOWED


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**31),
            st.sampled_from(sorted(SHAPES)),
            st.integers(8_000, 30_000),
            st.integers(1, 3_000),
            st.floats(0, 6),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pooled_metrics_match_sklearn_within_their_proven_bound(
    recipes: list[tuple[int, str, int, int, float]],
) -> None:
    check_against_sklearn([subject(*recipe) for recipe in recipes])


@given(
    st.lists(
        hnp.arrays(
            np.float32,
            st.integers(2, 60),
            elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
            | st.sampled_from([0.0, -0.0, 1.0, np.float32(np.nextafter(np.float32(1), 2))]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2**31),
)
@settings(max_examples=100, deadline=None)
def test_pooled_metrics_of_small_volumes_are_exact_whatever_the_scores(
    maps: list[np.ndarray], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    subjects = [(scores, rng.random(scores.shape) < 0.4) for scores in maps]
    subjects[0][1][:2] = [True, False]
    check_against_sklearn(subjects)
    merged = ScoreHistogram.merge(in_brain(*one) for one in subjects)
    for metric in (pooled_average_precision(merged), pooled_auroc(merged)):
        assert metric is not None
        assert metric.error < ROUNDING


@pytest.mark.parametrize("shape", ["log-normal", "medium", "normal"])
def test_pooled_metrics_hold_at_the_size_of_real_brains(shape: str) -> None:
    check_against_sklearn([subject(seed, shape, 300_000, 12_000, 2.0) for seed in range(3)])


def test_a_handful_of_lesion_voxels_among_hundreds_of_thousands_is_resolved() -> None:
    check_against_sklearn([subject(seed, "log-normal", 300_000, 3, 5.0) for seed in range(3)])


def test_subjects_on_wildly_different_scales_pool_within_the_bound() -> None:
    subjects = [
        subject(seed, shape, 60_000, 800 * (seed + 1), 1.5)
        for seed, shape in enumerate(["log-normal", "narrow", "negative", "ties", "tiny", "huge"])
    ]
    check_against_sklearn(subjects)


def test_merging_is_exact_associative_and_independent_of_the_order() -> None:
    parts = [in_brain(*subject(seed, "log-normal", 20_000, 300, 1.0)) for seed in range(5)]
    whole = ScoreHistogram.merge(parts)
    assert whole == ScoreHistogram.merge(reversed(parts))
    assert whole == (parts[0] + parts[1]) + (parts[2] + (parts[3] + parts[4]))
    assert whole.totals() == (5 * 300, 5 * 19_700)
    assert ScoreHistogram.merge([]).totals() == (0, 0)
    assert ScoreHistogram.merge([]) + whole == whole


def test_many_subjects_are_merged_in_portions_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [in_brain(*subject(seed, "normal", 20_000, 300, 1.0)) for seed in range(12)]
    whole = ScoreHistogram.merge(parts)
    monkeypatch.setattr("andi_bench.metrics.histograms.histogram._MERGE_LEAVES", 10_000)
    assert ScoreHistogram.merge(iter(parts)) == whole


def test_a_subject_with_a_brain_of_real_size_takes_little_room() -> None:
    histogram = in_brain(*subject(0, "log-normal", 800_000, 20_000, 2.0))
    file = io.BytesIO()
    np.savez_compressed(file, **histogram.to_arrays())  # type: ignore[arg-type]
    assert histogram.nbytes < 3e6
    assert file.tell() < 2e5


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_saved_histogram_comes_back_equal_without_pickle(shape: str) -> None:
    histogram = in_brain(*subject(1, shape, 10_000, 100, 1.0))
    file = io.BytesIO()
    np.savez_compressed(file, **histogram.to_arrays())  # type: ignore[arg-type]
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        assert ScoreHistogram.from_arrays(arrays) == histogram


def test_damaged_arrays_are_refused_with_the_array_that_is_wrong() -> None:
    arrays = in_brain(*subject(1, "normal", 9_000, 100, 1.0)).to_arrays()
    for name, replacement in (
        ("shift", arrays["shift"] + 40),
        ("positives", arrays["positives"][:-1]),
        ("negatives", arrays["negatives"].astype(float)),
        ("background", arrays["background"].astype(int) - 1),
        ("step", arrays["step"].astype(np.int64) + 2**30),
    ):
        with pytest.raises(ValueError, match="score histogram"):
            ScoreHistogram.from_arrays({**arrays, name: replacement})
    del arrays["step"]
    with pytest.raises(ValueError, match="'step' is missing"):
        ScoreHistogram.from_arrays(arrays)


@pytest.mark.parametrize(("value", "count"), [(np.nan, 3), (np.inf, 1), (-np.inf, 2), (1e39, 4)])
def test_scores_that_are_not_finite_are_refused_with_their_count(value: float, count: int) -> None:
    scores = np.zeros((4, 4, 4))
    scores.flat[:count] = value
    with pytest.raises(NonFiniteScores, match=f"{count} of ") as caught:
        score_histogram(scores, np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool))
    assert caught.value.count == count


def test_infinities_of_both_signs_are_refused_though_their_sum_is_nan() -> None:
    scores = np.array([np.inf, -np.inf, 1.0])
    with pytest.raises(NonFiniteScores, match="2 of 3"):
        in_brain(scores, np.array([True, False, False]))


def test_the_largest_floats_are_finite_and_kept() -> None:
    top = np.finfo(np.float32).max
    histogram = in_brain(np.array([-top, top, top]), np.array([False, True, False]))
    auroc = pooled_auroc(histogram)
    assert auroc is not None
    assert auroc.value == 0.75


def test_maps_and_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        score_histogram(np.zeros((3, 3, 3)), np.ones((3, 3, 2), bool), np.ones((3, 3, 3), bool))


def test_background_and_lesion_outside_the_brain_are_counted_apart() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(30, 30, 30)).astype(np.float32)
    brain = rng.random(scores.shape) < 0.5
    lesion = rng.random(scores.shape) < 0.1
    histogram = score_histogram(scores, brain, lesion)
    assert histogram.counts.sum(axis=0).tolist() == [
        int((brain & lesion).sum()),
        int((brain & ~lesion).sum()),
        int((~brain & ~lesion).sum()),
        int((~brain & lesion).sum()),
    ]
    for region, where in (("brain", brain), ("all", np.ones_like(brain))):
        metric = pooled_average_precision(histogram, region)  # type: ignore[arg-type]
        assert metric is not None
        exact = average_precision_score(lesion[where], scores[where])
        assert abs(metric.value - exact) <= metric.error + ROUNDING
        prevalence = histogram.prevalence(region)  # type: ignore[arg-type]
        assert prevalence == pytest.approx(lesion[where].mean())


def test_metrics_without_lesion_or_without_healthy_voxels_are_undefined_not_nan() -> None:
    scores = np.arange(10.0)
    healthy = in_brain(scores, np.zeros(10, bool))
    assert pooled_average_precision(healthy) is None
    assert pooled_auroc(healthy) is None
    assert precision_recall_curve(healthy) is None
    diseased = in_brain(scores, np.ones(10, bool))
    assert pooled_auroc(diseased) is None
    metric = pooled_average_precision(diseased)
    assert metric is not None
    assert metric.value == pytest.approx(1.0)


def test_the_precision_recall_curve_holds_what_its_thresholds_give() -> None:
    scores, lesion = subject(3, "log-normal", 50_000, 2_000, 2.0)
    curve = precision_recall_curve(in_brain(scores, lesion), points=60)
    assert curve is not None
    assert 20 <= len(curve.threshold) <= 60
    assert curve.recall[-1] == 1
    assert (np.diff(curve.recall) >= 0).all()
    for threshold, precision, recall in zip(
        curve.threshold, curve.precision, curve.recall, strict=True
    ):
        assert precision == pytest.approx(precision_score(lesion, scores > threshold))
        assert recall == pytest.approx(recall_score(lesion, scores > threshold))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2))
@settings(max_examples=100, deadline=None)
def test_keys_order_as_scores_do_and_lead_back_to_them(values: list[float]) -> None:
    scores = np.array(values, dtype=np.float32)
    keys = score_keys(scores)
    assert np.array_equal(key_scores(keys), scores)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(keys[order].astype(np.int64)) >= 0).all()
    assert np.array_equal(np.equal.outer(keys, keys), np.equal.outer(scores, scores))


@given(
    hnp.arrays(
        np.float32,
        st.integers(1, 40),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
        | st.sampled_from([0.0, -0.0, 1e-45, -1e-45]),
    )
)
@settings(max_examples=100, deadline=None)
def test_thresholds_below_an_edge_are_exceeded_just_by_the_scores_from_the_edge_up(
    scores: np.ndarray,
) -> None:
    histogram = in_brain(scores, np.zeros(scores.shape, bool))
    edges = histogram.edges()
    for edge, threshold in zip(edges, histogram.thresholds(edges), strict=True):
        assert np.array_equal(scores > threshold, score_keys(scores) >= edge)


@pytest.mark.parametrize("lesion_voxels", [0, 9_000])
def test_bins_are_sorted_where_the_brain_fills_the_volume_and_lesion_bins_are_shared(
    lesion_voxels: int,
) -> None:
    """Bins of several widths meet; nothing else is added that would sort them."""
    for seed in range(12):
        rng = np.random.default_rng([0, seed])
        scores = np.exp(rng.normal(size=20_000)).astype(np.float32)
        lesion = np.arange(20_000) < lesion_voxels
        histogram = score_histogram(scores, np.ones(20_000, dtype=bool), lesion)
        assert (np.diff(histogram.code.astype(np.int64)) > 0).all()
        again = ScoreHistogram.from_arrays(histogram.to_arrays())
        assert again == histogram
