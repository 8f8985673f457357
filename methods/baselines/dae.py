"""Denoising autoencoder.

Kascenas et al., Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI, MIDL 2022.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import DetectorConfig, Field, SliceDetector, register, scoring_field
from methods.corruptions.coarse_noise import coarse_noise, foreground
from methods.networks.dae_unet import DAEUNet

__all__ = ["DAE", "DAEConfig"]


class DAEConfig(DetectorConfig):
    """Hyper-parameters of the denoising autoencoder; the defaults are the published ones."""

    base_width: int = Field(64, ge=2, le=512, description="channels at full resolution")
    depth: int = Field(4, ge=1, le=7, description="levels of the U-Net, each half the last's edge")
    noise_std: float = Field(
        0.2, gt=0, description="standard deviation of the training noise at its nodes, image units"
    )
    noise_resolution: int = Field(
        16, ge=2, le=1024, description="nodes of the training noise along each axis of a slice"
    )
    published_eroded_mask: bool = scoring_field(
        False,
        description="set the map to 0 within about two pixels of the foreground's edge, as published; the rim of "
        "the brain, where errors are large, then cannot be a false positive for this method alone",
    )


@register("dae")
class DAE(SliceDetector):
    """Learn to remove coarse noise from healthy slices; the map is what the network removes, |x - x_hat|.

    Training noise: :func:`methods.corruptions.coarse_noise.coarse_noise`. Loss: squared error inside the foreground.
    A slice is scored as it is, without noise, in one network call.
    """

    Config = DAEConfig
    recipe = 1
    draws = ("training",)
    signed = True
    config: Any

    def network(self) -> nn.Module:
        """Build the U-Net; its memory format is the faster one for convolutions."""
        c = self.config
        net = DAEUNet(self.spec.channels, self.spec.size, c.base_width, c.depth)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Squared error inside the foreground, mean over all pixels and modalities, for slices (N, C, H, W) of about [0, 1].

        Divided by all pixels, as published, and not by the foreground's: so the loss of a batch is the mean of its parts'
        losses, and a training does not depend on how many processes share a batch.
        """
        c = self.config
        noise = coarse_noise(
            generator, batch, standard_deviation=c.noise_std, resolution=c.noise_resolution
        )
        squares = (self.net(batch + noise).float() - batch).square()
        return (squares * foreground(batch)).mean()

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x - x_hat, float32 (N, C, H, W), for slices of about [0, 1]."""
        scores = batch - self.reconstruct_slices(batch, generator)
        if self.config.published_eroded_mask:
            share = F.avg_pool2d(foreground(batch).float(), 5, stride=1, padding=2)
            scores = scores * (share > 0.95)
        return scores

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x_hat, float32 (N, C, H, W)."""
        reconstruction: torch.Tensor = self.net(batch).float()
        return reconstruction
