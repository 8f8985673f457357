import numpy as np
import pytest
import torch
from pydantic import ValidationError
from support.diffusion_targets import target_of

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.randomness import SliceGenerator
from methods.andi.andi_v2 import ANDiV2, ANDiV2Config
from methods.base import ImageSpec

PUBLISHED = ANDiV2Config(
    base_width=32, multipliers=(1, 1, 1, 2, 3, 4), blocks=(1, 1, 1, 2, 4, 2), attention=(16, 32)
)
SMALL = {"base_width": 8, "multipliers": (1, 2), "blocks": (1, 1), "attention": (2,), "calls": 4}


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(size: int = 32, **values: object) -> ANDiV2:
    torch.manual_seed(0)
    out = ANDiV2(ANDiV2Config(**(SMALL | values)), ImageSpec(("flair", "t2"), (size, size)))
    out.net = out.network().eval()
    return out


def test_the_window_is_the_published_one_and_moves_with_the_grid():
    published = ANDiV2(ANDiV2Config(), ImageSpec(("flair",), (224, 224)))
    assert published.times()[:-1] == pytest.approx(np.arange(125, 25, -1) / 1000, abs=1e-5)
    assert published.times()[-1] == pytest.approx(0.025, abs=1e-5)
    small = ANDiV2(ANDiV2Config(), ImageSpec(("flair",), (64, 64)))
    assert (small.times()[0], small.times()[-2]) == pytest.approx((0.3877, 0.0913), abs=1e-4)


@pytest.mark.parametrize(
    ("process", "prediction"),
    [("log-snr", "v"), ("log-snr", "x0"), ("flow", "velocity"), ("flow", "eps")],
)
def test_a_perfect_network_has_no_loss(process, prediction, monkeypatch):
    found, batch = detector(process=process, prediction=prediction), torch.rand(3, 2, 32, 32)

    def perfect(z, t):
        a, s = found.process.weights(t / 1000)
        image = 2 * batch - 1
        noise = (z - a.view(-1, 1, 1, 1) * image) / s.view(-1, 1, 1, 1)
        return target_of(prediction, image, noise, a, s)

    monkeypatch.setattr(found, "net", perfect)
    # Next to the image, noise is what float32 leaves of a difference.
    assert float(found.loss(batch, streams(3))) < 1e-4


@pytest.mark.parametrize("aggregation", ["gmean", "mean", "prob"])
def test_the_map_is_the_formula(aggregation, monkeypatch):
    found, batch = detector(aggregation=aggregation, clamp=False), torch.full((1, 2, 32, 32), 0.6)
    errors = iter([0.1, -0.2, 0.3, 0.4])
    monkeypatch.setattr(found, "predict_image", lambda z, t: 2 * batch - 1 - next(errors))
    scores = found.score_slices(batch, streams(1))
    times = torch.tensor(found.times(), dtype=torch.float64)
    log_snr = found.process.log_snr(times).numpy()
    a2, s2 = 1 / (1 + np.exp(-log_snr)), 1 / (1 + np.exp(log_snr))
    less = 1 - np.exp(log_snr[:-1] - log_snr[1:])
    deviation = less**2 * a2[1:] * np.array([0.1, 0.2, 0.3, 0.4]) ** 2
    wanted = {
        "gmean": np.exp(np.log(deviation).mean()),
        "mean": deviation.mean(),
        "prob": (deviation / (2 * less * s2[:-1])).mean(),
    }[aggregation]
    assert scores.unique().tolist() == pytest.approx([wanted], rel=1e-4)


def test_the_geometric_mean_ranks_by_single_step_errors(monkeypatch):
    found, batch = detector(clamp=False), torch.rand(1, 2, 32, 32)
    offsets = [0.5 * torch.rand(1, 2, 32, 32) + 0.01 for _ in range(4)]
    left = iter(offsets)
    monkeypatch.setattr(found, "predict_image", lambda z, t: 2 * batch - 1 - next(left))
    scores = found.score_slices(batch, streams(1)).flatten()
    errors = torch.stack(offsets).log().mean(dim=0).flatten()
    constant = scores / torch.exp(2 * errors)
    assert constant.max() / constant.min() < 1.001


def test_a_darker_voxel_scores_below_zero(monkeypatch):
    found, batch = detector(), torch.full((1, 2, 32, 32), 0.6)
    monkeypatch.setattr(found, "predict_image", lambda z, t: torch.full_like(z, 0.5))
    assert (found.score_slices(batch, streams(1)) < 0).all()
    assert torch.allclose(found.reconstruct_slices(batch, streams(1)), torch.full_like(batch, 0.75))


def test_a_slice_scores_the_same_in_any_batch():
    found, batch = detector(), torch.rand(3, 2, 32, 32)
    for parameter in found.net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.inference_mode():
        together = found.score_slices(batch, streams(3))
        alone = torch.cat([found.score_slices(batch[k : k + 1], streams(1, k)) for k in range(3)])
    assert torch.allclose(together, alone, rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        {"prediction": "velocity"},
        {"process": "flow", "prediction": "v"},
        {"scored_log_snr": (3, 1)},
        {"trained_log_snr": (1.0, 2.0)},
        {"calls": 1},
    ],
)
def test_impossible_hyper_parameters_are_refused(values):
    with pytest.raises(ValidationError):
        ANDiV2Config(**values)


def test_the_paper_preset_is_the_published_one():
    run = load_run_config(method_entry("andi-v2"), "paper", [], "andi-v2")
    assert validated(ANDiV2Config, run.detector, "andi-v2") == PUBLISHED
    training = run.training
    assert run.preprocessing.size == 224
    assert (training.steps, training.batch_size, training.learning_rate) == (50_000, 128, 1e-4)
    assert (training.optimizer, training.ema_decay) == ("adam", 0.9999)
