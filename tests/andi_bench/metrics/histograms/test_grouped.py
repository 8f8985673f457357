"""Histograms cut down for resampling, against scikit-learn on the resampled voxels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.grouped import GROUPS, GroupedCounts
from andi_bench.metrics.uncertainty import resample_counts


def drawn(seed: int, size: int, rounded: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lesion = rng.random(size) < rng.uniform(0.01, 0.1)
    scores = rng.lognormal(size=size) * (1 + 3 * rng.random() * lesion)
    return (np.round(scores, 1) if rounded else scores).astype(np.float32), lesion


def grouped(made: list[tuple[np.ndarray, np.ndarray]]) -> GroupedCounts:
    histograms = [score_histogram(s, np.ones(s.shape, dtype=bool), t) for s, t in made]
    return GroupedCounts.of([f"S{k}" for k in range(len(made))], histograms)


@pytest.mark.parametrize("rounded", [False, True])
def test_the_average_precision_of_resamples_is_that_of_the_resampled_voxels(rounded):
    made = [drawn(seed, 15_000, rounded) for seed in range(8)]
    draws = resample_counts(8, 12, np.random.default_rng(3))
    found = grouped(made).average_precision(draws)
    scores, lesion = (np.concatenate([one[k] for one in made]) for k in (0, 1))
    for value, draw in zip(found, draws, strict=True):
        weights = np.repeat(draw, 15_000)
        assert value == pytest.approx(
            average_precision_score(lesion, scores, sample_weight=weights), abs=5e-4
        )


def test_maps_of_a_single_score_have_the_prevalence_as_average_precision():
    lesion = np.arange(1000) < 50
    counts = grouped([(np.ones(1000, dtype=np.float32), lesion)] * 3)
    assert counts.average_precision(np.ones((1, 3))) == pytest.approx(0.05)


def test_a_resample_without_a_lesion_is_undefined():
    healthy = (np.arange(500, dtype=np.float32), np.zeros(500, dtype=bool))
    with_lesion = (np.arange(500, dtype=np.float32), np.arange(500) > 480)
    found = grouped([healthy, with_lesion]).average_precision(np.array([[2, 0], [0, 2]]))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1, abs=1e-6)
    assert np.isnan(grouped([healthy, healthy]).average_precision(np.ones((2, 2)))).all()


def test_curves_end_at_full_recall_and_prevalence():
    counts = grouped([drawn(seed, 9_000, False) for seed in range(3)])
    recall, precision = counts.curves(np.ones((1, 3)))
    assert (np.diff(recall[0]) >= 0).all()
    assert recall[0, -1] == 1
    total = counts.lesion.sum() / (counts.lesion.sum() + counts.healthy.sum())
    assert precision[0, -1] == pytest.approx(total)


def test_few_groups_hold_every_voxel_and_survive_the_file():
    made = [drawn(seed, 20_000, False) for seed in range(4)]
    counts = grouped(made)
    assert len(counts.tied) <= GROUPS + 2
    assert counts.lesion.sum(axis=1).tolist() == [lesion.sum() for _, lesion in made]
    assert (counts.lesion.sum(axis=1) + counts.healthy.sum(axis=1)).tolist() == [20_000] * 4
    again = GroupedCounts.from_arrays(counts.arrays())
    draws = resample_counts(4, 5, np.random.default_rng(0))
    assert (again.average_precision(draws) == counts.average_precision(draws)).all()
    swapped = counts.only(["S2", "S0", "S1", "S3"])
    assert swapped.average_precision(draws[:, [2, 0, 1, 3]]) == pytest.approx(
        counts.average_precision(draws), abs=1e-6
    )
    with pytest.raises(KeyError):
        counts.only(["S9"])


def test_arrays_that_do_not_fit_are_named():
    arrays = grouped([drawn(0, 2_000, False)]).arrays()
    with pytest.raises(ValueError, match="'healthy' is missing"):
        GroupedCounts.from_arrays({k: v for k, v in arrays.items() if k != "healthy"})
    with pytest.raises(ValueError, match="'lesion' is"):
        GroupedCounts.from_arrays({**arrays, "lesion": arrays["lesion"][:, 1:]})


def test_what_is_left_without_a_subject_is_a_resample_that_lacks_it():
    rng = np.random.default_rng(5)
    lesion = rng.integers(0, 50, (6, 12)).astype(np.uint32)
    healthy = rng.integers(0, 900, (6, 12)).astype(np.uint32)
    counts = GroupedCounts(tuple("abcdef"), lesion, healthy, rng.random(12) < 0.3)
    assert counts.whole() == pytest.approx(counts.average_precision(np.ones((1, 6)))[0], rel=1e-5)
    wanted = counts.average_precision(1 - np.eye(6))
    assert counts.left_out() == pytest.approx(wanted, rel=1e-5)
    lesion[1:] = 0
    alone = GroupedCounts(counts.subjects, lesion, healthy, counts.tied)
    assert np.isnan(alone.left_out()).tolist() == [True, *[False] * 5]
