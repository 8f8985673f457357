"""OpenSimplex noise for a whole batch at once, the noise AnoDDPM learns to remove.

OpenSimplex noise sums, over the lattice points near a position, (2 - d^2)^4 times the scalar product of the way from the
point with that point's gradient; the gradient is chosen by hashing the lattice point with a permutation of 0..255. (The
reference implementation leaves out points of very small weight: values differ by some 1e-4.) On a fixed pixel grid the ways and weights are the same for every slice, and only the gradients differ. All octaves of a slice
are therefore one sparse matrix times the vector of its gradients, and a batch is one product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from andi_bench.randomness import SliceGenerator

FREQUENCY = 64.0
"""Pixels to a unit of the first octave; halved from octave to octave."""
OCTAVES = 6
PERSISTENCE = 0.8
"""Amplitude of an octave in units of the last one's."""
TIME = 10.0
"""Third coordinate, divided by the frequency like the other two."""

_STRETCH = -1 / 6
"""(1 / sqrt(n + 1) - 1) / n for n = 3: positions to lattice coordinates."""
_SQUISH = 1 / 3
"""(sqrt(n + 1) - 1) / n for n = 3: the way back."""
_NORM = 103.0
"""Brings the sum to about [-1, 1]."""
_REACH = range(-1, 3)
"""Lattice points that can lie within sqrt(2) of a position, counted from its cell along each axis."""


def _gradients() -> NDArray[np.float64]:
    """Return the 24 gradients (24, 3): the permutations of (11, 4, 4) with all signs, in the order of the hash."""
    signs = [(-1, 1, 1), (1, 1, 1), (-1, -1, 1), (1, -1, 1)]
    signs += [(x, y, -1) for x, y, _ in signs]
    places = sorted(set(permutations((4, 4, 11))), reverse=True)
    return np.array([np.multiply(sign, place) for sign in signs for place in places], dtype=float)


GRADIENTS = _gradients()


@dataclass(frozen=True)
class _Lattice:
    """What is the same for every slice of a size: a sparse matrix from gradients to pixels, all octaves together.

    Parameters
    ----------
    points : int64 tensor (L, 3)
        Lattice coordinates, modulo 256.
    column : int64 tensor (K,)
        Of each weight: three times the number of its lattice point, plus the axis.
    weight : float32 tensor (K,)
        Sorted by pixel.
    first : int64 tensor (H * W + 1,)
        Where each pixel's weights begin.
    """

    points: torch.Tensor
    column: torch.Tensor
    weight: torch.Tensor
    first: torch.Tensor


def simplex_noise(generator: SliceGenerator, shape: tuple[int, int, int]) -> torch.Tensor:
    """Draw simplex noise in six octaves, float32 (N, C, H, W); each slice and channel has a permutation of its own.

    Octave i is OpenSimplex noise at (x / f, y / f, T / f), f = 64 / 2^i, T = 10, with amplitude 0.8^i. The variance is
    not 1, as published.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    shape : (C, H, W)
        Of one slice.

    References
    ----------
    Wyatt et al., AnoDDPM: Anomaly Detection with Denoising Diffusion Probabilistic Models using Simplex Noise, 2022.
    """
    channels, height, width = shape
    # Stable: two equal numbers then stand in the same order on every device.
    permutation = generator.uniform(channels, 256).argsort(dim=-1, stable=True)
    return from_permutations(permutation, height, width)


def from_permutations(permutation: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Evaluate the noise of given permutations.

    Parameters
    ----------
    permutation : int64 tensor (N, C, 256)
        Each a permutation of 0..255.
    height, width : int
        Pixels.

    Returns
    -------
    float32 tensor (N, C, H, W)
    """
    count, channels, _ = permutation.shape
    lattice = _lattice(height, width, permutation.device)
    table = permutation.reshape(count * channels, 256)
    hashed = _hash(table, lattice.points)
    choice = torch.as_tensor(GRADIENTS, dtype=torch.float32, device=table.device)
    gradients = choice[hashed.T % len(GRADIENTS)].transpose(1, 2).flatten(0, 1)  # (3 L, N C)
    with torch.autocast(table.device.type, enabled=False):  # noise is float32 in any precision
        noise = F.embedding_bag(
            lattice.column,
            gradients,
            lattice.first,
            mode="sum",
            per_sample_weights=lattice.weight,
            include_last_offset=True,
        )
    return noise.T.reshape(count, channels, height, width)


def _hash(table: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Hash lattice points (L, 3) by each permutation (M, 256): int64 (M, L)."""
    hashed = table[:, points[:, 0]]
    for axis in (1, 2):
        hashed = table.gather(1, (hashed + points[:, axis]) & 255)
    return hashed


@lru_cache(maxsize=8)
def _lattice(height: int, width: int, device: torch.device) -> _Lattice:
    pixels, columns, weights, points = [], [], [], []
    known = 0
    for octave in range(OCTAVES):
        frequency = FREQUENCY / 2**octave
        y, x = np.mgrid[:height, :width].reshape(2, -1) / frequency
        position = np.stack([x, y, np.full_like(x, TIME / frequency)], axis=1)
        pixel, lattice_point, weight = _neighbours(position)
        unique, index = np.unique(lattice_point, axis=0, return_inverse=True)
        pixels.append(pixel)
        columns.append(known + index.ravel())
        weights.append(PERSISTENCE**octave / _NORM * weight)
        points.append(unique)
        known += len(unique)
    pixel = np.concatenate(pixels)
    order = np.argsort(pixel, kind="stable")
    column = 3 * np.concatenate(columns)[order][:, None] + np.arange(3)
    count = 3 * np.bincount(pixel, minlength=height * width)
    arrays = (
        np.concatenate(points) % 256,
        column.ravel(),
        np.concatenate(weights)[order].ravel().astype(np.float32),
        np.append(0, np.cumsum(count)),
    )
    return _Lattice(*(torch.from_numpy(array).to(device) for array in arrays))


def _neighbours(
    position: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find the lattice points within sqrt(2) of each position (P, 3).

    Returns
    -------
    index : int64 (K,)
        Position of each pair.
    point : int64 (K, 3)
        Lattice coordinates.
    weight : float64 (K, 3)
        (2 - d^2)^4 times the way from the lattice point to the position.
    """
    cell = np.floor(position + _STRETCH * position.sum(axis=1, keepdims=True)).astype(np.int64)
    found = []
    for offset in product(_REACH, repeat=3):
        point = cell + np.array(offset)
        way = position - (point + _SQUISH * point.sum(axis=1, keepdims=True))
        kernel = 2 - (way**2).sum(axis=1)
        near = np.flatnonzero(kernel > 0)
        found.append((near, point[near], kernel[near, None] ** 4 * way[near]))
    index, point, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return index, point, weight
