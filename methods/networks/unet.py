"""The noise-predicting network of ANDi, with the parameter names and shapes of the published checkpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.errors import UserError
from andi_bench.names import counted

ATTENTION_LEVELS = (4, 8, 16)
"""Reductions of the image edge at which the published network attends."""

DEPTH = 16
"""Reduction at the bottleneck: image edges must be divisible by it."""


class ConvBlock(nn.Module):
    """3x3 convolution without bias and GroupNorm over all channels; residual ones return GELU(x + block(x)).

    Parameters
    ----------
    inputs, outputs : int
        Channels; equal for a residual block.
    residual : bool
        Add the input, then GELU.
    """

    def __init__(self, inputs: int, outputs: int, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.double_conv = nn.Sequential(  # the published name, though it holds one convolution
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.GroupNorm(1, outputs)
        )

    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W); a shift (N or 1, outputs) of the channels is added at the end."""
        convolution, norm = self.double_conv[0], cast("nn.GroupNorm", self.double_conv[1])
        if shift is not None and len(shift) == 1:
            # the same for all slices: a part of the norm's bias
            bias = norm.bias + shift[0]
            return F.group_norm(convolution(x), 1, norm.weight, bias, norm.eps)
        out: torch.Tensor = norm(convolution(x))
        if self.residual:
            out = F.gelu(out.add_(x))  # no gradient needs GroupNorm's output
        return out if shift is None else out.add_(shift[:, :, None, None])


class Down(nn.Module):
    """Halve the edge, two blocks, then add the time embedding."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(
            nn.MaxPool2d(2), ConvBlock(inputs, inputs, residual=True), ConvBlock(inputs, outputs)
        )
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W), activated embedding (N or 1, E) -> (N, outputs, H/2, W/2)."""
        pool, first, second = self.maxpool_conv
        out: torch.Tensor = second(first(pool(x)), self.emb_layer[1](embedding))
        return out


class Up(nn.Module):
    """Double the edge, put the skip connection in front, two blocks, then add the time embedding."""

    def __init__(self, inputs: int, outputs: int, embedding: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            ConvBlock(inputs, inputs, residual=True), ConvBlock(inputs, outputs)
        )
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))

    def forward(self, x: torch.Tensor, skip: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """(N, A, H/2, W/2), (N, B, H, W), (N or 1, E), A + B = inputs -> (N, outputs, H, W)."""
        first, second = self.conv
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=True)
        out: torch.Tensor = second(first(torch.cat([skip, x], dim=1)), self.emb_layer[1](embedding))
        return out


