"""Whether a loss was still falling when the training's budget ended."""

import numpy as np
import pytest

from andi_bench.errors import UserError
from andi_bench.records.loss_curve import read_losses, still_falling

RNG = np.random.default_rng(0)
STEPS = np.arange(100)


def test_a_curve_that_falls_to_the_end_is_still_improving_by_its_fall():
    losses = 1.0 - 0.005 * STEPS + RNG.normal(scale=0.01, size=100)
    wanted = 1 - losses[80:].mean() / losses[60:80].mean()
    assert still_falling(losses) == pytest.approx(wanted)
    assert wanted == pytest.approx(0.1 / 0.65, rel=0.1)


def test_a_curve_that_has_settled_is_not():
    assert still_falling(np.exp(-STEPS / 8) + 0.1 + RNG.normal(scale=0.01, size=100)) is None
    assert still_falling(np.ones(100)) is None
    assert still_falling(1.0 + 0.01 * STEPS) is None  # rising


def test_a_fall_within_the_noise_is_no_fall():
    losses = np.where(STEPS < 80, 1.05, 1.0) + RNG.normal(scale=0.5, size=100)
    assert still_falling(losses) is None


def test_a_short_curve_tells_nothing():
    assert still_falling(np.linspace(1, 0, 19)) is None


def test_a_damaged_curve_is_named(tmp_path):
    path = tmp_path / "loss.csv"
    with pytest.raises(UserError, match=r"loss\.csv"):
        read_losses(path)
    path.write_text("step,loss\n1,x\n")
    with pytest.raises(UserError, match="must be numbers"):
        read_losses(path)
    path.write_text("step,loss\n1,0.5\n2,0.25\n")
    steps, losses = read_losses(path)
    assert steps.tolist() == [1, 2]
    assert losses.tolist() == [0.5, 0.25]
