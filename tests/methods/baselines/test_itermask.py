import numpy as np
import pytest
import torch
from pydantic import ValidationError

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from datasets.scans.grid import plan
from datasets.volume import Volume
from methods.base import ImageSpec
from methods.baselines.itermask import IterMask, IterMaskConfig

SMALL = {"base_width": 8, "multipliers": (1, 2), "blocks": 1}


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def slices(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    out = 0.4 + 0.2 * torch.rand(count, 2, 32, 32, generator=generator)
    out[:, :, :4] = 0
    return out


class Networks(torch.nn.Module):
    """Networks that return one image, whatever they are shown, and keep what the second one was shown."""

    def __init__(self, image: torch.Tensor, shown: list) -> None:
        super().__init__()
        self.image, self.shown = image, shown

    def forward(self, condition, masked):
        if masked is not None:
            self.shown.append(masked[:, :2].clone())
        return self.image, self.image


def detector(restored: torch.Tensor | None = None, **values):
    torch.manual_seed(0)
    out = IterMask(IterMaskConfig(**(SMALL | values)), ImageSpec(("flair", "t2"), (32, 32)))
    shown: list = []
    out.net = out.network().eval() if restored is None else Networks(6 * restored - 3, shown)
    return out, shown


def test_the_mask_shrinks_to_what_cannot_be_restored():
    healthy = slices()
    sick = healthy.clone()
    sick[:, :, 12:18, 10:16] += 0.3
    found, shown = detector(healthy, threshold=0.05)
    scores = found.score_slices(sick, streams(2))
    lesion = torch.zeros(32, 32, dtype=torch.bool)
    lesion[12:18, 10:16] = True
    assert torch.allclose(scores[:, :, lesion], torch.tensor(0.09), atol=1e-5)
    assert scores[:, :, ~lesion].abs().max() < 1e-9
    image = 6 * sick - 3
    masks = [(seen != image).any(dim=1) for seen in shown]
    brain = 28 * 32
    assert masks[0][0].sum() == pytest.approx(0.6 * brain, abs=1)
    assert torch.equal(masks[-1][0], lesion)
    # Noise, then the lesion alone, then nothing left to lose.
    assert len(masks) == 2


def test_a_darker_place_scores_below_zero():
    healthy = slices()
    sick = healthy.clone()
    sick[:, :, 12:18, 10:16] -= 0.2
    found, _ = detector(healthy, threshold=0.05)
    assert float(found.score_slices(sick, streams(2))[0, 0, 14, 12]) == pytest.approx(
        -0.04, abs=1e-5
    )


def test_each_slice_stops_by_itself_and_the_cap_holds(monkeypatch):
    found, _ = detector(slices(), threshold=1e-3, iterations=5)
    calls = []

    def restored(image, condition, mask, generator, round_):
        calls.append(mask.flatten(1).sum(dim=1).tolist())
        out = image.clone()
        # The first slice loses a tenth of its mask at each round, the second one nothing.
        for k, share in ((0, 0.9), (1, 1.0)):
            inside = mask[k, 0].nonzero()
            kept = inside[: int(share * len(inside))]
            out[k, :, kept[:, 0], kept[:, 1]] += 1
        return out

    monkeypatch.setattr(found, "_restored", restored)
    found.reconstruct_slices(slices(), streams(2))
    first, second = zip(*calls, strict=True)
    assert len(calls) == 5
    assert list(first) == sorted(first, reverse=True)
    assert len(set(first)) == 5
    assert len(set(second)) == 1


def test_the_loss_is_that_of_both_networks():
    batch = slices(3)
    found, _ = detector(batch + 0.1)
    assert float(found.loss(batch, streams(3))) == pytest.approx(2 * 0.36, rel=1e-4)


class Batches:
    def __init__(self, images):
        self.images = images

    def batches(self, volume, slices=None):
        z = torch.arange(len(self.images)).numpy()
        yield z, self.images, streams(len(self.images))


def volume(images: torch.Tensor, lesion: torch.Tensor) -> Volume:
    axes = images.permute(1, 2, 3, 0).numpy()
    native, affine = plan((32, 32, len(images)), np.diag([-4.0, -4.0, 5.0, 1.0]), 32)
    return Volume(
        subject="a",
        image=axes,
        brain=axes.sum(axis=0) > 0,
        lesion=lesion.permute(1, 2, 0).numpy(),
        affine=affine,
        native=native,
        modalities=("flair", "t2"),
    )


def test_the_threshold_is_the_quantile_of_healthy_errors():
    healthy = slices(4)
    error = torch.linspace(0.01, 0.2, 4 * 32 * 32).reshape(4, 1, 32, 32)
    sick = healthy + error
    sick[:, :, :4] = 0
    lesion = torch.zeros(4, 32, 32, dtype=torch.bool)
    lesion[:, 20:] = True
    found, _ = detector(healthy, first_share=1.0)
    assert found.needs_calibration
    tau = found.calibrate([volume(sick, lesion)], Batches(sick))["threshold"]
    inside = (sick.sum(dim=1) > 0.01) & ~lesion
    wanted = (6 * error[:, 0][inside]).square().quantile(0.8)
    assert tau == pytest.approx(float(wanted), rel=2e-3)
    with pytest.raises(UserError, match="no lesion-free"):
        found.calibrate([volume(sick, torch.ones(4, 32, 32, dtype=torch.bool))], Batches(sick))


def test_a_slice_scores_the_same_in_any_batch():
    found, _ = detector(threshold=0.5, iterations=3)
    for parameter in found.net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    batch = slices(3)
    with torch.inference_mode():
        together = found.score_slices(batch, streams(3))
        alone = torch.cat([found.score_slices(batch[k : k + 1], streams(1, k)) for k in range(3)])
    assert torch.allclose(together, alone, rtol=1e-2, atol=1e-3 * float(together.abs().max()))


def test_every_restoration_is_a_call_of_the_network(monkeypatch):
    found, _ = detector(threshold=1e-9, iterations=3, least_shrinkage=0)
    calls = []
    found.net.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        found.score_slices(slices(2), streams(2))
    assert 2 <= len(calls) <= 4


def test_impossible_settings_are_refused():
    for values in ({"iterations": 0}, {"first_share": 0}, {"quantile": 1}, {"radius": 0.5}):
        with pytest.raises(ValidationError):
            IterMaskConfig(**values)


def test_the_paper_preset_is_the_published_one():
    run = load_run_config(method_entry("itermask"), "paper", [], "itermask")
    assert validated(IterMaskConfig, run.detector, "itermask") == IterMaskConfig(
        base_width=32, multipliers=(1, 1, 2, 3, 4)
    )
    assert (run.training.steps, run.training.batch_size, run.training.learning_rate) == (
        150_000,
        32,
        1e-4,
    )
