"""ANDi v2: aggregated normative diffusion in continuous time.

Frotscher et al., the comparison of 2025 that follows arXiv 2312.01904; on the flow process with the geometric mean it is Flow
Mismatching (arXiv 2605.23070).
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import torch
from pydantic import field_validator, model_validator
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.andi.detector import SMALLEST_ERROR
from methods.base import Field, SliceDetector, register, scoring_field
from methods.diffusion.continuous import Flow, LogSNR, Prediction, Process, image_of, noise_of
from methods.diffusion.noise import NoiseName, draw_noise
from methods.networks.residual_settings import ResidualSettings

__all__ = ["ANDiV2", "ANDiV2Config"]

TIME_SCALE = 1000.0
"""Times in (0, 1) are told to the network in thousandths, as time steps are."""
TRAINED = (1e-3, 1 - 1e-3)
"""Times between which a training draws: at the very ends there is no noise, or no image, to predict."""


class ANDiV2Config(ResidualSettings):
    """Hyper-parameters of ANDi v2; the defaults are the published ones, for slices of 224."""

    dropout: float = Field(
        0.1, ge=0, lt=1, description="in blocks at a sixteenth of the edge and below"
    )
    process: Literal["log-snr", "flow"] = Field(
        "log-snr",
        description="cosine in log SNR shifted by the grid, or a straight line to the noise",
    )
    prediction: Prediction = Field(
        "v", description="what the network returns: v, x0, eps, or a flow's velocity"
    )
    training_noise: NoiseName = Field("pyramid", description="noise the network learns from")
    discount: float = Field(0.9, gt=0, le=1, description="pyramid noise: amplitude per octave")
    trained_log_snr: tuple[float, float] | None = Field(
        None,
        description="lowest and highest log SNR trained; null: all. A small training learns what is scored and no more",
    )
    scoring_noise: NoiseName = scoring_field(
        "gaussian", description="noise added to a slice when it is scored"
    )
    scored_log_snr: tuple[float, float] = scoring_field(
        (0.4529, 3.5969),
        description="lowest and highest log SNR scored; published: times .125 to .026 of slices of 224. Given as log SNR, the "
        "window is the same amount of noise on every grid",
    )
    calls: int = scoring_field(100, ge=2, le=10_000, description="times scored, evenly spaced")
    aggregation: Literal["gmean", "mean", "prob"] = scoring_field(
        "gmean", description="over times: geometric mean, arithmetic mean, or probability"
    )
    clamp: bool = scoring_field(True, description="clamp predicted images to [-1, 1], as published")

    @field_validator("scored_log_snr", "trained_log_snr")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not -15 < value[0] < value[1] < 15:
            raise ValueError(
                f"{list(value)} found: two numbers between -15 and 15, the lower first, wanted"
            )
        return value

    @model_validator(mode="after")
    def _fits(self) -> ANDiV2Config:
        if (self.prediction == "velocity") != (self.process == "flow") and self.prediction in (
            "v",
            "velocity",
        ):
            raise ValueError(
                f"prediction = {self.prediction} with process = {self.process}: v is of log-snr, velocity of flow; eps and x0 fit both"
            )
        trained, scored = self.trained_log_snr, self.scored_log_snr
        if trained is not None and (scored[0] < trained[0] or scored[1] > trained[1]):
            raise ValueError(
                f"log SNR {scored[0]} to {scored[1]} is scored: the network is trained on {trained[0]} to {trained[1]}"
            )
        return self


@register("andi-v2")
class ANDiV2(SliceDetector):
    """Aggregate, over times, how far the image that a network predicts from a noised slice is from the slice.

    With z = a x + s e at time t, x_hat the predicted image, u the next time towards the image and r the quotient of the SNR at t and
    at u: D_t = (1 - r)^2 a_u^2 (x_hat - x)^2, the squared difference of two denoising means. Aggregations:

    - ``gmean``: exp of the mean of log D_t. The factors do not change the order of voxels: it is the geometric mean of single-step
      errors;
    - ``mean``: the mean of D_t;
    - ``prob``: the mean of D_t / (2 var_t), var_t = (1 - r) s_t^2; published as 1 - prod exp(- D_t / (2 var_t)), of the same order.

    A running sum holds them, so the memory does not depend on the number of times.
    """

    Config = ANDiV2Config
    recipe = 1
    signed = True
    config: Any

    @property
    def process(self) -> Process:
        """The diffusion process on this grid."""
        return Flow() if self.config.process == "flow" else LogSNR(max(self.spec.size))

    def network(self) -> nn.Module:
        """Build the U-Net, told the time."""
        channels = self.spec.channels
        found: nn.Module = self.config.residual_unet(
            channels,
            channels,
            self.spec.size,
            dropout=self.config.dropout,
            dropout_from=16,
            rescale=True,
        )
        return found

    def times(self) -> list[float]:
        """Return the times that are scored, from the noisiest down, and behind them the one that the last is compared with."""
        low, high = self.config.scored_log_snr
        first, last = self.process.time(low), self.process.time(high)
        step = (first - last) / (self.config.calls - 1)
        return [float(t) for t in np.linspace(first, last, self.config.calls)] + [
            max(last - step, last / 2)
        ]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Mean squared error of the noise that the prediction stands for, for slices (N, C, H, W) of about [0, 1]."""
        c, process = self.config, self.process
        low, high = TRAINED
        if c.trained_log_snr is not None:
            high, low = (process.time(value) for value in c.trained_log_snr)
        t = generator.fork("time").uniform(low=low, high=high)
        noise = self._noise(c.training_noise, generator, batch)
        a, s = process.weights(t)
        z = _mixed(2 * batch - 1, noise, a, s)
        predicted = self.net(z, TIME_SCALE * t).float()
        return (noise_of(c.prediction, predicted, z, a, s) - noise).square().mean()

    def predict_image(self, z: torch.Tensor, t: float) -> torch.Tensor:
        """Predict the image in z (N, C, H, W), all slices at time t, on [-1, 1] scale; float32."""
        times = torch.full((len(z),), t, device=z.device)
        a, s = self.process.weights(times)
        predicted = self.net(z, TIME_SCALE * times).float()
        image = image_of(self.config.prediction, predicted, z, a, s)
        return image.clamp(-1, 1) if self.config.clamp else image

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return deviations aggregated over times, float32 (N, C, H, W), for slices of about [0, 1].

        Their sign is that of the sum of x - x_hat over the times.
        """
        image = 2 * batch - 1
        total = torch.zeros_like(image, dtype=torch.float32)
        direction = torch.zeros_like(total)
        times = self.times()
        for t, after in itertools.pairwise(times):
            difference = image - self._predicted(image, t, generator)
            direction += difference
            total += self._term(difference, t, after)
        total /= len(times) - 1
        if self.config.aggregation == "gmean":
            total.exp_()
        return total.copysign_(direction)

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the mean of the predicted images over the times (N, C, H, W), on the scale of the slices."""
        image, total = 2 * batch - 1, torch.zeros_like(batch)
        times = self.times()[:-1]
        for t in times:
            total += self._predicted(image, t, generator)
        return (total / len(times) + 1) / 2

    def _predicted(self, image: torch.Tensor, t: float, generator: SliceGenerator) -> torch.Tensor:
        """Noise slices to time t and predict them; the noise of a time is a stream of its own."""
        noise = self._noise(self.config.scoring_noise, generator.fork(f"time {t:.6f}"), image)
        a, s = self.process.weights(torch.full((len(image),), t, device=image.device))
        return self.predict_image(_mixed(image, noise, a, s), t)

    def _term(self, difference: torch.Tensor, t: float, after: float) -> torch.Tensor:
        """Return what a difference at time t adds to the running sum."""
        here, there = torch.tensor([t, after], dtype=torch.float64)
        log_snr = self.process.log_snr(torch.stack([here, there]))
        less = 1 - float(torch.exp(log_snr[0] - log_snr[1]))
        a, s = self.process.weights(torch.stack([here, there]))
        deviation = difference.abs().clamp_(min=SMALLEST_ERROR).mul_(less * float(a[1])).square_()
        if self.config.aggregation == "gmean":
            return deviation.log_()
        if self.config.aggregation == "prob":
            return deviation.div_(2 * less * float(s[0]) ** 2)
        return deviation

    def _noise(
        self, name: NoiseName, generator: SliceGenerator, like: torch.Tensor
    ) -> torch.Tensor:
        _, channels, height, width = like.shape
        return draw_noise(name, generator, (channels, height, width), discount=self.config.discount)


def _mixed(
    image: torch.Tensor, noise: torch.Tensor, a: torch.Tensor, s: torch.Tensor
) -> torch.Tensor:
    return a.view(-1, 1, 1, 1) * image + s.view(-1, 1, 1, 1) * noise
