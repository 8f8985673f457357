"""Noise for training and scoring diffusion models, each slice's from its own random stream."""

from __future__ import annotations

from typing import Literal

import torch

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
    out = generator.normal(*shape) * 2.0**0.5
    _add_octaves(out, generator, discount, published)
    return out / (out.std() if published else out.std(dim=(1, 2, 3), keepdim=True))


def _add_octaves(
    out: torch.Tensor, generator: SliceGenerator, discount: float, published: bool
) -> None:
    """Add the octaves below full size to white noise (N, C, H, W), in place."""
    channels, *edges = out.shape[1:]
    sizes = [torch.full((len(generator), 1), float(edge), device=out.device) for edge in edges]
    largest, octave = edges, 0
    while min(largest) > 1:
        octave += 1
        # Drawn on the largest grid that r = 2 allows; a smaller octave reads the corner of its size.
        largest = [max(1, edge // 2**octave) for edge in largest]
        ratio = generator.uniform(1, low=2.0, high=4.0)
        if published:
            ratio = ratio[:1].expand_as(ratio)
        goes_on = torch.minimum(*sizes) > 1
        amplitude = torch.where(goes_on, discount**octave, 0.0)
        sizes = [(size / ratio**octave).floor().clamp(min=1) for size in sizes]
        rows, columns = (
            _resize_weights(*of_axis)[:, None]
            for of_axis in zip(sizes, largest, edges, strict=True)
        )
        layer = generator.normal(channels, *largest)
        with torch.autocast(out.device.type, enabled=False):  # noise is float32 in any precision
            out += amplitude[:, :, None, None] * (rows @ layer @ columns.mT)


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
