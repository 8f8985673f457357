"""Bootstrap intervals against scipy's, and against scikit-learn on resampled voxels."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.resampling import draws_of, resample_counts, stratified_draws
from andi_bench.metrics.uncertainty import (
    bootstrap_mean,
    bootstrap_pooled,
    pooled_resamples,
)


def subjects(count: int, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    made = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        lesion = rng.random(size) < rng.uniform(0, 0.1)
        scores = rng.lognormal(size=size) + 3 * rng.random() * lesion
        if seed % 3 == 0:
            scores = np.round(scores, 1)
        made.append((scores.astype(np.float32), lesion))
    return made


def of(made: list[tuple[np.ndarray, np.ndarray]]) -> list[ScoreHistogram]:
    return [score_histogram(scores, np.ones(scores.shape, bool), lesion) for scores, lesion in made]


def test_the_interval_of_a_mean_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).beta(2, 3, size=60)
    found = bootstrap_mean(values.tolist(), np.random.default_rng(1), 20_000)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(reference.low, abs=2e-3)
    assert found.high == pytest.approx(reference.high, abs=2e-3)


def test_undefined_values_are_left_out_and_counted() -> None:
    found = bootstrap_mean([0.5, None, 0.5, None], np.random.default_rng(0))
    assert found is not None
    assert (found.value, found.low, found.high, found.subjects) == (0.5, 0.5, 0.5, 2)
    assert bootstrap_mean([None, None], np.random.default_rng(0)) is None
    assert bootstrap_mean([], np.random.default_rng(0)) is None


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(20).tolist()
    first, second = (bootstrap_mean(values, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_every_resample_draws_as_many_subjects_as_there_are() -> None:
    draws = resample_counts(7, 100, np.random.default_rng(0))
    assert draws.shape == (100, 7)
    assert (draws.sum(axis=1) == 7).all()


def test_resampled_pooled_figures_equal_sklearns_on_the_resampled_voxels() -> None:
    made = subjects(6, 15_000)
    draws = resample_counts(6, 8, np.random.default_rng(3))
    found = pooled_resamples(of(made), draws)
    scores = np.concatenate([one[0] for one in made])
    lesion = np.concatenate([one[1] for one in made])
    for name, reference in (("ap", average_precision_score), ("auroc", roc_auc_score)):
        for value, draw in zip(found[name], draws, strict=True):
            weights = np.repeat(draw, 15_000)
            assert value == pytest.approx(
                reference(lesion, scores, sample_weight=weights), abs=3e-4
            )


def test_the_pooled_intervals_lie_around_the_pooled_values() -> None:
    made = subjects(12, 9_000)
    found = bootstrap_pooled(of(made), 400)
    lesion = np.concatenate([one[1] for one in made])
    scores = np.concatenate([one[0] for one in made])
    for name, reference in (("ap", average_precision_score), ("auroc", roc_auc_score)):
        exact = reference(lesion, scores)
        assert found[name].value == pytest.approx(exact, abs=1e-4)
        assert found[name].low < exact < found[name].high
        assert found[name].high - found[name].low > 0.01


def test_one_subject_alone_has_no_spread() -> None:
    found = bootstrap_pooled(of(subjects(2, 9_000)[1:]), 50)
    for interval in found.values():
        assert interval.low == pytest.approx(interval.high)
        assert interval.low == pytest.approx(interval.value, abs=1e-4)


def test_subjects_without_lesions_leave_the_pooled_intervals_undefined() -> None:
    scores = np.arange(20.0).reshape(20)
    histogram = score_histogram(scores, np.ones(20, bool), np.zeros(20, bool))
    assert bootstrap_pooled([histogram] * 3) == {}


def test_a_resample_without_a_lesion_is_undefined_and_none_is_drawn() -> None:
    healthy = (np.arange(50, dtype=np.float32), np.zeros(50, bool))
    with_lesion = (np.arange(50, dtype=np.float32), np.arange(50) > 40)
    draws = np.array([[2, 0], [1, 1]])
    for values in pooled_resamples(of([healthy, with_lesion]), draws).values():
        assert np.isfinite(values).tolist() == [False, True]
    # one of each kind: every resample holds both, so nothing varies
    found = bootstrap_pooled(of([healthy, with_lesion]), 200)
    for interval in found.values():
        assert interval.low == pytest.approx(interval.high)
        assert 0 < interval.low <= 1


def test_each_kind_of_subjects_is_drawn_from_its_own() -> None:
    ill = np.array([True, False, True, True, False, True])
    draws = stratified_draws(ill, 300)
    assert (draws[:, ill].sum(axis=1) == 4).all()
    assert (draws[:, ~ill].sum(axis=1) == 2).all()
    assert len(np.unique(draws[:, ~ill], axis=0)) == 3
    assert np.array_equal(stratified_draws(np.ones(4, bool), 300), draws[:, ill])
    assert np.array_equal(stratified_draws(np.zeros(2, bool), 300), draws[:, ~ill])
    assert np.array_equal(draws[:, ill], draws_of(4, 300))


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_coverage_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="coverage"):
        bootstrap_mean([0.1, 0.2], np.random.default_rng(0), level=level)
