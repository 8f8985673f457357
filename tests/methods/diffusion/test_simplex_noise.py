"""Simplex noise against the reference implementation, where that is installed, and against its definition."""

import numpy as np
import pytest
import torch

from andi_bench.randomness import SliceGenerator
from methods.diffusion.noise import draw_noise
from methods.diffusion.simplex import from_permutations, simplex_noise


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def test_it_equals_the_reference_implementation_octave_by_octave():
    reference = pytest.importorskip("opensimplex", reason="the package opensimplex is not there")
    for seed in (0, 7):
        noise = reference.OpenSimplex(seed)
        wanted = np.zeros((24, 20))
        for octave in range(6):
            f = 64 / 2**octave
            for y, x in np.ndindex(*wanted.shape):
                wanted[y, x] += 0.8**octave * noise.noise3(x / f, y / f, 10 / f)
        permutation = torch.from_numpy(np.asarray(noise._perm))[None, None]
        found = from_permutations(permutation, 24, 20)[0, 0].numpy()
        # The reference leaves out lattice points of very small weight.
        assert np.abs(found - wanted).max() < 5e-4
        assert np.median(np.abs(found - wanted)) < 1e-6


def by_definition(permutation: np.ndarray, x: float, y: float, z: float) -> float:
    """One value of OpenSimplex noise, over every lattice point of a wide neighbourhood."""
    position = np.array([x, y, z])
    cell = np.floor(position - position.sum() / 6).astype(int)
    gradients = [
        [(a * i, b * j, c * k) for a, b, c in ((11, 4, 4), (4, 11, 4), (4, 4, 11))]
        for k in (1, -1)
        for j in (1, -1)
        for i in (-1, 1)
    ]
    gradients = np.array(gradients).reshape(-1, 3)
    total = 0.0
    for offset in np.ndindex(8, 8, 8):
        point = cell + np.array(offset) - 3
        way = position - (point + point.sum() / 3)
        kernel = 2 - way @ way
        if kernel > 0:
            hashed = 0
            for coordinate in point:
                hashed = permutation[(hashed + coordinate) & 255]
            total += kernel**4 * (gradients[hashed % 24] @ way)
    return total / 103


def test_it_is_the_sum_over_all_lattice_points_near_a_pixel():
    permutation = np.random.default_rng(3).permutation(256)
    found = from_permutations(torch.from_numpy(permutation)[None, None], 40, 40)[0, 0]
    for y, x in ((0, 0), (1, 0), (17, 23), (39, 39), (5, 32)):
        wanted = sum(
            0.8**i * by_definition(permutation, x / f, y / f, 10 / f)
            for i, f in enumerate(64 / 2**k for k in range(6))
        )
        assert found[y, x].item() == pytest.approx(wanted, abs=2e-6)


def test_a_slice_has_the_same_noise_in_any_batch_and_another_in_each_channel():
    together = simplex_noise(streams(3), (2, 32, 32))
    alone = simplex_noise(streams(1, 2), (2, 32, 32))
    assert torch.allclose(together[2], alone[0], atol=1e-6)
    flat = together.flatten(0, 1)
    assert (torch.corrcoef(flat.flatten(1)) - torch.eye(6)).abs().max() < 0.9


def test_most_of_its_power_is_in_low_frequencies_and_its_variance_is_not_one():
    noise = draw_noise("simplex", streams(200), (1, 64, 64))
    power = (torch.fft.fft2(noise[:, 0]).abs() ** 2).mean(dim=0)
    frequency = torch.fft.fftfreq(64)
    ring = torch.hypot(frequency[:, None], frequency[None])
    low, high = power[(ring > 0) & (ring < 0.05)].mean(), power[ring > 0.4].mean()
    assert low > 30 * high
    assert 0.4 < noise.std() < 0.6
    assert noise.mean().abs() < 0.1
