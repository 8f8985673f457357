"""THOR: temporal harmonisation of a diffusion model's walk back.

Bercea et al., Diffusion Models with Implicit Guidance for Medical Anomaly Detection, MICCAI 2024 (arXiv 2403.08464).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import field_validator, model_validator

from andi_bench.randomness import SliceGenerator
from methods.base import Field, register, scoring_field
from methods.corruptions.window import blurred
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_chain
from methods.diffusion.noise import NoiseName
from methods.diffusion.perceptual import PerceptualDistance, PerceptualName, perceptual_distance

__all__ = ["THOR", "THORConfig"]

SMALLEST = 1e-6
"""Anomaly below which a voxel counts as unchanged: a harmonic mean of true zeros would divide by 0."""


class THORConfig(DDPMConfig):
    """Hyper-parameters of THOR; the defaults are the published ones for simplex noise, but for the perceptual distance."""

    training_noise: NoiseName = Field("simplex", description="noise the network learns to predict")
    noise_steps: int = scoring_field(251, ge=2, description="time steps of noise added to a slice")
    stride: int = scoring_field(1, ge=1, description="time steps to a step of the chain back")
    harmonised: tuple[int, ...] = scoring_field(
        (200, 150, 100, 50),
        description="time steps at which what looks healthy is taken from the slice itself; published with Gaussian "
        "noise of 350 steps: 300, 150, 50",
    )
    looked_at: tuple[int, ...] = scoring_field(
        (250, 200, 150, 100, 50, 0),
        min_length=1,
        description="time steps whose predictions the map is made of; 0: the reconstruction",
    )
    perceptual: PerceptualName = scoring_field(
        "ms-ssim", description="distance between slice and prediction: ms-ssim or lpips (published)"
    )
    smoothing: float = scoring_field(
        2.0, ge=0, description="standard deviation by which that distance is blurred, pixels"
    )
    region: int = scoring_field(
        13,
        ge=1,
        description="edge of the window that closes and grows what is replaced, pixels, odd",
    )
    published_scaling: bool = scoring_field(
        False,
        description="scale every slice's anomaly to a highest value of 1, as published, in the map too: a slice without a "
        "lesion then lights up like any other",
    )
    published_clamp: bool = scoring_field(
        False,
        description="what the published code does: it clamps an image on [-1, 1] scale to [0, 1] before noising it again, "
        "so that everything darker than mid-grey turns grey",
    )

    @field_validator("harmonised", "looked_at")
    @classmethod
    def _from_the_highest(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(t < 0 for t in value):
            raise ValueError(f"time steps {min(value)} found: 0 or more wanted")
        return tuple(sorted(set(value), reverse=True))

    @field_validator("region")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("an odd number wanted: the window has a middle")
        return value

    @model_validator(mode="after")
    def _within_the_training(self) -> THORConfig:
        check_chain(self, self.noise_steps, self.stride)
        beyond = [t for t in (*self.harmonised, *self.looked_at) if t >= self.noise_steps]
        if beyond:
            raise ValueError(
                f"time step {max(beyond)} found: below noise_steps = {self.noise_steps} wanted"
            )
        return self


@register("thor")
class THOR(DDPMDetector):
    """Walk back from noise, and at some time steps put the slice itself back where the prediction agrees with it.

    At such a time step t, with the prediction x_hat of the image from x_t:

    - the anomaly is m = d |x - x_hat|, d the blurred perceptual distance of the two;
    - what is replaced is r = (m' + grow(close(m'))) / 2, m' being m over its own highest value in the slice and modality;
    - x' = r x_hat + (1 - r) x is noised to t again, with the noise that the slice was noised with at the beginning.

    The map is the harmonic mean of m over all time steps looked at: what is to count must stand out at each of them. It needs
    no training beyond that of ``anoddpm`` (or ``autoddpm``, with Gaussian noise).
    """

    Config = THORConfig
    recipe = 1
    signed = True
    config: Any

    def label(self) -> str:
        """Return the name with the perceptual distance, on which the map depends."""
        return f"{self.name} ({self.config.perceptual})"

    @cached_property
    def distance(self) -> PerceptualDistance:
        """The perceptual distance."""
        return perceptual_distance(self.config.perceptual)

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the anomaly (N, C, H, W), with the sign of slice minus reconstruction, for slices of about [0, 1]."""
        image = 2 * batch - 1
        restored, anomaly = self._walk(image, generator)
        return anomaly.copysign(image - restored)

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return what is left at the end of the chain (N, C, H, W), on the scale of the slices."""
        return (self._walk(2 * batch - 1, generator)[0] + 1) / 2

    def anomaly(self, image: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """Return blurred perceptual distance times absolute difference, float32 (N, C, H, W), >= 0."""
        distance = self.distance(image, predicted)
        width = torch.full((len(image),), self.config.smoothing, device=image.device)
        return blurred(distance, width) * (image - predicted).abs().float()

    def replaced(self, anomaly: torch.Tensor) -> torch.Tensor:
        """Return how much of the prediction is taken (N, C, H, W), in [0, 1], from anomalies >= 0."""
        scaled = _scaled(anomaly)
        grown = _dilated(_closed(scaled, self.config.region), self.config.region)
        return ((scaled + grown) / 2).clamp(0, 1)

    def _walk(
        self, image: torch.Tensor, generator: SliceGenerator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the reconstruction, on [-1, 1] scale, and the map, both (N, C, H, W)."""
        c = self.config
        t = c.noise_steps - 1
        start = self.noise(c.training_noise, generator, image, c.published_pyramid)
        x_t = self.schedule.q_sample(image, t, start)
        to_harmonise, to_look = list(c.harmonised), list(c.looked_at)
        inverse, looks = torch.zeros_like(image), 0
        predicted = self.predict_image(x_t, t)
        while True:
            last = t - c.stride < 1
            look, harmonise = _due(to_look, t, last), _due(to_harmonise, t, last)
            if look or harmonise:
                anomaly = self.anomaly(image, predicted)
            if look:
                shown = _scaled(anomaly) if c.published_scaling else anomaly
                inverse += 1 / shown.clamp(min=SMALLEST)
                looks += 1
            if last:
                return predicted, looks / inverse
            if harmonise:
                part = self.replaced(anomaly)
                mixed = part * predicted + (1 - part) * image
                mixed = mixed.clamp(0, 1) if c.published_clamp else mixed
                x_t = self.schedule.q_sample(mixed, t, start)
                predicted = self.predict_image(x_t, t)
            mean, deviation = self.schedule.posterior(predicted, x_t, t, t - c.stride)
            x_t = mean + deviation * self.noise(
                c.training_noise, generator, image, c.published_pyramid
            )
            t -= c.stride
            predicted = self.predict_image(x_t, t)


def _due(steps: list[int], t: int, last: bool) -> bool:
    """Take off the front of ``steps``, falling, those that are reached at time step t; return whether there were any.

    The walk takes strides, so that a time step is reached at the first one at or below it, the last one being that of all that remain.
    """
    reached = [step for step in steps if step >= t or last]
    del steps[: len(reached)]
    return bool(reached)


def _scaled(anomaly: torch.Tensor) -> torch.Tensor:
    """Divide each slice and modality by its highest value, (N, C, H, W) -> [0, 1]."""
    return anomaly / anomaly.amax(dim=(2, 3), keepdim=True).clamp(min=SMALLEST)


def _dilated(images: torch.Tensor, edge: int) -> torch.Tensor:
    return F.max_pool2d(images, edge, stride=1, padding=edge // 2)


def _closed(images: torch.Tensor, edge: int) -> torch.Tensor:
    """Grey closing: dilation, then erosion, by a square window."""
    return -_dilated(-_dilated(images, edge), edge)
