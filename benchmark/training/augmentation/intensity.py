"""Changes of intensity, made to the foreground alone: voxels above 0 stay above 0, all others stay what they were.

Each channel of a slice is changed on its own, as scanners differ in each sequence. Following nnU-Net (Isensee et al., Nature Methods
2021, supplementary note 4): brightness and contrast there by 0.75 to 1.25, gamma 0.7 to 1.5, noise of a variance up to 0.1 on images of
variance 1, each made to 10 to 30 of 100 patches. Bias as in Van Leemput et al. (1999), smooth and multiplicative.
"""

from __future__ import annotations

import math

import torch

from andi_bench.randomness import SliceGenerator
from benchmark.training.augmentation.smooth_fields import smooth_field

BIAS_SPANS = 2
"""Intervals between control points of a simulated bias field, along each edge: it varies over half the grid."""


def gamma(images: torch.Tensor, generator: SliceGenerator, strength: float) -> torch.Tensor:
    """Apply a power law that keeps the mean of the foreground: x -> m x^g / mean(x^g), g = (1 + strength) ** U[-1, 1].

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    strength : float
        >= 0; nnU-Net's range is about 0.45.
    """
    inside = images > 0
    exponent = _factors(generator, "augmentation gamma", strength, images)
    power = torch.exp(exponent * torch.log(torch.where(inside, images, 1.0)))
    ratio = _mean(images, inside) / _mean(power, inside).clamp(min=torch.finfo(power.dtype).tiny)
    return torch.where(inside, power * ratio, images)


def contrast(images: torch.Tensor, generator: SliceGenerator, strength: float) -> torch.Tensor:
    """Stretch intensities about the mean m of the foreground: x -> m + f (x - m), f = (1 + strength) ** U[-1, 1].

    What would fall below the channel's lowest foreground value is set to it.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    strength : float
        >= 0; nnU-Net's range is about 0.3.
    """
    inside = images > 0
    factor = _factors(generator, "augmentation contrast", strength, images)
    mean = _mean(images, inside)
    return _tissue(mean + factor * (images - mean), images, inside)


def brightness(images: torch.Tensor, generator: SliceGenerator, strength: float) -> torch.Tensor:
    """Scale intensities: x -> f x, f = (1 + strength) ** U[-1, 1].

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    strength : float
        >= 0; nnU-Net's range is about 0.3.
    """
    factor = _factors(generator, "augmentation brightness", strength, images)
    return torch.where(images > 0, factor * images, images)


def bias(images: torch.Tensor, generator: SliceGenerator, strength: float) -> torch.Tensor:
    """Shade slices: x -> x exp(strength b), b a smooth field in [-1, 1], as the coils of a scanner do.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    strength : float
        >= 0.
    """
    _, channels, height, width = images.shape
    field = smooth_field(generator, "augmentation bias", BIAS_SPANS, channels, (height, width))
    return torch.where(images > 0, images * torch.exp(strength * field), images)


def noise(images: torch.Tensor, generator: SliceGenerator, strength: float) -> torch.Tensor:
    """Add Gaussian noise to the foreground: x -> x + s n, n ~ N(0, 1) for each voxel, s ~ U[0, strength].

    What would fall below the channel's lowest foreground value is set to it.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices.
    strength : float
        >= 0, in image units.
    """
    deviation = generator.counted("augmentation noise", images.shape[1], high=strength)
    drawn = generator.fork("augmentation noise").normal(*images.shape[1:])
    return _tissue(images + deviation[:, :, None, None] * drawn, images, images > 0)


def _factors(
    generator: SliceGenerator, purpose: str, strength: float, images: torch.Tensor
) -> torch.Tensor:
    """Draw (1 + strength) ** U[-1, 1], float32 (N, C, 1, 1): multiplying and dividing are as likely."""
    span = math.log1p(strength)
    drawn = generator.counted(purpose, images.shape[1], low=-span, high=span)
    return torch.exp(drawn.double()).float()[:, :, None, None]


def _mean(images: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the mean of each channel's foreground, float32 (N, C, 1, 1); 0 without one."""
    total = torch.where(inside, images, 0.0).sum(dim=(2, 3), keepdim=True)
    return total / inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)


def _tissue(changed: torch.Tensor, images: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the changed foreground, not below the lowest of the channel's own, and the background as it was."""
    lowest = torch.where(inside, images, torch.inf).amin(dim=(2, 3), keepdim=True)
    return torch.where(inside, torch.maximum(changed, lowest), images)
