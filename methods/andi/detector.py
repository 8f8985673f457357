"""ANDi: aggregated normative diffusion (Frotscher et al., arXiv 2312.01904)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator

from andi_bench.randomness import SliceGenerator
from methods.base import register, scoring_field
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_range
from methods.diffusion.noise import NoiseName

SMALLEST_ERROR = 2.0**-24
"""Noise errors below half a unit in the last place of a float32 near one are rounding, not agreement."""


class ANDiConfig(DDPMConfig):
    """Hyper-parameters of ANDi; the defaults are the published ones."""

    scoring_noise: NoiseName = scoring_field(
        "gaussian", description="noise added to a slice when it is scored"
    )
    t_low: int = scoring_field(75, ge=1, description="T_l, the lowest time step scored")
    t_high: int = scoring_field(
        200, ge=2, description="T_u; the highest time step scored is T_u - 1"
    )
    stride: int = scoring_field(1, ge=1, description="every how many time steps are scored")
    draws: int = scoring_field(
        1, ge=1, le=100, description="noise draws per time step, averaged before the aggregation"
    )
    aggregation: Literal["gmean", "mean", "prob"] = scoring_field(
        "gmean", description="over time steps: geometric mean, arithmetic mean, or probability"
    )
    published_zeros: bool = scoring_field(
        False,
        description="subtract two means in float32, as published: exact zeros make the geometric mean zero",
    )

    @model_validator(mode="after")
    def _scoring_range(self) -> ANDiConfig:
        check_range("t", self.t_low, self.t_high, self.diffusion_steps)
        low, high = self.training_t_low, self.training_t_high
        if self.t_low < low or self.t_high > high:
            raise ValueError(
                f"time steps {self.t_low}..{self.t_high - 1} are scored: "
                f"the network is trained on {low}..{high - 1}"
            )
        return self


@register("andi")
class ANDi(DDPMDetector):
    """Aggregate, over time steps, how far the learnt denoising step deviates from the true one.

    At time step t a slice is noised to x_t with eps; the deviation is
    d_t = (mu(x_t, eps) - mu(x_t, eps_hat))^2 = c_t (eps - eps_hat)^2, the squared difference of the denoising
    means (see :meth:`methods.diffusion.schedule.Schedule.mean`). It is computed in the second form: the
    subtraction of the two means in float32 gives exact zeros.

    Aggregations over t:

    - ``gmean``: exp of the mean of log d_t. The c_t are a constant factor and do not change the order of voxels.
    - ``mean``: the mean of d_t; large t weigh most.
    - ``prob``: minus the logarithm of the product of exp(-d_t / 2 var_t), divided by the number of steps; var_t is
      the variance of q(x_{t-1} | x_t, x_0).

    A running sum holds them, so the memory does not depend on the number of steps.
    """

    Config = ANDiConfig
    recipe = 1
    signed = True

    def time_steps(self) -> range:
        """Time steps scored, from the highest down: T_u - 1, T_u - 1 - stride, ..., T_l at the least."""
        return range(self.config.t_high - 1, self.config.t_low - 1, -self.config.stride)

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return deviations aggregated over time, float32 (N, C, H, W), for slices of about [0, 1].

        Their sign is that of the sum of eps_hat - eps over time: above 0 where the network takes a part of the image for
        noise, that is, where the image is brighter than it expects.
        """
        image = 2 * batch - 1
        total = torch.zeros_like(image, dtype=torch.float32)
        direction = torch.zeros_like(total)
        steps = self.time_steps()
        for t in steps:
            total += self._term(self.deviation(image, t, generator, direction), t)
        total /= len(steps)
        if self.config.aggregation == "gmean":
            total.exp_()
        return total.copysign_(direction)

    def deviation(
        self,
        image: torch.Tensor,
        t: int,
        generator: SliceGenerator,
        direction: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return d_t (N, C, H, W), the mean over the draws, for slices on [-1, 1] scale.

        Adds eps_hat - eps of each draw to ``direction`` (N, C, H, W), where one is given.
        """
        total: torch.Tensor | None = None
        for _ in range(self.config.draws):
            noise = self.noise(self.config.scoring_noise, generator, image)
            x_t = self.schedule.q_sample(image, t, noise)
            predicted = self.predict_noise(x_t, t)
            if direction is not None:
                direction += predicted
                direction -= noise
            if self.config.published_zeros:
                means = self.schedule.mean(x_t, t, noise), self.schedule.mean(x_t, t, predicted)
                part = (means[0] - means[1]).square_()
            else:
                error = (noise - predicted).abs_().clamp_(min=SMALLEST_ERROR)
                part = error.square_().mul_(float(self.schedule.deviation_weight[t]))
            total = part if total is None else total.add_(part)
        assert total is not None
        return total.div_(self.config.draws)

    def _term(self, deviation: torch.Tensor, t: int) -> torch.Tensor:
        """Return what a deviation adds to the running sum."""
        if self.config.aggregation == "gmean":
            return deviation.log_()
        if self.config.aggregation == "prob":
            return deviation.div_(2 * float(self.schedule.posterior_variance[t]))
        return deviation
