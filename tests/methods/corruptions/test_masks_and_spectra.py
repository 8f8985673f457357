import numpy as np
import pytest
import torch

from andi_bench.randomness import SliceGenerator
from methods.corruptions.block_masks import block_masks
from methods.corruptions.spectrum import without_low_amplitudes


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (25, 33)])
def test_low_amplitudes_are_one_and_everything_else_stays(size):
    images = torch.rand(2, 2, *size)
    found = without_low_amplitudes(images, 5.0)
    before, after = (
        np.fft.fftshift(np.fft.fft2(x.double().numpy()), axes=(-2, -1)) for x in (images, found)
    )
    rows = (np.arange(size[0]) - size[0] // 2) * max(size) / size[0]
    columns = (np.arange(size[1]) - size[1] // 2) * max(size) / size[1]
    low = rows[:, None] ** 2 + columns**2 < 25
    assert np.abs(after[..., low]) == pytest.approx(1, abs=1e-3)
    assert np.angle(after[..., low] * before[..., low].conj()) == pytest.approx(0, abs=1e-3)
    assert after[..., ~low] == pytest.approx(before[..., ~low], abs=1e-3)


def test_an_empty_slice_stays_finite():
    assert torch.isfinite(without_low_amplitudes(torch.zeros(1, 1, 16, 16), 4.0)).all()


def test_masks_are_squares_in_the_brain_and_each_slice_has_its_own():
    brain = torch.zeros(200, 1, 64, 64, dtype=torch.bool)
    brain[..., 10:54, 20:60] = True
    masks = block_masks(SliceGenerator(range(200)), brain)
    assert not (masks & ~brain).any()
    shares = masks.flatten(1).sum(dim=1) / brain.flatten(1).sum(dim=1)
    assert shares.mean() > 0.1
    assert shares.max() < 0.95
    assert len(shares.unique()) > 100
    alone = block_masks(SliceGenerator([7]), brain[:1])
    assert torch.equal(alone[0], masks[7])
    # Masks lie around the middle of the brain, which is not that of the slice.
    column = (masks.float().sum(dim=(0, 1, 2)) * torch.arange(64)).sum() / masks.sum()
    assert float(column) == pytest.approx(39.5, abs=1.5)
