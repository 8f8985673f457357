"""However many inputs a network is given at once, the map is the same; where memory runs out it is given fewer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_networks import SETTINGS, Small, detector_with
from support.small_volumes import CPU, small_volume

from andi_bench.config import ScoringConfig
from andi_bench.errors import UserError
from benchmark.scoring import input_limit
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.input_limit import InputLimit

VOLUME = small_volume()


def engine(batch_size) -> ScoreEngine:
    return ScoreEngine(0, CPU, ScoringConfig(batch_size=batch_size))


@pytest.mark.parametrize("name", sorted(SETTINGS))
@given(size=st.integers(1, 40))
@settings(max_examples=6, deadline=None)
def test_a_map_does_not_depend_on_how_many_inputs_are_given_at_once(name, size):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(input_limit, "ON_CPU", 1000)
        small = Small()
        found = score_volume(detector_with(small, name), VOLUME, engine(size)).map
        whole = score_volume(detector_with(Small(), name), VOLUME, engine(1000)).map
    assert max(small.given) <= size
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5 * whole.max())


def test_andi_fills_the_network_with_time_steps_where_slices_are_few(monkeypatch):
    monkeypatch.setattr(input_limit, "ON_CPU", 1000)
    net = Small()
    score_volume(detector_with(net, "andi"), VOLUME, engine(35))
    slices = int(VOLUME.brain.any(axis=(0, 1)).sum())
    assert max(net.given) == 35 // slices * slices > 35 / 2
    assert sum(net.given) == slices * 7 * 2


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_where_memory_runs_out_half_as_many_are_given_and_the_work_goes_on(name):
    net, scoring = Small(most=3), engine(16)
    found = score_volume(detector_with(net, name), VOLUME, scoring)
    whole = score_volume(detector_with(Small(), name), VOLUME, engine(16))
    np.testing.assert_allclose(found.map, whole.map, rtol=0, atol=1e-5 * whole.map.max())
    assert found.network_calls == whole.network_calls  # what was given up does not count
    assert scoring.limit.value in (2, 4)
    net.given.clear()
    score_volume(detector_with(net, name), VOLUME, scoring)
    assert max(net.given) <= 3  # the next volume begins with what was found to fit


def test_memory_for_less_than_one_input_is_said_in_one_line():
    with pytest.raises(
        UserError, match=r"'andi', subject A: memory does not suffice for one"
    ) as it:
        score_volume(detector_with(Small(most=0), "andi"), VOLUME, engine(16))
    assert "\n" not in str(it.value)


def test_a_cpu_is_given_few_whatever_is_asked_for():
    assert InputLimit("auto", CPU).value == InputLimit(500, CPU).value == input_limit.ON_CPU
    assert InputLimit(3, CPU).value == 3


def test_on_an_accelerator_the_first_volume_tells_how_many_fit():
    cuda = torch.device("cuda")
    asked, found = InputLimit(7, cuda), InputLimit("auto", cuda)
    for limit in (asked, found):
        limit.learn(taken=64 * 10**6, inputs=64, free=300 * 10**6)
    assert asked.value == 7
    assert 150 < found.value < 300
    found.learn(taken=1, inputs=64, free=10**12)
    assert found.value < 300  # learnt once
    most = InputLimit("auto", cuda)
    most.learn(taken=64, inputs=64, free=10**12)
    assert most.value == input_limit.MOST
