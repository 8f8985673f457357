"""The U-Net of the denoising autoencoder (Kascenas et al. 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.errors import UserError


def groups(width: int) -> int:
    """Return the number of groups for so many channels: the middle one of the divisors (64: 8, 128 and 256: 16, 512: 32)."""
    divisors = [d for d in range(1, width + 1) if width % d == 0]
    return divisors[len(divisors) // 2]


class StandardisedConv2d(nn.Conv2d):
    """3x3 convolution, reflection padding, whose filters have mean 0 and standard deviation 1.

    Each output channel's filter w is used as (w - mean(w)) / (std(w) + 1e-5), over its inputs x 3 x 3 weights
    (Qiao et al., Micro-Batch Training with Batch-Channel Normalization and Weight Standardization,
    arXiv 1903.10520).

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, padding_mode="reflect")

        self._kept: tuple[tuple[int, int], torch.Tensor] | None = None

    def standardised(self) -> torch.Tensor:
        """Return the filters as they are used, (outputs, inputs, 3, 3); computed once for weights that stay as they are."""
        varies = (
            torch.is_grad_enabled() or self.weight.is_inference()
        )  # the latter count no changes
        if varies or torch.compiler.is_compiling():
            self._kept = None
            return self._computed()
        of = self.weight.data_ptr(), self.weight._version
        if self._kept is None or self._kept[0] != of:
            self._kept = of, self._computed()
        return self._kept[1]

    def _computed(self) -> torch.Tensor:
        axes = (1, 2, 3)
        centred = self.weight - self.weight.mean(dim=axes, keepdim=True)
        return centred / (centred.std(dim=axes, keepdim=True) + 1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        return self._conv_forward(x, self.standardised(), self.bias)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    """Two times convolution, swish, GroupNorm."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            StandardisedConv2d(channels, outputs),
            nn.SiLU(),
            nn.GroupNorm(groups(outputs), outputs),
        ]
    return nn.Sequential(*layers)


class DAEUNet(nn.Module):
    """U-Net of weight-standardised convolutions, swish and GroupNorm with :func:`groups`.

    Level k = 0 .. depth - 1 has ``base_width`` 2^k channels at 1 / 2^k of the edge: mean pooling down, transposed
    convolution up, skip connections concatenated, a 1x1 convolution at the end.

    Parameters
    ----------
    channels : int
        Modalities, in and out.
    image_size : (int, int)
        Edges of the slices, divisible by 2^(depth - 1) and at least twice that. Checked only: the parameters fit any
        such size.
    base_width : int
        Channels at full resolution (published: 64).
    depth : int
        Levels (published: 4).

    Raises
    ------
    UserError
        For a size that the levels do not divide.
    """

    def __init__(
        self, channels: int, image_size: tuple[int, int], base_width: int = 64, depth: int = 4
    ) -> None:
        super().__init__()
        step = 2 ** (depth - 1)
        if any(edge % step or edge < 2 * step for edge in image_size):
            raise UserError(
                f"slices of {image_size[0]} x {image_size[1]}: a U-Net of depth {depth} needs edges that are "
                f"a multiple of {step}, at least {2 * step}"
            )
        widths = [base_width * 2**k for k in range(depth)]
        self.down = nn.ModuleList(
            _block(a, b) for a, b in zip([channels, *widths[:-1]], widths, strict=True)
        )
        above = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in above)
        self.up = nn.ModuleList(_block(a, b) for a, b in above)
        self.last = nn.Conv2d(base_width, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, channels, H, W)."""
        skips: list[torch.Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        skips.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            x = block(torch.cat([enlarge(x), skips.pop()], dim=1))
        out: torch.Tensor = self.last(x)
        return out
