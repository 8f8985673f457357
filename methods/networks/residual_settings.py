"""Hyper-parameters of detectors that are built on a residual U-Net, and the network that they ask for."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from methods.hyper_parameters import DetectorConfig, Field
from methods.networks.residual_unet import ResidualUNet, UNetShape

__all__ = ["ResidualSettings"]


class ResidualSettings(DetectorConfig):
    """Widths, depths and attention; a method's published ones stand in its preset ``paper``."""

    base_width: int = Field(
        64, ge=2, le=512, multiple_of=2, description="channels at full resolution"
    )
    multipliers: tuple[int, ...] = Field(
        (1, 2, 2, 4),
        min_length=1,
        max_length=7,
        description="width of each level in base widths, the finest level first",
    )
    blocks: int | tuple[int, ...] = Field(
        2, description="residual blocks of a level: of all, or of each"
    )
    attention: tuple[int, ...] = Field(
        (), description="reductions of the slice's edge at which self-attention stands"
    )

    def residual_unet(
        self, inputs: int, outputs: int, size: tuple[int, int], **shape: Any
    ) -> nn.Module:
        """Build the network; its memory format is the faster one for convolutions.

        Parameters
        ----------
        inputs, outputs : int
            Channels.
        size : (int, int)
            Edges of the slices.
        **shape
            Further fields of :class:`methods.networks.residual_unet.UNetShape`.

        Raises
        ------
        UserError
            As :class:`methods.networks.residual_unet.ResidualUNet`.
        """
        asked = UNetShape(
            base_width=self.base_width,
            multipliers=self.multipliers,
            blocks=self.blocks,
            attention=self.attention,
            **shape,
        )
        net = ResidualUNet(inputs, outputs, size, asked)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
