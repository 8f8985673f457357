"""Volumes that share batches have the maps that they have alone."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_networks import Small, detector_with
from support.small_scoring import CONFIG, scorer
from support.small_volumes import CPU, MODALITIES, Brightness, detector_of, small_volume

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from benchmark.scoring import input_limit
from benchmark.scoring.engine import MOST_VOLUMES, ScoreEngine, score_volume, score_volumes
from benchmark.scoring.map_store import MapStore
from methods.catalogue import detector_class

DEPTHS = (8, 5, 9)
VOLUMES = [small_volume(f"S{k}", k, (16, 16, depth)) for k, depth in enumerate(DEPTHS)]
STEP_BY_STEP = ["anoddpm", "autoddpm"]


@pytest.fixture(autouse=True)
def a_wide_device(monkeypatch):
    monkeypatch.setattr(input_limit, "ON_CPU", 1000)


def engine(batch_size=1000, **changes):
    return ScoreEngine(0, CPU, ScoringConfig(batch_size=batch_size, **changes), MODALITIES)


@given(size=st.integers(1, 30), order=st.permutations(range(3)))
@settings(max_examples=30)
def test_in_whatever_order_and_batches_each_slice_has_the_noise_of_its_own_volume(size, order):
    volumes = [VOLUMES[k] for k in order]
    found = score_volumes(detector_of(), volumes, engine(size))
    for volume, scored in zip(volumes, found, strict=True):
        alone = score_volume(detector_of(), volume, engine())
        np.testing.assert_array_equal(scored.map, alone.map)
        assert scored.slices == alone.slices


@pytest.mark.parametrize("name", STEP_BY_STEP)
def test_methods_that_go_step_by_step_fill_the_device_with_several_volumes(name):
    alone = [score_volume(detector_with(Small(), name), volume, engine()) for volume in VOLUMES]
    net = Small()
    joined = list(score_volumes(detector_with(net, name), VOLUMES, engine()))
    assert set(net.given) == {sum(scored.slices for scored in alone)}
    for one, other in zip(alone, joined, strict=True):
        np.testing.assert_allclose(other.map, one.map, rtol=0, atol=1e-5 * one.map.max())
        assert other.network_calls == one.network_calls
    shares = [scored.seconds / scored.slices for scored in joined]
    np.testing.assert_allclose(shares, shares[0])


def test_where_memory_runs_out_the_same_volumes_are_scored_in_smaller_batches():
    net, scoring = Small(most=5), engine()
    joined = list(score_volumes(detector_with(net, "anoddpm"), VOLUMES, scoring))
    assert scoring.limit.value < 10
    for volume, scored in zip(VOLUMES, joined, strict=True):
        alone = score_volume(detector_with(Small(), "anoddpm"), volume, engine())
        np.testing.assert_allclose(scored.map, alone.map, rtol=0, atol=1e-5 * alone.map.max())
    with pytest.raises(UserError, match="'anoddpm', subjects S0, S1, S2: memory does not suffice"):
        list(score_volumes(detector_with(Small(most=0), "anoddpm"), VOLUMES, engine()))


def test_as_many_volumes_are_joined_as_fill_the_device():
    slices = score_volume(detector_of(), VOLUMES[0], engine()).slices
    for size, wanted in ((1, 1), (slices, 1), (slices + 1, 2), (1000, MOST_VOLUMES)):
        assert engine(size).volumes_at_once(detector_of(), VOLUMES[0]) == wanted
    empty = dataclasses.replace(VOLUMES[0], brain=np.zeros_like(VOLUMES[0].brain))
    assert engine().volumes_at_once(detector_of(), empty) == 1


@pytest.mark.parametrize(
    ("name", "changes", "joins"),
    [
        ("anoddpm", {}, True),
        ("anoddpm", {"published_batch_noise": True}, False),  # the batch makes the noise
        ("autoddpm", {}, True),
        ("andi", {}, False),  # fills a device by its time steps
    ],
)
def test_a_method_says_whether_volumes_may_share_batches(name, changes, joins):
    assert detector_with(Small(), name, **changes).joins_volumes == joins
    assert (
        engine().volumes_at_once(detector_with(Small(), name, **changes), VOLUMES[0]) > 1
    ) == joins


def test_a_method_that_looks_at_whole_volumes_is_given_one():
    class Whole(Brightness):
        recipe = 1

        def score(self, volume, context):
            return super().score(volume, context) / volume.image.max()

    assert not detector_of(Whole).joins_volumes
    assert not detector_of(detector_class("thresholding"), modalities=("flair",)).joins_volumes


class Odd(Brightness):
    """Fails at slices whose brightest voxel is above a bound."""

    recipe = 1
    bound = np.inf

    def score_slices(self, batch, generator):
        brightest = batch.amax(dim=(1, 2, 3), keepdim=True)
        return torch.where(
            brightest > self.bound, torch.nan, super().score_slices(batch, generator)
        )


def test_a_bad_map_is_told_in_its_turn():
    bright = dataclasses.replace(VOLUMES[1], image=VOLUMES[1].image * 9)
    odd = detector_of(Odd)
    odd.bound = 5
    found = score_volumes(odd, [VOLUMES[0], bright, VOLUMES[2]], engine())
    assert next(found).slices
    with pytest.raises(UserError, match="subject S1: .* non-finite scores in the brain"):
        next(found)


class Counting(Brightness):
    """Notes how many slices it is given at once."""

    recipe = 1
    given: tuple[int, ...] = ()

    def score_slices(self, batch, generator):
        self.given = (*self.given, len(batch))
        return super().score_slices(batch, generator)


def test_a_data_set_is_scored_in_shared_batches_to_the_same_maps(adapter, tmp_path, monkeypatch):
    subjects = adapter.subjects()
    together = detector_of(Counting, modalities=CONFIG.modalities)
    scorer(adapter, tmp_path / "together", detector=together, engine=engine()).score(
        subjects, reported=True
    )
    assert len(together.given) == 1
    monkeypatch.setattr(input_limit, "ON_CPU", 4)
    alone = detector_of(Counting, modalities=CONFIG.modalities)
    scorer(adapter, tmp_path / "alone", detector=alone, engine=engine()).score(
        subjects, reported=True
    )
    assert len(alone.given) > len(subjects)
    assert sum(alone.given) == sum(together.given)
    for subject in subjects:
        one, other = (
            MapStore(tmp_path / place / "maps").load(subject.id) for place in ("together", "alone")
        )
        np.testing.assert_array_equal(one.map, other.map)
        assert one.costs["slices"] == other.costs["slices"]


def test_what_is_scored_before_a_bad_map_is_kept_and_not_scored_again(adapter, tmp_path):
    brightest = {s.id: float(adapter.read(s, CONFIG).image.max()) for s in adapter.subjects()}
    subjects = sorted(adapter.subjects(), key=lambda s: brightest[s.id])
    names = sorted(s.id for s in subjects[:-1])
    odd = detector_of(Odd, modalities=CONFIG.modalities)
    odd.bound = max(brightest[name] for name in names)
    with pytest.raises(UserError, match=f"subject {subjects[-1].id}: "):
        scorer(adapter, tmp_path, detector=odd, engine=engine()).score(subjects, reported=False)
    maps = tmp_path / "maps"
    assert sorted(path.stem for path in maps.glob("*.npz")) == names
    before = {path: path.stat().st_mtime_ns for path in maps.glob("*.npz")}
    counting = detector_of(Counting, modalities=CONFIG.modalities)
    scorer(adapter, tmp_path, detector=counting, engine=engine()).score(subjects, reported=False)
    assert sum(counting.given) == MapStore(maps).load(subjects[-1].id).costs["slices"]
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
