"""Noise of low resolution inside the foreground, which a denoising autoencoder learns to remove."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from andi_bench.randomness import SliceGenerator

__all__ = ["coarse_noise", "foreground"]

FOREGROUND = 0.01
"""A pixel is foreground where its sum over the modalities exceeds this."""


def foreground(images: torch.Tensor) -> torch.Tensor:
    """Return where slices hold tissue, bool (N, 1, H, W), for slices (N, C, H, W) of about [0, 1]."""
    return images.sum(dim=1, keepdim=True) > FOREGROUND


def coarse_noise(
    generator: SliceGenerator,
    images: torch.Tensor,
    *,
    standard_deviation: float = 0.2,
    resolution: int = 16,
) -> torch.Tensor:
    """Draw white noise on a coarse grid, enlarge it, shift it, and keep it inside the foreground.

    Each slice and modality has its own N(0, standard_deviation^2) on ``resolution`` x ``resolution`` nodes, enlarged
    linearly to H x W with the outer nodes on the outer pixels. The modalities of a slice are rolled together, by an
    offset uniform over all pixels, so that no pixel is a node more often than another. Between the nodes
    the linear interpolation lowers the standard deviation, by 2/3 on average over a fine grid.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    images : tensor (N, C, H, W)
        Slices of about [0, 1].
    standard_deviation : float
        At the nodes, in image units.
    resolution : int
        Nodes along each axis, >= 2.

    Returns
    -------
    float32 tensor (N, C, H, W)
        0 outside the :func:`foreground`.

    References
    ----------
    Kascenas et al., Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI, MIDL 2022.
    """
    _, channels, height, width = images.shape
    nodes = standard_deviation * generator.normal(channels, resolution, resolution)
    noise = F.interpolate(nodes, (height, width), mode="bilinear", align_corners=True)
    for axis, edge in ((2, height), (3, width)):
        start = generator.integers(0, edge, 1)
        place = (torch.arange(edge, device=noise.device) + start) % edge
        noise = noise.take_along_dim(place[:, None, :, None].movedim(2, axis), dim=axis)
    return noise * foreground(images)
