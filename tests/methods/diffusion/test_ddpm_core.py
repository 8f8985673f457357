"""What the diffusion detectors share: their training's loss, and the walk back."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_range
from methods.diffusion.noise import NoiseName, draw_noise

SPEC = ImageSpec(("flair", "t1"), (32, 32))


class Silent(nn.Module):
    """Predicts no noise, and counts the calls."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def forward(self, x, t):
        self.steps.append(sorted(set(t.tolist())))
        return torch.zeros_like(x)


def detector(**values):
    found = DDPMDetector(DDPMConfig(**values), SPEC)
    found.net = Silent()
    return found


@pytest.mark.parametrize("noise", NoiseName.__args__)
def test_the_loss_is_the_mean_square_of_the_noise_that_was_drawn(noise):
    ours = detector(training_noise=noise, training_t_low=5, training_t_high=9)
    batch = torch.rand(3, 2, 32, 32)
    generator = SliceGenerator([0, 1, 2])
    loss = ours.loss(batch, generator)
    again = SliceGenerator([0, 1, 2])
    steps = again.integers(5, 9)
    assert loss == pytest.approx(float(draw_noise(noise, again, (2, 32, 32)).square().mean()))
    assert ours.net.steps == [sorted(set(steps.tolist()))]


def test_a_shared_draw_is_that_of_the_first_slice_turned():
    ours, batch = detector(), torch.zeros(40, 2, 32, 32)
    noise = ours.noise("gaussian", SliceGenerator(range(40)), batch, shared=True)
    first = SliceGenerator([0]).normal(2, 32, 32)[0]
    values = set(first.flatten().tolist()) | {0.0}
    assert all(set(one.flatten().tolist()) <= values for one in noise)
    assert len({tuple(one.flatten().tolist()) for one in noise}) > 20


@pytest.mark.parametrize(("start", "stride", "calls"), [(7, 1, 7), (7, 3, 3), (1, 1, 1)])
def test_the_walk_back_ends_with_the_prediction_at_the_lowest_trained_step(start, stride, calls):
    ours = detector()
    image = ours.denoise(
        torch.randn(2, 2, 32, 32), start, SliceGenerator([0, 1]), "gaussian", stride
    )
    assert len(ours.net.steps) == calls
    assert ours.net.steps[-1][0] >= 1
    assert float(image.abs().max()) <= 1


def test_levels_of_attention_have_one_order_and_odd_widths_are_refused():
    assert DDPMConfig(attention=(16, 4)) == DDPMConfig(attention=(4, 16))
    with pytest.raises(ValidationError, match="even number"):
        DDPMConfig(base_width=33)


@pytest.mark.parametrize("bounds", [(0, 5, 10), (5, 5, 10), (1, 11, 10)])
def test_a_range_of_time_steps_that_cannot_be_names_both_bounds(bounds):
    low, high, steps = bounds
    with pytest.raises(ValueError, match=f"t_low = {low}, t_high = {high}"):
        check_range("t", low, high, steps)
    check_range("t", 1, 10, 10)
