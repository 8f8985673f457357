"""The residual U-Net of diffusion models, as most methods after DDPM use it: widths, depths and attention by choice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.errors import UserError
from andi_bench.names import counted

GROUP_WIDTH = 4
"""Least channels of a group; a layer has 32 groups at most, as in DDPM."""
HEAD_WIDTH = 64
"""Channels of an attention head."""


def groups(width: int) -> int:
    """Return the number of groups for so many channels: the largest divisor up to 32 that leaves 4 channels to a group."""
    most = max(1, min(32, width // GROUP_WIDTH))
    return next(count for count in range(most, 0, -1) if width % count == 0)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups(width), width)


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Start a layer at 0, so that a block begins as the identity (Ho et al. 2020)."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU and convolution, twice, around a shortcut; the time embedding is added between.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    embedding : int
        Width of the time embedding; 0 for a network without time.
    dropout : float
        Before the second convolution, [0, 1).
    rescale : bool
        Divide the sum of block and shortcut by sqrt(2) (Song et al., Score-Based Generative Modeling through Stochastic
        Differential Equations, 2021).
    """

    def __init__(
        self, inputs: int, outputs: int, embedding: int, dropout: float, rescale: bool
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(
            _norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.time = nn.Linear(embedding, outputs) if embedding else None
        layers: list[nn.Module] = [_norm(outputs), nn.SiLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.second = nn.Sequential(*layers, _zeroed(nn.Conv2d(outputs, outputs, 3, padding=1)))
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.scale = math.sqrt(0.5) if rescale else 1.0

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None) -> torch.Tensor:
        """(N, inputs, H, W), (N, embedding) or None -> (N, outputs, H, W)."""
        out = self.first(x)
        if self.time is not None and embedding is not None:
            out = out + self.time(embedding)[:, :, None, None]
        out = self.second(out) + self.shortcut(x)
        return out * self.scale if self.scale != 1 else out


class PixelAttention(nn.Module):
    """Self-attention over the pixels around a shortcut, a head for every 64 channels.

    Parameters
    ----------
    channels : int
        In and out.
    rescale : bool
        As for :class:`ResidualBlock`.
    """

    def __init__(self, channels: int, rescale: bool) -> None:
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        if channels % self.heads:
            self.heads = 1
        self.norm = _norm(channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv2d(channels, channels, 1))
        self.scale = math.sqrt(0.5) if rescale else 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, H, W), whatever H and W."""
        n, c, h, w = x.shape
        tokens = self.project(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, h * w)
        query, key, value = tokens.transpose(3, 4).unbind(dim=1)
        mixed = F.scaled_dot_product_attention(query, key, value)
        out = x + self.out(mixed.transpose(2, 3).reshape(n, c, h, w))
        return out * self.scale if self.scale != 1 else out


@dataclass(frozen=True)
class UNetShape:
    """How a :class:`ResidualUNet` is built.

    Parameters
    ----------
    base_width : int
        Channels at full resolution, even.
    multipliers : sequence of int
        Width of each level in base widths, the finest first.
    blocks : int or sequence of int
        Residual blocks of a level on the way down (one more on the way up), for all or for each.
    attention : sequence of int
        Reductions of the edge, powers of 2, at which attention stands behind every block.
    time : bool
        Whether the network is told a time step.
    dropout : float
        [0, 1).
    dropout_from : int
        Reduction of the edge from which dropout is used.
    rescale : bool
        As for :class:`ResidualBlock`.

    Raises
    ------
    UserError
        For an attention level that does not exist, or numbers of blocks that are not one a level.
    """

    base_width: int = 64
    multipliers: Sequence[int] = (1, 2, 2, 4)
    blocks: int | Sequence[int] = 2
    attention: Sequence[int] = ()
    time: bool = True
    dropout: float = 0.0
    dropout_from: int = 1
    rescale: bool = False

    def __post_init__(self) -> None:
        levels = len(self.multipliers)
        if len(self.counts) != levels:
            raise UserError(
                f"blocks for {counted(len(self.counts), 'level')} found: {levels} wanted, one for each multiplier"
            )
        known = [2**k for k in range(levels)]
        unknown = sorted(set(self.attention) - set(known))
        if unknown:
            raise UserError(f"attention at the reductions {unknown} found: any of {known} wanted")

    @property
    def counts(self) -> list[int]:
        """Blocks of each level."""
        if isinstance(self.blocks, int):
            return [self.blocks] * len(self.multipliers)
        return list(self.blocks)

    @property
    def widths(self) -> list[int]:
        """Channels of each level."""
        return [self.base_width * factor for factor in self.multipliers]

    @property
    def embedding(self) -> int:
        """Width of the time embedding; 0 without time."""
        return 4 * self.base_width if self.time else 0

    def stage(self, level: int, inputs: int) -> nn.ModuleList:
        """Build a block of a level, and the attention behind it where there is one."""
        width = self.widths[level]
        rate = self.dropout if 2**level >= self.dropout_from else 0.0
        layers: list[nn.Module] = [ResidualBlock(inputs, width, self.embedding, rate, self.rescale)]
        if 2**level in self.attention:
            layers.append(PixelAttention(width, self.rescale))
        return nn.ModuleList(layers)


class ResidualUNet(nn.Module):
    """U-Net of residual blocks with skip connections from every block (Ho et al., Denoising Diffusion Probabilistic Models, 2020).

    Level k stands at 1 / 2^k of the edge; strided convolution down, nearest neighbours and a convolution up. Blocks, attention and
    the output start at 0.

    Parameters
    ----------
    inputs, outputs : int
        Channels in and out.
    image_size : (int, int)
        Edges of the slices, divisible by 2^(levels - 1). Checked only: the parameters fit any such size.
    shape : UNetShape
        Widths, depths and attention.

    Raises
    ------
    UserError
        For a size that the levels do not divide.
    """

    def __init__(
        self, inputs: int, outputs: int, image_size: tuple[int, int], shape: UNetShape
    ) -> None:
        super().__init__()
        levels = len(shape.multipliers)
        step = 2 ** (levels - 1)
        if any(edge <= 0 or edge % step for edge in image_size):
            raise UserError(
                f"slices of {image_size[0]} x {image_size[1]}: a U-Net of {levels} levels needs edges that are "
                f"a multiple of {step}"
            )
        self.embed = _TimeEmbedding(shape.base_width, shape.embedding) if shape.time else None
        self.first = nn.Conv2d(inputs, shape.base_width, 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        width, skips = shape.base_width, [shape.base_width]
        for k, count in enumerate(shape.counts):
            level = nn.ModuleList()
            for _ in range(count):
                level.append(shape.stage(k, width))
                width = shape.widths[k]
                skips.append(width)
            self.down.append(level)
            if k + 1 < levels:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                skips.append(width)
        deepest = levels - 1
        middle = [shape.stage(deepest, width), shape.stage(deepest, shape.widths[deepest])]
        self.middle = nn.ModuleList(middle)
        width = shape.widths[deepest]
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for k in range(deepest, -1, -1):
            level = nn.ModuleList()
            for _ in range(shape.counts[k] + 1):
                level.append(shape.stage(k, width + skips.pop()))
                width = shape.widths[k]
            self.up.append(level)
            if k:
                self.grow.append(nn.Conv2d(width, width, 3, padding=1))
        self.last = nn.Sequential(
            _norm(width), nn.SiLU(), _zeroed(nn.Conv2d(width, outputs, 3, padding=1))
        )

    def forward(self, x: torch.Tensor, t: torch.Tensor | None = None) -> torch.Tensor:
        """Run the network.

        Parameters
        ----------
        x : float tensor (N, inputs, H, W)
            H and W divisible by 2^(levels - 1).
        t : tensor (N,) or None
            Time step of each slice, where the network is told it.

        Returns
        -------
        float tensor (N, outputs, H, W)
        """
        embedding = None
        if self.embed is not None:
            if t is None:
                raise ValueError("the network is told a time step: none given")
            embedding = self.embed(t)
        x = self.first(x)
        skips = [x]
        for k, level in enumerate(self.down):
            for layers in level:  # type: ignore[attr-defined]
                x = _run(layers, x, embedding)
                skips.append(x)
            if k < len(self.shrink):
                x = self.shrink[k](x)
                skips.append(x)
        for layers in self.middle:
            x = _run(layers, x, embedding)
        for k, level in enumerate(self.up):
            for layers in level:  # type: ignore[attr-defined]
                x = _run(layers, torch.cat([x, skips.pop()], dim=1), embedding)
            if k < len(self.grow):
                x = self.grow[k](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        out: torch.Tensor = self.last(x)
        return out


class _TimeEmbedding(nn.Module):
    """Sines and cosines of a time step, then two dense layers; the last SiLU is the blocks' own, done once here."""

    frequencies: torch.Tensor

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        exponents = torch.arange(0, channels, 2, dtype=torch.float32) / channels
        self.register_buffer("frequencies", 10000.0**-exponents, persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(channels, outputs), nn.SiLU(), nn.Linear(outputs, outputs), nn.SiLU()
        )

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        angles = t[:, None].float() * self.frequencies
        out: torch.Tensor = self.layers(torch.cat([angles.sin(), angles.cos()], dim=1))
        return out


def _run(layers: nn.Module, x: torch.Tensor, embedding: torch.Tensor | None) -> torch.Tensor:
    """Run a block, and the attention behind it where there is one."""
    for layer in layers.children():
        x = layer(x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
    return x
