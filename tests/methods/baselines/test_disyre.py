import itertools

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec, SliceBatch
from methods.baselines.disyre import DISYRE, DISYREConfig, window_starts

NAMES = ("flair", "t2")
SMALL = {"base_width": 8, "multipliers": (1, 2), "blocks": 1, "attention": ()}


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(size: int = 32, **values: object) -> DISYRE:
    torch.manual_seed(0)
    out = DISYRE(DISYREConfig(**(SMALL | values)), ImageSpec(NAMES, (size, size)))
    out.net = out.network().eval()
    return out


def slices(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size)
    inside = axis[:, None] ** 2 + axis**2 < 0.7
    tissue = (
        0.5
        + 0.1 * rng.standard_normal((count, 2, 1, 1))
        + 0.03 * rng.standard_normal((count, 2, size, size))
    )
    return torch.from_numpy((tissue * inside).astype(np.float32).clip(0))


class Given:
    """A context that trains nothing: the loss alone is looked at."""

    seed = 0
    device = torch.device("cpu")

    def progress(self, slices):
        return slices

    def train(self, detector, slices):
        return None


def with_textures(found: DISYRE, size: int = 32) -> DISYRE:
    images = slices(20, size, seed=9)
    batch = SliceBatch(images, ("a",) * 20, np.arange(20), np.full(20, 155))
    found.fit([batch], Given())
    return found


def test_the_grades_are_the_published_ones():
    found = detector()
    assert found.strengths[[0, 24, 49, 74, 99]] == pytest.approx(
        [0.9995, 0.7266, 0.2724, 0.0508, 0.0045], abs=6e-5
    )
    assert found.grade(torch.tensor([0.9, 0.5, 0.1, 0.0, 3.0])).tolist() == [13, 36, 65, 99, 0]


def test_a_network_that_restores_everything_has_no_loss_and_one_that_does_nothing_has_the_corruptions(
    monkeypatch,
):
    found, images = with_textures(detector()), slices(6)
    monkeypatch.setattr(found, "restore", lambda corrupted, grade: images)
    assert float(found.loss(images, streams(6))) == 0
    seen = {}

    def nothing(corrupted, grade):
        seen["corrupted"], seen["grade"] = corrupted, grade
        return corrupted

    monkeypatch.setattr(found, "restore", nothing)
    loss = float(found.loss(images, streams(6)))
    assert loss == pytest.approx(float((seen["corrupted"] - images).square().mean()))
    assert loss > 0
    assert seen["grade"].shape == (6,)


def test_the_map_is_the_mean_over_the_grades_with_the_sign_of_their_sum(monkeypatch):
    found, image = detector(grades=(99, 24)), torch.full((1, 2, 32, 32), 0.5)
    away = {99: 0.1, 24: -0.3}
    monkeypatch.setattr(found, "restore", lambda images, grade: images - away[int(grade[0])])
    scores = found.score_slices(image, streams(1))
    assert torch.allclose(
        scores, torch.full_like(image, -0.2)
    )  # (0.1 + 0.3) / 2, more below than above
    assert torch.allclose(found.reconstruct_slices(image, streams(1)), image + 0.1)


def test_the_published_share_of_the_brain_is_an_option_that_scoring_alone_reads():
    plain, weighted = detector(), detector(published_brain_share=True)
    images = slices(2)
    share = (images.sum(dim=1) > 0.01).float().mean(dim=(1, 2))
    with torch.inference_mode():
        expected = plain.score_slices(images, streams(2)) * share[:, None, None, None]
        assert torch.allclose(weighted.score_slices(images, streams(2)), expected)
    assert plain.training_config() == weighted.training_config()


def test_larger_slices_are_seen_in_windows(monkeypatch):
    found, images = detector(size=48, window=32), torch.rand(2, 2, 48, 48)
    seen = []

    def same(patches, grade):
        seen.append(tuple(patches.shape[-2:]))
        return patches

    monkeypatch.setattr(found, "restore", same)
    assert torch.allclose(
        found.score_slices(images, streams(2)), torch.zeros_like(images), atol=1e-6
    )
    assert set(seen) == {(32, 32)}
    with_textures(found, 48).loss(images, streams(2))
    assert seen[-1] == (32, 32)


@pytest.mark.parametrize(
    ("size", "edge", "overlap"),
    [(128, 128, 0.25), (240, 128, 0.25), (129, 128, 0.0), (300, 64, 0.5)],
)
def test_windows_cover_everything_and_overlap_enough(size, edge, overlap):
    starts = window_starts(size, edge, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, size - edge)
    assert all(b - a <= np.ceil(edge * (1 - overlap)) for a, b in itertools.pairwise(starts))


def test_textures_are_never_part_of_what_is_saved():
    found = with_textures(detector())
    assert all(name.startswith("net.") for name in found.state())
    with pytest.raises(ValueError, match="bank of textures"):
        detector().loss(slices(2), streams(2))


def test_training_lowers_the_loss_and_a_bright_blob_then_stands_out():
    found = with_textures(detector(size=24), 24)
    optimizer = torch.optim.Adam(found.net.parameters(), 6e-3)
    found.net.train()
    losses = []
    for step in range(50):
        loss = found.loss(slices(8, 24, seed=step), streams(8, 8 * step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    found.net.eval()
    sick = slices(4, 24, seed=1000)
    brain = sick.sum(dim=1) > 0.01
    sick[:, :, 9:13, 10:15] += 0.5
    with torch.inference_mode():
        scores = found.score_slices(sick, streams(4)).amax(dim=1)
    for k in range(4):
        assert scores[k, 9:13, 10:15].median() > 3 * scores[k][brain[k]].median()


def test_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match=r"grades \[100\]"):
        DISYREConfig(grades=(99, 100))
    with pytest.raises(UserError, match="multiple of 16"):
        DISYRE(DISYREConfig(window=120, multipliers=(1, 2, 2, 4, 4)), ImageSpec(NAMES, (240, 240)))
    assert all(field.description for field in DISYREConfig.model_fields.values())


def test_the_paper_preset_is_the_published_one():
    run = load_run_config(method_entry("disyre"), "paper", [], "disyre")
    config = validated(DISYREConfig, run.detector, "disyre")
    published = DISYREConfig(
        multipliers=(1, 2, 2, 4, 4), attention=(8, 16), published_brain_share=True
    )
    assert config == published
    training = run.training
    assert (training.steps, training.batch_size, training.learning_rate) == (100_000, 64, 1e-4)
    assert (training.weight_decay, training.ema_decay) == (1e-6, 0.9999)
