"""Changes of shape: small affine and elastic deformations, one resampling for both."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from andi_bench.randomness import SliceGenerator
from benchmark.training.augmentation.smooth_fields import smooth_field

SPANS = 5
"""Intervals between control points of an elastic deformation, along each edge. A cubic B-spline deformation whose control
points move by less than 0.48 intervals is one to one (Choi and Lee 2000): here 0.096 of the edge."""


def affine_matrices(
    generator: SliceGenerator,
    *,
    rotation: float = 0.0,
    scale: float = 0.0,
    shift: float = 0.0,
    shear: float = 0.0,
) -> torch.Tensor:
    """Draw affine maps of the plane, float32 (N, 2, 3), from a voxel to where its value is taken from.

    [x', y'] = R(a) [[1, s], [0, 1]] [x, y] / f + [u, v] about the centre of the grid, with
    a ~ U[-rotation, rotation] degrees, s ~ U[-shear, shear], f = (1 + scale) ** U[-1, 1], and u, v ~ U[-shift, shift] in
    edges. x runs left to right (the first axis of a slice), y front to back. nnU-Net (Isensee et al. 2021) turns by up
    to 30 degrees and more and scales by 0.7 to 1.4, for anatomies in any position; heads lie much alike.

    Parameters
    ----------
    rotation : float
        Degrees, [0, 180].
    scale, shift, shear : float
        [0, 1], [0, 0.5], [0, 0.5].
    """
    draws = generator.counted("augmentation affine", 5, low=-1.0, high=1.0).double()
    angle = draws[:, 0] * math.radians(rotation)
    factor = torch.exp(draws[:, 1] * math.log1p(scale))
    slant = draws[:, 4] * shear
    cos, sin = torch.cos(angle) / factor, torch.sin(angle) / factor
    first = torch.stack([cos, cos * slant - sin, draws[:, 2] * shift], dim=1)
    second = torch.stack([sin, sin * slant + cos, draws[:, 3] * shift], dim=1)
    return torch.stack([first, second], dim=1).float()


def elastic_shifts(
    generator: SliceGenerator, strength: float, size: tuple[int, int]
) -> torch.Tensor:
    """Draw smooth displacements along x and y, float32 (N, 2, H, W), in edges.

    ``strength`` times a smooth field in [-1, 1] for each axis (Simard et al. 2003, with splines in place of a smoothing).
    For a strength of at most 0.09 the deformation never folds.
    """
    return strength * smooth_field(generator, "augmentation elastic", SPANS, 2, size)


def resample(
    images: torch.Tensor, matrices: torch.Tensor, shifts: torch.Tensor | None
) -> torch.Tensor:
    """Deform slices: the value of voxel p becomes that at M (p + shift(p)), bilinear, 0 from outside the grid.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    matrices : float32 (N, 2, 3)
        As :func:`affine_matrices` draws them: edges, about the centre. On grids that are not square the unit is the first edge.
    shifts : float32 (N, 2, H, W) or None
        As :func:`elastic_shifts` draws them; None: none.
    """
    height, width = images.shape[-2:]
    ratio = width / height
    x = ((torch.arange(height, device=images.device) + 0.5) / height - 0.5)[None, :, None]
    y = ((torch.arange(width, device=images.device) + 0.5) / width - 0.5)[None, None, :] * ratio
    if shifts is not None:
        x, y = x + shifts[:, 0], y + shifts[:, 1]
    m = matrices[:, :, :, None, None]
    across = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]
    along = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]
    # torch counts from -1 to 1, and names the last axis of a slice first.
    grid = torch.stack([2 * along / ratio, 2 * across], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
