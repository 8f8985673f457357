"""Healthy voxels of validation volumes are counted by score, and no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.small_volumes import small_volume

from andi_bench.errors import UserError
from methods.healthy_scores import count_healthy_scores


class Cut:
    """Gives the slices of a volume two by two, as the engine does."""

    def batches(self, volume):
        slices = torch.from_numpy(volume.image.transpose(3, 0, 1, 2).copy())
        for places in torch.arange(len(slices)).split(2):
            yield places.numpy(), slices[places], None


def first_channel(batch, _generator, healthy):
    assert healthy.shape == (len(batch), *batch.shape[2:])
    return batch[:, 0][healthy]


def test_every_healthy_voxel_is_counted_once_and_no_other():
    volume = small_volume()
    counts = count_healthy_scores("x", "tau", [volume, volume], Cut(), first_channel, 50, 2.0)
    wanted, _ = np.histogram(volume.image[0][volume.healthy], 50, (0, 2))
    assert 0 < volume.healthy.sum() < volume.brain.sum()
    assert counts.dtype == torch.float64
    np.testing.assert_array_equal(counts.numpy(), 2 * wanted)


def test_without_a_healthy_voxel_the_option_is_named():
    with pytest.raises(UserError, match=r"method 'x': .* to calibrate detector\.tau on"):
        count_healthy_scores("x", "tau", [], Cut(), first_channel, 50)
