"""Diffusion in continuous time: how much of the image and of the noise is in z_t, and what a network may predict of it.

z_t = a x + s e, t in (0, 1), t = 0 next to the image. A process gives a(t) and s(t); a prediction turns what the network returns into
the image or the noise. The two combine freely, but for ``velocity``, which is of a process with a + s = 1, and ``v``, of one with
a^2 + s^2 = 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

__all__ = ["Flow", "LogSNR", "Prediction", "Process", "image_of", "noise_of"]

Prediction = Literal["eps", "x0", "v", "velocity"]
"""What a network returns: the noise, the image, v = a e - s x (Salimans and Ho 2022), or the velocity x - e of a flow."""

EXTREME = 7.5
"""log(a / s) of the unshifted cosine at its ends."""
REFERENCE = 56.0
"""Edge of the grid for which the shifted cosine is not shifted."""


class Process(Protocol):
    """What becomes of an image with time."""

    def log_snr(self, t: torch.Tensor) -> torch.Tensor:
        """Return log(a^2 / s^2) at times (N,)."""

    def time(self, log_snr: float) -> float:
        """Return the time at which log(a^2 / s^2) has a value."""

    def weights(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a and s at times (N,)."""


@dataclass(frozen=True)
class LogSNR:
    """The cosine schedule in log signal-to-noise ratio, shifted for the size of the grid (Hoogeboom et al., simple diffusion, 2023).

    log SNR(t) = -2 ln tan(a + t (b - a)) + 2 ln(56 / d), a = atan e^-7.5, b = atan e^7.5; a^2 + s^2 = 1.

    Parameters
    ----------
    edge : int
        d, of the slice.
    """

    edge: int

    def log_snr(self, t: torch.Tensor) -> torch.Tensor:
        """Return log(a^2 / s^2) at times (N,), float64."""
        low, high = math.atan(math.exp(-EXTREME)), math.atan(math.exp(EXTREME))
        return -2 * torch.log(torch.tan(low + t.double() * (high - low))) + self.shift

    @property
    def shift(self) -> float:
        """What the grid adds to log(a^2 / s^2)."""
        return 2 * math.log(REFERENCE / self.edge)

    def time(self, log_snr: float) -> float:
        """Return the time at which log(a^2 / s^2) has a value."""
        low, high = math.atan(math.exp(-EXTREME)), math.atan(math.exp(EXTREME))
        return (math.atan(math.exp((self.shift - log_snr) / 2)) - low) / (high - low)

    def weights(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a and s at times (N,), float32."""
        found = self.log_snr(t)
        return torch.sigmoid(found).sqrt().float(), torch.sigmoid(-found).sqrt().float()


@dataclass(frozen=True)
class Flow:
    """A straight line from the image to the noise: a = 1 - t, s = t (Lipman et al., Flow Matching, 2023)."""

    def log_snr(self, t: torch.Tensor) -> torch.Tensor:
        """Return log(a^2 / s^2) at times (N,), float64."""
        return 2 * (torch.log1p(-t.double()) - torch.log(t.double()))

    def time(self, log_snr: float) -> float:
        """Return the time at which log(a^2 / s^2) has a value."""
        return 1 / (1 + math.exp(log_snr / 2))

    def weights(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a and s at times (N,), float32."""
        return (1 - t.double()).float(), t.float()


def image_of(
    prediction: Prediction,
    predicted: torch.Tensor,
    z: torch.Tensor,
    a: torch.Tensor,
    s: torch.Tensor,
) -> torch.Tensor:
    """Return the image x that a prediction for z stands for, all (N, C, H, W); a and s (N,)."""
    a, s = _wide(a, z), _wide(s, z)
    if prediction == "x0":
        return predicted
    if prediction == "eps":
        return (z - s * predicted) / a
    return a * z - s * predicted if prediction == "v" else z + s * predicted


def noise_of(
    prediction: Prediction,
    predicted: torch.Tensor,
    z: torch.Tensor,
    a: torch.Tensor,
    s: torch.Tensor,
) -> torch.Tensor:
    """Return the noise e that a prediction for z stands for, all (N, C, H, W); a and s (N,)."""
    a, s = _wide(a, z), _wide(s, z)
    if prediction == "eps":
        return predicted
    if prediction == "x0":
        return (z - a * predicted) / s
    return s * z + a * predicted if prediction == "v" else z - a * predicted


def _wide(weight: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return weight.view(-1, *(1,) * (like.ndim - 1))
