"""The plain loops that ours is measured against compute the same: else their times would compare nothing."""

import numpy as np
import pytest
import torch
from support.small_volumes import CPU

from andi_bench.config import PreprocessingConfig, ScoringConfig, TrainingConfig
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.speed.plain_loops import PlainLoop, pyramid
from benchmark.speed.plain_network import PlainUNet
from benchmark.speed.synthetic_brain import DEPTH, filled_slices, synthetic_volume, with_slices
from methods.base import ImageSpec
from methods.catalogue import build_detector, detector_class
from methods.networks.unet import UNet

SMALL = PreprocessingConfig(size=16, modalities=("flair", "t1"))
SETTINGS = {
    "andi": {"t_low": 20, "t_high": 60, "stride": 19, "published_zeros": True},
    "anoddpm": {"noise_steps": 60, "stride": 23, "training_noise": "gaussian"},
}


def detector(name):
    values = {"base_width": 4, "attention": (8, 16), **SETTINGS[name]}
    spec = ImageSpec(SMALL.modalities, (16, 16))
    return build_detector(detector_class(name), values, spec, 0, CPU)


def test_the_plain_network_is_the_network():
    torch.manual_seed(0)
    net = UNet(2, 32, 4, (4, 8, 16))
    plain = PlainUNet(2, 4, (4, 8, 16))
    plain.load_state_dict(net.state_dict())
    x, t = torch.randn(3, 2, 32, 32), torch.tensor([1, 90, 700])
    with torch.no_grad():
        torch.testing.assert_close(plain(x, t), net(x, t), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_plain_map_is_the_detector_s_where_the_noise_is(name, monkeypatch):
    tried = detector(name)
    drawn = np.random.default_rng(1).standard_normal((9, 1, 2, 16, 16), dtype=np.float32)

    def noises():
        queue = iter(drawn)
        return lambda image: torch.from_numpy(next(queue)).expand(image.shape)

    ours = noises()
    monkeypatch.setattr(
        type(tried),
        "noise",
        lambda self, kind, generator, like, *rest, **named: torch.cat(
            [ours(like) for _ in range(len(generator) // len(like))]  # some time steps at once
        ),
    )
    volume = with_slices(synthetic_volume(SMALL), 3)
    engine = ScoreEngine(0, CPU, ScoringConfig(batch_size=8), SMALL.modalities)
    expected = score_volume(tried, volume, engine).map
    plain = PlainLoop(tried, DEPTH, CPU).score(volume, noise=noises()).permute(1, 2, 0).numpy()
    inside = volume.brain
    scale = expected[inside].max()
    # With published_zeros ANDi's tables of the schedule are float32; the plain loop's are float64.
    np.testing.assert_allclose(plain[inside] / scale, expected[inside] / scale, atol=5e-5)


def test_a_plain_step_learns_and_pyramid_noise_has_unit_deviation():
    tried = detector("andi")
    plain = PlainLoop(tried, 4, CPU)
    images = torch.rand(4, 2, 16, 16)
    training = TrainingConfig(steps=1, learning_rate=1e-2)
    before = plain.net.outc.weight.detach().clone()
    assert np.isfinite(plain.step(images, training))
    assert not torch.equal(plain.net.outc.weight, before)
    assert float(pyramid(images, 0.8).std()) == pytest.approx(1, abs=1e-4)


def test_a_synthetic_brain_is_as_deep_and_as_wide_as_a_real_one():
    volume = synthetic_volume(PreprocessingConfig(size=64, field_of_view=192.0))
    assert volume.shape == (64, 64, DEPTH)
    assert len(filled_slices(volume)) == 131
    spans = [int(np.flatnonzero(volume.brain.any(axis=axes)).size) for axes in ((1, 2), (0, 2))]
    assert [span * 3 for span in spans] == pytest.approx([140, 176], abs=6)
    assert 1000 < volume.brain.sum() * 9 / 1000 < 2000  # ml
    assert volume.image[:, ~volume.brain].max() == 0
    few = with_slices(volume, 5)
    assert len(filled_slices(few)) == 5
    assert set(filled_slices(few)) <= set(filled_slices(volume))
