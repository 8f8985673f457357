import numpy as np
import pytest
import torch

from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec, SliceBatch
from methods.baselines.fpi import FPI, FPIConfig
from methods.baselines.pii import PII


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def slices(count: int, size: int = 24, seed: int = 0) -> torch.Tensor:
    """Smooth round slices of one anatomy, each of its own brightness."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size)
    inside = axis[:, None] ** 2 + axis**2 < 0.7
    anatomy = 0.5 + 0.2 * np.cos(3 * axis[:, None]) * np.cos(3 * axis)
    bright = rng.uniform(0.7, 1.3, (count, 2, 1, 1))
    return torch.from_numpy((anatomy * bright * inside).astype(np.float32))


class Given:
    seed = 0
    device = torch.device("cpu")

    def progress(self, found):
        return found

    def train(self, detector, found):
        return None


def detector(cls):
    torch.manual_seed(0)
    out = cls(
        FPIConfig(base_width=8, multipliers=(1, 2), blocks=1), ImageSpec(("flair", "t2"), (24, 24))
    )
    out.net = out.network().eval()
    out.fit([SliceBatch(slices(40, seed=9), ("a",) * 40, np.arange(40), np.full(40, 155))], Given())
    return out


@pytest.mark.parametrize("cls", [FPI, PII])
def test_the_loss_is_cross_entropy_with_the_factor(cls, monkeypatch):
    found, batch, seen = detector(cls), slices(6), {}

    def net(x):
        seen["x"] = x
        return torch.full((6, 1, 24, 24), 0.3)

    monkeypatch.setattr(found, "net", net)
    loss = float(found.loss(batch, streams(6)))
    changed = ((seen["x"] + 1) / 2 - batch).abs().amax(dim=1)
    assert changed.flatten(1).amax(dim=1).max() > 0.01
    p = 1 / (1 + np.exp(-0.3))
    nothing = -np.log(1 - p)
    # -(a log p + (1 - a) log(1 - p)) is linear in a: the mean label is found from the loss.
    mean_label = (loss - nothing) / (np.log(1 - p) - np.log(p))
    assert 0 < mean_label < 0.2


def test_seamless_patches_differ_from_pasted_ones(monkeypatch):
    batch, seen = slices(6), []
    for cls in (FPI, PII):
        found = detector(cls)
        monkeypatch.setattr(found, "net", lambda x: seen.append(x) or torch.zeros(6, 1, 24, 24))
        found.loss(batch, streams(6))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.slow
def test_training_lowers_the_loss_and_a_foreign_patch_then_stands_out():
    found = detector(FPI)
    optimizer = torch.optim.Adam(found.net.parameters(), 1e-3)
    found.net.train()
    losses = []
    for step in range(400):
        loss = found.loss(slices(16, seed=step), streams(16, 16 * step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    found.net.eval()
    # What it learns to find is tissue of somebody else; a bright spot of one's own it need not (docs/your-scans.md).
    healthy, other = slices(16, seed=1000), slices(16, seed=2000)
    sick = healthy.clone()
    sick[..., 9:14, 10:15] = 0.2 * healthy[..., 9:14, 10:15] + 0.8 * other[..., 9:14, 10:15]
    with torch.inference_mode():
        before, after = (found.score_slices(x, streams(16))[:, 0] for x in (healthy, sick))
    assert min(before.min(), after.min()) >= 0
    assert max(before.max(), after.max()) <= 1
    brain = healthy.sum(dim=1) > 0.01
    inside = after[:, 9:14, 10:15].mean()
    assert inside > 10 * before[:, 9:14, 10:15].mean()
    assert inside > 3 * after[brain].mean()


def test_partners_are_never_part_of_what_is_saved():
    assert all(name.startswith("net.") for name in detector(PII).state())
    lone = PII(FPIConfig(), ImageSpec(("flair",), (32, 32)))
    with pytest.raises(ValueError, match="from a bank"):
        lone.loss(slices(2), streams(2))
