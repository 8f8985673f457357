"""Foreign patch interpolation: find where, and how strongly, a slice holds what is not its own.

Tan et al., Detecting Outliers with Foreign Patch Interpolation, MELBA 2022 (arXiv 2011.04197).
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import (
    DetectorConfig,
    Field,
    FitContext,
    ImageSpec,
    SliceDetector,
    Slices,
    register,
)
from methods.corruptions.interpolation import interpolated_patches, matching
from methods.corruptions.texture_bank import TextureBank, texture_bank
from methods.networks.residual_unet import ResidualUNet, UNetShape

__all__ = ["FPI", "FPIConfig", "PatchRegression"]


class FPIConfig(DetectorConfig):
    """Hyper-parameters that foreign patch and Poisson image interpolation share."""

    base_width: int = Field(
        32, ge=2, le=512, multiple_of=2, description="channels at full resolution"
    )
    multipliers: tuple[int, ...] = Field(
        (1, 2, 4, 8), min_length=1, max_length=7, description="width of each level in base widths"
    )
    blocks: int = Field(2, ge=1, le=8, description="residual blocks a level")
    attention: tuple[int, ...] = Field(
        (), description="reductions of the slice's edge at which self-attention stands"
    )
    partners: int = Field(
        256, ge=2, le=4096, description="training slices kept to take foreign patches from"
    )


class PatchRegression(SliceDetector):
    """Learn the factor by which a foreign patch was mixed in; the map is the network's answer for a slice as it is.

    Binary cross-entropy with the factor as a soft label, over the whole slice. One network call a slice, and one score for all
    modalities: it says where something is foreign, not whether it is too bright or too dark.
    """

    Config = FPIConfig
    reduces = False
    blend: ClassVar[bool]
    config: Any

    def __init__(self, config: DetectorConfig, spec: ImageSpec) -> None:
        super().__init__(config, spec)
        self.bank: TextureBank | None = None

    def network(self) -> nn.Module:
        """Build the U-Net; its memory format is the faster one for convolutions."""
        c = self.config
        net = ResidualUNet(
            self.spec.channels,
            1,
            self.spec.size,
            UNetShape(
                base_width=c.base_width,
                multipliers=c.multipliers,
                blocks=c.blocks,
                attention=c.attention,
                time=False,
            ),
        )
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def gather(self, slices: Slices, context: FitContext) -> None:
        """Gather partners in one pass."""
        bank = texture_bank(context.progress(slices), context.seed, size=self.config.partners)
        self.bank = bank.to(context.device)

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Cross-entropy, a scalar, for slices (N, C, H, W) of about [0, 1]."""
        if self.bank is None:
            raise ValueError("foreign patches are taken from a bank: call gather() before")
        with torch.no_grad():
            others = matching(generator, batch, self.bank.slices)
            mixed, label = interpolated_patches(generator, batch, others, blend=self.blend)
        logits = self.net(2 * mixed - 1).float()
        return F.binary_cross_entropy_with_logits(logits, label)

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the factor found, float32 (N, 1, H, W) in [0, 1], for slices of about [0, 1]."""
        return torch.sigmoid(self.net(2 * batch - 1).float())


@register("fpi")
class FPI(PatchRegression):
    """Foreign patches as they are (:class:`PatchRegression`)."""

    recipe = 1
    draws = ("training",)
    blend = False
