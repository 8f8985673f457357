"""A network that is no network, in detectors that call one often: what filling a device is tried on."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from methods.base import AnomalyDetector, ImageSpec
from methods.catalogue import build_detector, detector_class
from support.small_volumes import CPU, MODALITIES

SETTINGS: dict[str, dict[str, Any]] = {
    "andi": {"t_low": 75, "t_high": 110, "stride": 5, "draws": 2},
    "anoddpm": {"noise_steps": 6, "stride": 2},
    "autoddpm": {
        "noise_steps": 6,
        "inpainting_steps": 5,
        "stride": 2,
        "resampling": 2,
        "mask_threshold": 0.1,
    },
}
"""Few calls of each method."""


class Small(nn.Module):
    """A network of rows that do not see each other; it takes no more than ``most`` at once."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self.most = most
        self.given: list[int] = []

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.given.append(len(x))
        if self.most is not None and len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.tanh(x * (1 + t[:, None, None, None] / 500))


def detector_with(net: nn.Module, name: str, **changes: Any) -> AnomalyDetector:
    """Return a method of :data:`SETTINGS`, for slices of 16 x 16, with this network."""
    values = {"base_width": 2, "attention": [], **SETTINGS[name], **changes}
    made = build_detector(detector_class(name), values, ImageSpec(MODALITIES, (16, 16)), 0, CPU)
    made.net = net
    return made
