import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import ndimage

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.baselines.anoddpm import AnoDDPM, AnoDDPMConfig
from methods.baselines.thor import THOR, THORConfig

NAMES = ("flair", "t2")
WALK = {"noise_steps": 101, "stride": 20, "harmonised": (80, 40), "looked_at": (100, 60, 0)}


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(**values: object) -> THOR:
    return THOR(THORConfig(**(WALK | values)), ImageSpec(NAMES, (32, 32)))


def images(count: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((count, 2, 32, 32)), (0, 0, 3, 3))
    return torch.from_numpy(smooth.astype(np.float32))


def knows(found: THOR, healthy: torch.Tensor, monkeypatch) -> list[int]:
    """Let the network predict the same image whatever it is shown; return the time steps at which it is asked."""
    asked: list[int] = []

    def predict(x_t, t, clamp=True):
        asked.append(t)
        return healthy

    monkeypatch.setattr(found, "predict_image", predict)
    return asked


def test_a_perfect_network_leaves_a_healthy_slice_without_an_anomaly(monkeypatch):
    found, healthy = detector(), images()
    knows(found, 2 * healthy - 1, monkeypatch)
    assert found.score_slices(healthy, streams(2)).abs().max() < 1e-5
    assert torch.allclose(found.reconstruct_slices(healthy, streams(2)), healthy)


def test_a_perfect_network_shows_the_lesion_and_its_sign(monkeypatch):
    found, healthy = detector(smoothing=1.0, region=3), images()
    sick = healthy.clone()
    sick[:, :, 10:16, 12:18] += 0.4
    sick[:, :, 22:26, 5:9] -= 0.3
    knows(found, 2 * healthy - 1, monkeypatch)
    scores = found.score_slices(sick, streams(2))
    assert (scores[:, :, 11:15, 13:17] > 0.05).all()
    assert (scores[:, :, 23:25, 6:8] < -0.05).all()
    assert scores[:, :, 2:6, 22:28].abs().max() < 1e-5


def test_the_chain_is_walked_as_asked(monkeypatch):
    found = detector()
    asked = knows(found, 2 * images() - 1, monkeypatch)
    found.score_slices(images(), streams(2))
    # 80 and 40 are asked again, of the harmonised image.
    assert asked == [100, 80, 80, 60, 40, 40, 20]


def test_steps_between_strides_are_taken_at_the_next_one(monkeypatch):
    found = detector(harmonised=(90, 85, 1), looked_at=(99, 0))
    asked = knows(found, 2 * images() - 1, monkeypatch)
    found.score_slices(images(), streams(2))
    assert asked == [100, 80, 80, 60, 40, 20]


def test_the_map_is_the_harmonic_mean_of_what_was_looked_at(monkeypatch):
    found, batch = detector(harmonised=()), images()
    anomalies = [torch.full_like(batch, value) for value in (0.1, 0.2, 0.4)]
    knows(found, 2 * batch - 1, monkeypatch)
    monkeypatch.setattr(found, "anomaly", lambda *_: anomalies.pop(0))
    scores = found.score_slices(batch, streams(2)).abs()
    assert torch.allclose(scores, torch.full_like(batch, 3 / (10 + 5 + 2.5)))


def test_what_looks_healthy_is_put_back_with_the_first_noise(monkeypatch):
    found, batch = detector(harmonised=(80,)), images()
    image, noised = 2 * batch - 1, []
    original = found.schedule.q_sample

    def keep(x, t, noise):
        noised.append((x.clone(), t, noise))
        return original(x, t, noise)

    knows(found, torch.zeros_like(image), monkeypatch)
    monkeypatch.setattr(type(found.schedule), "q_sample", lambda _, x, t, noise: keep(x, t, noise))
    found.score_slices(batch, streams(2))
    (first, t_first, noise), (mixed, t, again) = noised
    assert (t_first, t) == (100, 80)
    assert torch.equal(first, image)
    assert torch.equal(noise, again)
    part = found.replaced(found.anomaly(image, torch.zeros_like(image)))
    assert torch.allclose(mixed, (1 - part) * image)
    assert mixed.min() < 0


def test_the_published_clamp_greys_what_is_dark(monkeypatch):
    found, batch = detector(published_clamp=True, harmonised=(80,)), 0.3 * images()
    seen = []
    knows(found, 2 * batch - 1, monkeypatch)
    original = type(found.schedule).q_sample

    def keep(schedule, x, t, noise):
        seen.append(x.clone())
        return original(schedule, x, t, noise)

    monkeypatch.setattr(type(found.schedule), "q_sample", keep)
    found.score_slices(batch, streams(2))
    assert seen[0].min() < 0
    assert seen[1].min() == 0


def test_the_region_is_half_the_anomaly_and_half_its_closed_and_grown_form():
    anomaly = torch.zeros(1, 1, 32, 32)
    anomaly[0, 0, 10, 10], anomaly[0, 0, 10, 14] = 0.5, 0.25
    found = detector(region=5).replaced(anomaly)[0, 0].numpy()
    scaled = anomaly[0, 0].numpy() / 0.5
    window = np.ones((5, 5))
    closed = ndimage.grey_erosion(ndimage.grey_dilation(scaled, footprint=window), footprint=window)
    wanted = (scaled + ndimage.grey_dilation(closed, footprint=window)) / 2
    assert found == pytest.approx(wanted)


def test_scaling_makes_every_slice_reach_the_same_height(monkeypatch):
    healthy = images()
    sick = healthy.clone()
    sick[0, :, 10:16, 12:18] += 0.5
    sick[1, :, 10:16, 12:18] += 0.05
    highest = {}
    for scaling in (False, True):
        found = detector(published_scaling=scaling, harmonised=())
        knows(found, 2 * healthy - 1, monkeypatch)
        highest[scaling] = found.score_slices(sick, streams(2)).amax(dim=(1, 2, 3))
    assert highest[False][0] > 3 * highest[False][1]
    assert highest[True].tolist() == pytest.approx([1, 1], abs=1e-4)


def test_it_shares_the_training_of_anoddpm():
    spec = ImageSpec(NAMES, (32, 32))
    assert THOR.training_name == AnoDDPM.training_name
    assert detector().training_config() == AnoDDPM(AnoDDPMConfig(), spec).training_config()
    for preset in ("quick", "paper"):
        configs = [
            validated(
                cls.Config, load_run_config(method_entry(name), preset, [], name).detector, name
            )
            for name, cls in (("thor", THOR), ("anoddpm", AnoDDPM))
        ]
        one, other = (
            cls(config, spec).training_config()
            for cls, config in zip((THOR, AnoDDPM), configs, strict=True)
        )
        assert one == other


@pytest.mark.parametrize(
    "values",
    [
        {"harmonised": (101,)},
        {"looked_at": ()},
        {"region": 4},
        {"stride": 100},
        {"harmonised": (-1,)},
        {"training_t_high": 90},
    ],
)
def test_impossible_hyper_parameters_are_refused(values):
    with pytest.raises(ValidationError):
        detector(**values)


def test_a_slice_scores_the_same_in_any_batch():
    torch.manual_seed(0)
    found = detector(base_width=4, attention=())
    found.net = found.network().eval()
    batch = images(3)
    with torch.inference_mode():
        together = found.score_slices(batch, streams(3))
        alone = torch.cat([found.score_slices(batch[k : k + 1], streams(1, k)) for k in range(3)])
    assert torch.allclose(together, alone, rtol=1e-3, atol=1e-5)
