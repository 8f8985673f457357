"""From a detector and a volume to a map: one random stream a slice, and nothing taken on trust."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.small_volumes import CPU, Brightness, Whole, detector_of, small_volume
from torch import nn

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from benchmark.scoring.engine import ScoreEngine, score_volume, scoring_notes
from methods.base import DetectorConfig, SliceDetector

VOLUME = small_volume()


def engine(seed=0, batch_size=4, reduction="max"):
    return ScoreEngine(seed, CPU, ScoringConfig(batch_size=batch_size, reduction=reduction))


@given(size=st.integers(1, 9))
def test_batches_hold_every_slice_with_brain_once_in_order(size):
    batches = list(engine(batch_size=size).batches(VOLUME))
    places = np.concatenate([z for z, _, _ in batches])
    assert places.tolist() == np.flatnonzero(VOLUME.brain.any(axis=(0, 1))).tolist()
    assert 3 not in places
    assert all(len(z) <= size for z, _, _ in batches)
    for z, images, _ in batches:
        np.testing.assert_array_equal(images, VOLUME.image[..., z].transpose(3, 0, 1, 2))


@given(size=st.integers(1, 9), seed=st.integers(0, 5))
def test_a_map_does_not_depend_on_the_batch_size(size, seed):
    whole = score_volume(detector_of(), VOLUME, engine(seed, 64)).map
    np.testing.assert_array_equal(
        score_volume(detector_of(), VOLUME, engine(seed, size)).map, whole
    )


def test_noise_depends_on_seed_and_subject():
    def noisy(seed, volume):
        return score_volume(detector_of(), volume, engine(seed)).map

    assert np.any(noisy(0, VOLUME) != noisy(1, VOLUME))
    assert np.any(noisy(0, VOLUME) != noisy(0, dataclasses.replace(VOLUME, subject="B")))


def test_modalities_are_reduced_by_their_highest_score_or_their_mean():
    scores = torch.tensor([[[[1.0]], [[4.0]]]])
    assert engine(reduction="max").reduce(scores).tolist() == [[[4.0]]]
    assert engine(reduction="mean").reduce(scores).tolist() == [[[2.5]]]
    assert engine(reduction="first").reduce(scores).tolist() == [[[float(scores[0, 0, 0, 0])]]]


class Above(SliceDetector):
    """Scores are how far intensities lie above or below 0.4."""

    name = "above"
    Config = DetectorConfig
    recipe = 1
    signed = True

    def score_slices(self, batch, generator):
        return batch - 0.4


@pytest.mark.parametrize("reduction", ["max", "mean"])
def test_of_a_signed_detector_the_deviations_that_are_asked_for_count(reduction):
    def scored(deviations):
        config = ScoringConfig(reduction=reduction, deviations=deviations)
        return score_volume(
            detector_of(Above), VOLUME, ScoreEngine(0, CPU, config, VOLUME.modalities)
        ).map

    difference = np.where(VOLUME.brain, VOLUME.image - np.float32(0.4), 0)
    over = {"max": np.max, "mean": np.mean}[reduction]
    for how, counted in {
        "both": np.abs(difference),
        "brighter": difference.clip(min=0),
        "darker": (-difference).clip(min=0),
    }.items():
        np.testing.assert_allclose(scored(how), over(counted, axis=0), rtol=1e-6, err_msg=how)


def test_scores_without_a_direction_are_taken_as_they_are():
    def scored(deviations):
        config = ScoringConfig(deviations=deviations)
        return score_volume(detector_of(), VOLUME, ScoreEngine(0, CPU, config)).map

    np.testing.assert_array_equal(scored("darker"), scored("both"))


def test_a_map_is_float32_and_0_outside_the_brain():
    detector = detector_of(Whole).of(lambda volume: np.full(volume.shape, 2.0))
    found = score_volume(detector, VOLUME, engine())
    assert found.map.dtype == np.float32
    assert np.unique(found.map[VOLUME.brain]).tolist() == [2.0]
    assert not found.map[~VOLUME.brain].any()
    assert found.slices == VOLUME.brain.any(axis=(0, 1)).sum()
    assert (found.network_calls, found.seconds >= 0) == (0, True)


def test_scores_outside_the_brain_may_be_anything():
    detector = detector_of(Whole).of(lambda volume: np.where(volume.brain, 1.0, np.nan))
    assert np.isfinite(score_volume(detector, VOLUME, engine()).map).all()


def test_as_published_every_slice_is_scored_and_nothing_is_set_to_0():
    config = ScoringConfig(batch_size=4, published_outside=True)
    everywhere = ScoreEngine(0, CPU, config)
    batches = list(everywhere.batches(VOLUME))
    assert np.concatenate([z for z, _, _ in batches]).tolist() == list(range(VOLUME.shape[2]))
    found = score_volume(detector_of(), VOLUME, everywhere)
    inside = score_volume(detector_of(), VOLUME, engine())
    # A slice's noise is its own: the brain's scores do not depend on what else is scored.
    np.testing.assert_array_equal(found.map[VOLUME.brain], inside.map[VOLUME.brain])
    assert found.map[~VOLUME.brain].any()
    assert found.slices == VOLUME.shape[2] > inside.slices
    assert scoring_notes(ScoringConfig()) == ()
    (note,) = scoring_notes(config)
    assert "outside the brain mask" in note
    beyond = detector_of(Whole).of(lambda volume: np.where(volume.brain, 1.0, np.nan))
    with pytest.raises(UserError, match="non-finite scores, finite"):
        score_volume(beyond, VOLUME, everywhere)


def test_a_map_of_another_shape_is_refused():
    detector = detector_of(Whole).of(lambda volume: np.zeros(volume.shape)[:-1])
    with pytest.raises(UserError, match=r"'whole', subject A: map of shape \(15, 16, 8\), \(16, "):
        score_volume(detector, VOLUME, engine())


def test_scores_that_are_not_finite_are_counted():
    def broken(volume):
        scores = np.zeros(volume.shape)
        scores[tuple(np.argwhere(volume.brain)[:3].T)] = (np.nan, np.inf, -np.inf)
        return scores

    with pytest.raises(UserError, match="'whole', subject A: 3 non-finite scores in the brain"):
        score_volume(detector_of(Whole).of(broken), VOLUME, engine())


class Network(SliceDetector):
    """Asks its network twice."""

    name, recipe = "network", 1

    def network(self):
        return nn.Conv2d(self.spec.channels, 1, 1)

    def loss(self, batch, generator):
        return self.net(batch).square().mean()

    def score_slices(self, batch, generator):
        return self.net(batch) + self.net(-batch)


def test_every_slice_given_to_the_network_is_counted():
    found = score_volume(detector_of(Network), VOLUME, engine(batch_size=3))
    assert found.network_calls == 2 * found.slices
    assert score_volume(detector_of(Brightness), VOLUME, engine()).network_calls == 0
