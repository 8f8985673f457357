"""Convolutional autoencoders with a dense latent, plain and variational (Baur et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from andi_bench.errors import UserError

Normalisation = Literal["batch", "group"]

GROUPS = 8
"""Groups of a GroupNorm; widths are multiples of it."""

BOTTLENECK = 16
"""Channels between the convolutions and the dense layers."""


@dataclass(frozen=True)
class Shape:
    """What an encoder and a decoder must agree on.

    Parameters
    ----------
    channels : int
        Modalities.
    image_size : (int, int)
        Edges of the slices, divisible by 2^levels.
    base_width : int
        Channels after the first convolution, a multiple of 8; each further level doubles them, up to four times.
    levels : int
        Convolutions of stride 2.
    latent : int
        Numbers in the latent.
    normalisation : {"batch", "group"}
        After each convolution.

    Raises
    ------
    UserError
        For a size that the strides do not divide.
    """

    channels: int
    image_size: tuple[int, int]
    base_width: int = 32
    levels: int = 4
    latent: int = 128
    normalisation: Normalisation = "batch"

    def __post_init__(self) -> None:
        step = 2**self.levels
        if any(edge % step or edge < step for edge in self.image_size):
            raise UserError(
                f"slices of {self.image_size[0]} x {self.image_size[1]}: an autoencoder of "
                f"{self.levels} levels needs edges that are a multiple of {step}"
            )

    @property
    def widths(self) -> list[int]:
        """Channels of each level, the finest first."""
        return [self.base_width * min(4, 2**k) for k in range(self.levels)]

    @property
    def bottleneck(self) -> tuple[int, int, int]:
        """Channels, height and width at which the dense layers stand."""
        height, width = self.image_size
        return BOTTLENECK, height // 2**self.levels, width // 2**self.levels

    @property
    def bottleneck_values(self) -> int:
        """Product of :attr:`bottleneck`."""
        channels, height, width = self.bottleneck
        return channels * height * width

    def norm(self, channels: int) -> nn.Module:
        """Build the normalisation of a layer."""
        if self.normalisation == "batch":
            return nn.BatchNorm2d(channels)
        return nn.GroupNorm(GROUPS, channels)


class Encoder(nn.Sequential):
    """5x5 convolutions of stride 2, a 1x1 convolution, one dense layer: (N, C, H, W) -> (N, outputs)."""

    def __init__(self, shape: Shape, outputs: int) -> None:
        layers: list[nn.Module] = []
        inputs = shape.channels
        for width in shape.widths:
            layers += [
                nn.Conv2d(inputs, width, 5, stride=2, padding=2),
                shape.norm(width),
                nn.LeakyReLU(0.2),
            ]
            inputs = width
        super().__init__(
            *layers,
            nn.Conv2d(inputs, BOTTLENECK, 1),
            nn.Flatten(),
            nn.Linear(shape.bottleneck_values, outputs),
        )


class Decoder(nn.Sequential):
    """The encoder mirrored, transposed convolutions, a 1x1 convolution at the end: (N, latent) -> (N, C, H, W)."""

    def __init__(self, shape: Shape) -> None:
        inputs = shape.widths[-1]
        layers: list[nn.Module] = []
        for width in (*shape.widths[-2::-1], shape.base_width):
            layers += [
                nn.ConvTranspose2d(inputs, width, 5, stride=2, padding=2, output_padding=1),
                shape.norm(width),
                nn.LeakyReLU(0.2),
            ]
            inputs = width
        super().__init__(
            nn.Linear(shape.latent, shape.bottleneck_values),
            nn.Unflatten(1, shape.bottleneck),
            nn.Conv2d(BOTTLENECK, shape.widths[-1], 1),
            shape.norm(shape.widths[-1]),
            nn.LeakyReLU(0.2),
            *layers,
            nn.Conv2d(inputs, shape.channels, 1),
        )


class Autoencoder(nn.Module):
    """Reconstruct slices (N, C, H, W) from a dense latent."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape, shape.latent)
        self.decoder = Decoder(shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        out: torch.Tensor = self.decoder(self.encoder(x))
        return out


class VariationalAutoencoder(nn.Module):
    """Reconstruct slices from a Gaussian posterior over a dense latent."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape, 2 * shape.latent)
        self.decoder = Decoder(shape)

    def forward(
        self, x: torch.Tensor, noise: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode and decode.

        Parameters
        ----------
        x : tensor (N, C, H, W)
            Slices.
        noise : tensor (N, latent) or None
            N(0, 1): the sample decoded is mean + exp(log_variance / 2) noise. None: the mean is decoded.

        Returns
        -------
        reconstruction : tensor (N, C, H, W)
        mean, log_variance : float32 or float64 tensor (N, latent)
            Of the posterior.
        """
        found = self.encoder(x)
        found = found.to(torch.promote_types(found.dtype, torch.float32))
        mean, log_variance = found.chunk(2, dim=1)
        latent = mean if noise is None else mean + (log_variance / 2).exp() * noise
        return self.decoder(latent), mean, log_variance


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return KL(N(mean, variance) || N(0, 1)) in nats, (N, latent) -> (N,).

    Kingma and Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114, appendix B.
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
