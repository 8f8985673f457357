"""The noise-predicting network step by step, as the publication describes it: what :mod:`methods.networks.unet` is measured against.

Written for measurement alone: dense attention that computes its weights, a copied time embedding for every pixel, nothing in place,
the ordinary memory layout. Parameters have the published names, so that it takes the weights of the other.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.gelu(x + self.double_conv(x)) if self.residual else self.double_conv(x)


def _spread(embedding: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return embedding[:, :, None, None].repeat(1, 1, *like.shape[-2:])


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(
            nn.MaxPool2d(2), _Block(inputs, inputs, True), _Block(inputs, outputs)
        )
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        x = self.maxpool_conv(x)
        return x + _spread(self.emb_layer(embedding), x)


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv = nn.Sequential(_Block(inputs, inputs, True), _Block(inputs, outputs))
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))

    def forward(self, x: torch.Tensor, skip: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        x = self.conv(torch.cat([skip, self.up(x)], dim=1))
        return x + _spread(self.emb_layer(embedding), x)


class _Attention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mha = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.ln = nn.LayerNorm(channels)
        self.ff_self = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, channels),
            nn.GELU(),
            nn.Linear(channels, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = x.shape
        tokens = x.reshape(*shape[:2], -1).swapaxes(1, 2)
        normed = self.ln(tokens)
        attended, _ = self.mha(normed, normed, normed)
        attended = attended + tokens
        attended = self.ff_self(attended) + attended
        return attended.swapaxes(1, 2).reshape(shape)


class PlainUNet(nn.Module):
    """The network of :class:`methods.networks.unet.UNet`, computed plainly.

    Parameters
    ----------
    channels : int
        Modalities.
    base_width : int
        Channels at full resolution.
    attention : collection of {4, 8, 16}
        Reductions of the image edge at which self-attention stands.
    time_channels : int
        Width of the time embedding.
    """

    def __init__(
        self, channels: int, base_width: int, attention: Collection[int], time_channels: int = 256
    ) -> None:
        super().__init__()
        w, e = base_width, time_channels
        self.time_channels = e

        def attend(level: int, width: int) -> nn.Module:
            return _Attention(width) if level in attention else nn.Identity()

        self.inc, self.inc2 = _Block(channels, w), _Block(w, w, True)
        self.down1, self.down2 = _Down(w, 2 * w, e), _Down(2 * w, 4 * w, e)
        self.sa1 = attend(4, 4 * w)
        self.down3 = _Down(4 * w, 8 * w, e)
        self.sa2 = attend(8, 8 * w)
        self.down4 = _Down(8 * w, 8 * w, e)
        self.sa3 = attend(16, 8 * w)
        self.bot1, self.bot3 = _Block(8 * w, 16 * w), _Block(16 * w, 8 * w)
        self.sa4 = attend(16, 8 * w)
        self.up1 = _Up(16 * w, 4 * w, e)
        self.sa5 = attend(8, 4 * w)
        self.up2 = _Up(8 * w, 2 * w, e)
        self.sa6 = attend(4, 2 * w)
        self.up3, self.up4 = _Up(4 * w, w, e), _Up(2 * w, w, e)
        self.outc = nn.Conv2d(w, channels, kernel_size=1)

    def _embedding(self, t: torch.Tensor) -> torch.Tensor:
        exponents = torch.arange(0, self.time_channels, 2, device=t.device) / self.time_channels
        angles = t.float()[:, None] * torch.exp(-math.log(10_000.0) * exponents)
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Predict the noise of slices (N, C, H, W) at time steps (N,)."""
        embedding = self._embedding(t)
        first = self.inc2(self.inc(x))
        second = self.down1(first, embedding)
        third = self.sa1(self.down2(second, embedding))
        fourth = self.sa2(self.down3(third, embedding))
        x = self.sa3(self.down4(fourth, embedding))
        x = self.sa4(self.bot3(self.bot1(x)))
        x = self.sa5(self.up1(x, fourth, embedding))
        x = self.sa6(self.up2(x, third, embedding))
        x = self.up3(x, second, embedding)
        out: torch.Tensor = self.outc(self.up4(x, first, embedding))
        return out