class SelfAttention(nn.Module):
    """Four-headed self-attention over the pixels, pre-LayerNorm, with a GELU feed-forward of the same width.

    ``mha`` holds the parameters under their published names; what it would compute is
    :func:`torch.nn.functional.scaled_dot_product_attention` here, which keeps no table of all pairs of pixels.
    """

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
        """(N, C, H, W) -> (N, C, H, W), whatever H and W."""
        n, c, h, w = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(n, h * w, c)  # a view where memory is channels-last
        heads = self.mha.num_heads
        projected = F.linear(self.ln(tokens), self.mha.in_proj_weight, self.mha.in_proj_bias)
        q, k, v = projected.view(n, h * w, 3, heads, c // heads).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, c)
        tokens = self.mha.out_proj(mixed) + tokens
        tokens = self.ff_self(tokens) + tokens
        return tokens.view(n, h, w, c).permute(0, 3, 1, 2)


class UNet(nn.Module):
    """Predict the noise in x_t (Frotscher et al., arXiv 2312.01904).

    With the default width, the names and shapes of the parameters are those of the published network, so that
    its checkpoints load; see :func:`load_published`.

    Parameters
    ----------
    channels : int
        Modalities, in and out.
    image_size : int or (int, int)
        Edge of the images it is built for, divisible by 16. It is checked only: the parameters fit any such size.
    base_width : int
        Channels at full resolution (published: 32), divisible by 2; deeper levels have 2, 4, 8 and 16 times as many.
    attention : bool or collection of {4, 8, 16}
        Reductions of the image edge at which self-attention stands, on both paths; True for all three, False for
        none.
    time_channels : int
        Width of the sinusoidal time embedding, even.

    Raises
    ------
    UserError
        For an image size that is not divisible by 16, or an attention level that does not exist.
    """

    inverse_frequencies: torch.Tensor

    def __init__(
        self,
        channels: int = 4,
        image_size: int | tuple[int, int] = 128,
        base_width: int = 32,
        attention: bool | Collection[int] = True,
        time_channels: int = 256,
    ) -> None:
        super().__init__()
        edges = (image_size, image_size) if isinstance(image_size, int) else image_size
        if any(edge <= 0 or edge % DEPTH for edge in edges):
            raise UserError(
                f"the network halves a slice four times: preprocessing.size = {edges[0]} x {edges[1]} found, "
                f"a multiple of {DEPTH} wanted"
            )
        levels = set(ATTENTION_LEVELS if attention is True else attention or ())
        if not levels <= set(ATTENTION_LEVELS):
            raise UserError(
                f"attention at the levels {sorted(levels)} found: any of {ATTENTION_LEVELS} wanted"
            )
        w = base_width
        self.time_channels = time_channels

        def attend(level: int, width: int) -> nn.Module:
            return SelfAttention(width) if level in levels else nn.Identity()

        self.inc = ConvBlock(channels, w)
        self.inc2 = ConvBlock(w, w, residual=True)
        self.down1 = Down(w, 2 * w, time_channels)
        self.down2 = Down(2 * w, 4 * w, time_channels)
        self.sa1 = attend(4, 4 * w)
        self.down3 = Down(4 * w, 8 * w, time_channels)
        self.sa2 = attend(8, 8 * w)
        self.down4 = Down(8 * w, 8 * w, time_channels)
        self.sa3 = attend(16, 8 * w)
        self.bot1 = ConvBlock(8 * w, 16 * w)
        self.bot3 = ConvBlock(16 * w, 8 * w)
        self.sa4 = attend(16, 8 * w)
        self.up1 = Up(16 * w, 4 * w, time_channels)
        self.sa5 = attend(8, 4 * w)
        self.up2 = Up(8 * w, 2 * w, time_channels)
        self.sa6 = attend(4, 2 * w)
        self.up3 = Up(4 * w, w, time_channels)
        self.up4 = Up(2 * w, w, time_channels)
        self.outc = nn.Conv2d(w, channels, 1)
        exponents = torch.arange(0, time_channels, 2, dtype=torch.float32) / time_channels
        self.register_buffer("inverse_frequencies", 10000.0**-exponents, persistent=False)

    def embed(self, t: torch.Tensor) -> torch.Tensor:
        """Sinusoidal embedding of time steps (N,) -> float32 (N, time_channels): sines, then cosines."""
        angles = t[:, None].float() * self.inverse_frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Predict the noise.

        Parameters
        ----------
        x : float tensor (N, channels, H, W)
            Noisy slices on [-1, 1] scale; H and W divisible by 16.
        t : integer tensor (N,) or (1,)
            Time step of each slice, or of all: then its embedding is computed once.

        Returns
        -------
        float tensor (N, channels, H, W)
        """
        embedding = F.silu(self.embed(t))  # the published layers each activate the same numbers
        x1 = self.inc2(self.inc(x))
        x2 = self.down1(x1, embedding)
        x3 = self.sa1(self.down2(x2, embedding))
        x4 = self.sa2(self.down3(x3, embedding))
        x5 = self.sa3(self.down4(x4, embedding))
        x5 = self.sa4(self.bot3(self.bot1(x5)))
        out = self.sa5(self.up1(x5, x4, embedding))
        out = self.sa6(self.up2(out, x3, embedding))
        out = self.up4(self.up3(out, x2, embedding), x1, embedding)
        return self.outc(out)


def load_published(
    net: nn.Module, state: Mapping[str, object], source: str = "the checkpoint"
) -> None:
    """Load a checkpoint in the published format into a network, every tensor or none.

    Parameters
    ----------
    net : nn.Module
        Usually a :class:`UNet`.
    state : mapping of str to tensor
        The published code's ``state_dict``; the ``module.`` that data-parallel training puts before every name
        is taken off.
    source : str
        Named in the error: the file.

    Raises
    ------
    UserError
        Names the first tensor that is missing, of another shape, not a tensor, not finite, or not known, and for a
        shape the one found and the one wanted.
    """
    found = {name.removeprefix("module."): value for name, value in state.items()}
    wanted = net.state_dict()
    for name, target in wanted.items():
        if name not in found:
            raise UserError(f"{source}: no tensor '{name}' {tuple(target.shape)} in it")
        value = found[name]
        if not isinstance(value, torch.Tensor):
            raise UserError(f"{source}: '{name}' is {type(value).__name__}: a tensor wanted")
        if value.shape != target.shape:
            raise UserError(
                f"{source}: '{name}' has shape {tuple(value.shape)}, {tuple(target.shape)} wanted: "
                "the network is of another width (detector.base_width) or for other modalities "
                "(preprocessing.modalities; the published ones have four)"
            )
        if not bool(torch.isfinite(value).all()):
            raise UserError(f"{source}: '{name}' holds values that are not finite")
    unknown = [name for name in found if name not in wanted]
    if unknown:
        raise UserError(
            f"{source}: {counted(len(unknown), 'tensor')} that the network does not have, the first is '{unknown[0]}' "
            "(detector.attention decides which layers there are)"
        )
    net.load_state_dict(cast("Mapping[str, torch.Tensor]", found))
