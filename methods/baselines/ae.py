"""Autoencoder.

Baur et al., Autoencoders for Unsupervised Anomaly Segmentation in Brain MR Images: A Comparative Study, Medical Image
Analysis 69, 2021 (arXiv 2004.03271).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import DetectorConfig, Field, SliceDetector, register
from methods.networks.autoencoder import GROUPS, Autoencoder, Normalisation, Shape

__all__ = ["AE", "AEConfig", "AutoencoderDetector"]


class AEConfig(DetectorConfig):
    """Hyper-parameters that the plain and the variational autoencoder share; the defaults are the published ones."""

    base_width: int = Field(
        32,
        ge=GROUPS,
        le=512,
        multiple_of=GROUPS,
        description="channels of the first level, half the slice's edge; at most four times that below",
    )
    levels: int = Field(
        4, ge=1, le=8, description="convolutions of stride 2; the dense layers see edge / 2^levels"
    )
    latent: int = Field(128, ge=1, le=65_536, description="numbers that a slice is reduced to")
    normalisation: Normalisation = Field(
        "batch",
        description="after each convolution; batch, as published: the slices of a training batch see each other, so "
        "a training depends on the number of processes. group: they do not",
    )
    distance: Literal["l1", "l2"] = Field(
        "l1", description="reconstruction error of the loss: absolute (published) or squared"
    )


class AutoencoderDetector(SliceDetector):
    """What both autoencoders share: the network's shape and the reconstruction error."""

    Config = AEConfig
    config: Any

    def shape(self) -> Shape:
        """Return the network's shape for the slices at hand."""
        c = self.config
        return Shape(
            self.spec.channels, self.spec.size, c.base_width, c.levels, c.latent, c.normalisation
        )

    def distance(self, image: torch.Tensor, reconstruction: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction error summed over modalities and pixels, float32 (N,)."""
        error = reconstruction.float() - image
        error = error.abs() if self.config.distance == "l1" else error.square()
        return error.flatten(1).sum(dim=1)


@register("ae")
class AE(AutoencoderDetector):
    """Reconstruct healthy slices from a dense latent; the map is |x - x_hat|.

    Loss: the mean of |x_hat - x| over the whole slice (or of its square, see ``distance``).
    """

    recipe = 1
    draws = ()
    signed = True

    def network(self) -> nn.Module:
        """Build the autoencoder; its memory format is the faster one for convolutions."""
        net = Autoencoder(self.shape())
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Mean reconstruction error of slices (N, C, H, W) of about [0, 1]."""
        return self.distance(batch, self.net(batch)).sum() / batch.numel()

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x - x_hat, float32 (N, C, H, W), for slices of about [0, 1]."""
        return batch - self.reconstruct_slices(batch, generator)

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x_hat, float32 (N, C, H, W)."""
        reconstruction: torch.Tensor = self.net(batch).float()
        return reconstruction
