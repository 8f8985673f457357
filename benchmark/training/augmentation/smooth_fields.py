"""Smooth random fields: uniform cubic B-splines over a coarse grid of random control points."""

from __future__ import annotations

from functools import cache

import torch

from andi_bench.randomness import SliceGenerator


def smooth_field(
    generator: SliceGenerator, purpose: str, spans: int, fields: int, size: tuple[int, int]
) -> torch.Tensor:
    """Draw smooth fields, float32 (N, fields, H, W), in [-1, 1], twice continuously differentiable.

    field(x, y) = sum over i, j of B_i(x) B_j(y) c_ij, with control points c_ij ~ U[-1, 1] and the cubic B-splines B of
    ``spans`` equal intervals along each edge, which are positive and sum to 1. The slope along an axis is at most
    2 ``spans`` per edge. Values beyond +-0.6 are rare: neighbouring control points are averaged.

    Parameters
    ----------
    purpose : str
        Names the stream.
    spans : int
        Intervals along each edge, >= 1; more make the field rougher.
    fields : int
        How many for each slice.
    size : (int, int)
        H and W.
    """
    height, width = size
    points = generator.counted(purpose, fields, spans + 3, spans + 3, low=-1.0, high=1.0)
    across = _splines(width, spans).to(points.device)
    # Sums of a few terms, not matrix products, whose rounding depends on the batch.
    lines = sum(points[..., j, None] * across[j] for j in range(spans + 3))
    down = _splines(height, spans).to(points.device)[:, :, None]
    assert isinstance(lines, torch.Tensor)
    field = sum(lines[:, :, i, None, :] * down[i] for i in range(spans + 3))
    assert isinstance(field, torch.Tensor)
    return field


@cache
def _splines(size: int, spans: int) -> torch.Tensor:
    """Values of the spans + 3 cubic B-splines at the centres of ``size`` voxels, float32 (spans + 3, size)."""
    place = (torch.arange(size, dtype=torch.float64) + 0.5) / size * spans
    knot = torch.arange(spans + 3, dtype=torch.float64)[:, None] - 1
    distance = (place - knot).abs()
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance).clamp(min=0) ** 3 / 6
    return torch.where(distance < 1, near, far).float()
