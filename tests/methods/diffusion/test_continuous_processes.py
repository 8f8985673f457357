import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.diffusion_targets import target_of

from methods.diffusion.continuous import Flow, LogSNR, image_of, noise_of

FITTING = [
    (LogSNR(64), "eps"),
    (LogSNR(64), "x0"),
    (LogSNR(64), "v"),
    (Flow(), "eps"),
    (Flow(), "x0"),
    (Flow(), "velocity"),
]


def test_the_published_window_and_the_same_noise_on_other_grids():
    process = LogSNR(224)
    t = torch.tensor([0.125, 0.026])
    assert process.log_snr(t).tolist() == pytest.approx([0.4529, 3.5969], abs=1e-4)
    assert process.weights(t)[1].tolist() == pytest.approx([0.6234, 0.1633], abs=1e-4)
    windows = {128: (0.0457, 0.2135), 96: (0.061, 0.277), 64: (0.0913, 0.3877)}
    for edge, (low, high) in windows.items():
        found = [LogSNR(edge).time(value) for value in (3.5969, 0.4529)]
        assert found == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize("process", [LogSNR(48), LogSNR(224), Flow()])
def test_times_and_noise_levels_are_inverse(process):
    t = torch.linspace(0.01, 0.99, 15)
    back = [process.time(float(value)) for value in process.log_snr(t)]
    assert back == pytest.approx(t.tolist(), abs=1e-9 * 1e3)
    a, s = process.weights(t)
    assert (2 * torch.log(a / s)).numpy() == pytest.approx(process.log_snr(t).numpy(), abs=1e-4)
    assert (np.diff(process.log_snr(t).numpy()) < 0).all()


@given(case=st.sampled_from(FITTING), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_perfect_prediction_gives_image_and_noise_back(case, seed):
    process, prediction = case
    generator = torch.Generator().manual_seed(seed)
    image, noise = torch.randn(2, 3, 2, 4, 4, generator=generator)
    a, s = process.weights(torch.rand(3, generator=generator) * 0.9 + 0.05)
    z = a.view(-1, 1, 1, 1) * image + s.view(-1, 1, 1, 1) * noise
    target = target_of(prediction, image, noise, a, s)
    assert torch.allclose(image_of(prediction, target, z, a, s), image, atol=5e-4)
    assert torch.allclose(noise_of(prediction, target, z, a, s), noise, atol=5e-4)
