"""Noise for training and scoring diffusion models, each slice's from its own random stream."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F

from andi_bench.randomness import SliceGenerator
from methods.diffusion.simplex import simplex_noise

NoiseName = Literal["gaussian", "pyramid", "simplex"]


def draw_noise(
    name: NoiseName,
    generator: SliceGenerator,
    shape: tuple[int, int, int],
    *,
    discount: float = 0.8,
    published_pyramid: bool = False,
) -> torch.Tensor:
    """Draw noise by name, float32 (N, C, H, W) on the generator's device.

    Parameters
    ----------
    name : {"gaussian", "pyramid", "simplex"}
        See :func:`gaussian_noise`, :func:`pyramid_noise` and :func:`methods.diffusion.simplex.simplex_noise`.
    generator : SliceGenerator
        One stream per slice.
    shape : (C, H, W)
        Of one slice.
    discount, published_pyramid
        See :func:`pyramid_noise`.
    """
    if name == "gaussian":
        return gaussian_noise(generator, shape)
    if name == "simplex":
        return simplex_noise(generator, shape)
    return pyramid_noise(generator, shape, discount, published_pyramid)


def gaussian_noise(generator: SliceGenerator, shape: tuple[int, int, int]) -> torch.Tensor:
    """Draw white noise, N(0, 1), float32 (N, C, H, W)."""
    return generator.normal(*shape)


def pyramid_noise(
    generator: SliceGenerator,
    shape: tuple[int, int, int],
    discount: float = 0.8,
    published: bool = False,
) -> torch.Tensor:
    """Draw pyramid noise: white noise plus white noise of ever smaller sizes, resized bilinearly to full size.

    Octave 0 has full size. Octave i >= 1 has the size of octave i - 1 with both edges divided by r^i, r ~ U(2, 4), and the
    amplitude discount^i; the first octave with an edge of 1 is the last. At 128 x 128 the sizes are thus 128, 32..64, 2..16
    and 1. The sum is divided by its own standard deviation over channels and pixels.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    shape : (C, H, W)
        Of one slice.
    discount : float
        Amplitude of an octave in units of the last one's.
    published : bool
        One r per octave and one standard deviation for the whole batch, as in the published code. A slice's noise
        then depends on the batch it is in; r is drawn from the first slice's stream. By default each slice has
        its own.

    Returns
    -------
    float32 tensor (N, C, H, W)
        Standard deviation 1 for each slice, or for the whole batch where ``published``.

    References
    ----------
    Frotscher et al., arXiv 2312.01904.
    """
    # The published sum has two white layers of full size; one of variance 2 is the same.
    out = generator.normal(*shape).mul_(2.0**0.5)
    _add_octaves(out, generator, discount, published)
    return out.div_(out.std() if published else out.std(dim=(1, 2, 3), keepdim=True))


def _add_octaves(
    out: torch.Tensor, generator: SliceGenerator, discount: float, published: bool
) -> None:
    """Add the octaves below full size to white noise (N, C, H, W), in place."""
    channels, *edges = out.shape[1:]
    sizes = torch.tensor(edges, dtype=torch.float32, device=out.device).expand(len(generator), 2)
    largest, octave = edges, 0
    parts, columns = [], []
    while min(largest) > 1:
        octave += 1
        # Drawn on the largest grid that r = 2 allows; a smaller octave reads the corner of its size.
        largest = [max(1, edge // 2**octave) for edge in largest]
        ratio = generator.uniform(1, low=2.0, high=4.0)
        if published:
            ratio = ratio[:1].expand_as(ratio)
        goes_on = sizes.amin(dim=1, keepdim=True) > 1
        amplitude = torch.where(goes_on, discount**octave, 0.0)
        sizes = (sizes / ratio**octave).floor_().clamp_(min=1)
        layer = generator.normal(channels, *largest).mul_(amplitude[:, :, None, None])
        rows = _resize_weights(sizes[:, :1], largest[0], edges[0])
        columns.append(_resize_weights(sizes[:, 1:], largest[1], edges[1]))
        with torch.autocast(out.device.type, enabled=False):  # noise is float32 in any precision
            parts.append(rows[:, None] @ layer)
    if not parts:
        return
    # All octaves are enlarged along the last axis, and added up, in one product.
    lines = torch.cat(parts, dim=-1).flatten(1, 2)
    with torch.autocast(out.device.type, enabled=False):
        out.flatten(1, 2).baddbmm_(lines, torch.cat(columns, dim=-1).mT)


def _resize_weights(sizes: torch.Tensor, largest: int, edge: int) -> torch.Tensor:
    """Weights of the linear enlargement from ``sizes`` (N, 1) to ``edge`` samples: (N, edge, largest).

    Pixel centres as in ``interpolate(mode="bilinear", align_corners=False)``; enlarging needs no antialias.
    Column j is 0 from j = size on.
    """
    centres = torch.arange(edge, device=sizes.device) + 0.5
    source = (centres * sizes / edge - 0.5).clamp(min=0)
    source = torch.minimum(source, sizes - 1)
    columns = torch.arange(largest, device=sizes.device)
    return (1 - (source[:, :, None] - columns).abs()).clamp(min=0)


def turned(images: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
    """Turn each image by a random multiple of 15 degrees and mirror it at random along either axis, as AnoDDPM's published chain does.

    Nearest neighbours; what is turned in from beyond the edge is 0.

    Parameters
    ----------
    images : float32 tensor (N, C, H, W)
        Images.
    generator : SliceGenerator
        One stream per image.
    """
    angle = generator.integers(0, 24).float() * (math.pi / 12)
    mirrored = torch.where(generator.integers(0, 2, 2) == 0, 1.0, -1.0)
    height, width = images.shape[-2:]
    cos, sin = angle.cos(), angle.sin()
    # In pixels a turn is a turn; grid_sample counts both axes from -1 to 1.
    rows = torch.stack([cos, -sin * height / width, sin * width / height, cos], dim=1).view(
        -1, 2, 2
    )
    matrix = torch.cat([mirrored[:, :, None] * rows, torch.zeros_like(rows[..., :1])], dim=2)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images.contiguous(), grid, mode="nearest", align_corners=False)
