"""ANDi: aggregated normative diffusion (Frotscher et al., arXiv 2312.01904)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from pydantic import model_validator

from andi_bench.randomness import SliceGenerator
from methods.base import register, scoring_field
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_range
from methods.diffusion.noise import NoiseName
from methods.diffusion.single_precision import SinglePrecision, single_precision

SMALLEST_ERROR = 2.0**-24
"""Noise errors below half a unit in the last place of a float32 near one are rounding, not agreement."""

MOST_BYTES = 2**28
"""Of the states x_t that are computed together; noise and prediction take as much each."""


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
        description="noise slices and subtract the two means in float32, operation by operation as published: where the "
        "means round to the same number at one time step, the geometric mean is zero. The same voxels are zero as in the "
        "published code, given the same noise and predictions",
    )

    def revision(self) -> dict[str, Any]:
        """Return what tells the zeros from those of before, which were as many and lay elsewhere."""
        return {"published zeros": 2} if self.published_zeros else {}

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
    scoring_recipe = 2  # 1: noise drawn in the order of the time steps
    signed = True

    @property
    def published(self) -> SinglePrecision:
        """The diffusion process as ``published_zeros`` computes it."""
        c = self.config
        return single_precision(c.diffusion_steps, c.beta_start, c.beta_end)

    @property
    def joins_volumes(self) -> bool:
        """Whether slices of several volumes share a batch: no, one volume fills any device with its time steps."""
        return False

    def time_steps(self) -> range:
        """Time steps scored, from the highest down: T_u - 1, T_u - 1 - stride, ..., T_l at the least."""
        return range(self.config.t_high - 1, self.config.t_low - 1, -self.config.stride)

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return deviations aggregated over time, float32 (N, C, H, W), for slices of about [0, 1].

        Their sign is that of the sum of eps_hat - eps over time: above 0 where the network takes a part of the image for
        noise, that is, where the image is brighter than it expects.
        """
        image = 2 * batch - 1
        aggregate = _Aggregate(self, image)
        pairs = [(t, draw) for t in self.time_steps() for draw in range(self.config.draws)]
        for some in self._filled(pairs, image):
            self._add(some, image, generator, aggregate)
        return aggregate.scores()

    def _filled(
        self, pairs: list[tuple[int, int]], image: torch.Tensor
    ) -> Iterator[list[tuple[int, int]]]:
        """Cut time steps and draws so that the network is filled with slices (N, C, H, W) at several of them.

        The states x_t of a slice do not depend on each other, and each has random numbers of its own: how many are computed
        together changes nothing.
        """
        inputs = min(self.inputs_at_once, MOST_BYTES // max(1, image[0].nbytes))
        together = max(1, inputs // len(image))
        for start in range(0, len(pairs), together):
            yield pairs[start : start + together]

    def _add(
        self,
        pairs: list[tuple[int, int]],
        image: torch.Tensor,
        generator: SliceGenerator,
        aggregate: _Aggregate,
    ) -> None:
        """Add what slices (N, C, H, W) on [-1, 1] scale deviate by at some time steps and draws, in one network call."""
        purposes = [f"t = {t}, draw {draw}" for t, draw in pairs]
        noise = self.noise(self.config.scoring_noise, generator.forks(purposes), image)
        noises = noise.unflatten(0, (len(pairs), len(image)))
        if len(pairs) == 1:
            x_t = self._noised(image, pairs[0][0], noise)
            predicted = self.predict_noise(x_t, pairs[0][0])
        else:
            x_t = torch.empty_like(noise)
            for (t, _), state, eps in zip(pairs, x_t.split(len(image)), noises, strict=True):
                state.copy_(self._noised(image, t, eps))
            steps = torch.tensor([t for t, _ in pairs], device=image.device)
            predicted = self.net(x_t, steps.repeat_interleave(len(image))).float()
        states = zip(x_t.split(len(image)), noises, predicted.split(len(image)), strict=True)
        for (t, draw), (state, eps, found) in zip(pairs, states, strict=True):
            error = found - eps
            aggregate.direct(error)
            aggregate.add(t, draw, self._deviation(state, t, eps, found, error))

    def _noised(self, image: torch.Tensor, t: int, noise: torch.Tensor) -> torch.Tensor:
        process = self.published if self.config.published_zeros else self.schedule
        return process.q_sample(image, t, noise)

    def _deviation(
        self,
        x_t: torch.Tensor,
        t: int,
        noise: torch.Tensor,
        predicted: torch.Tensor,
        error: torch.Tensor,
    ) -> torch.Tensor:
        """Return d_t (N, C, H, W) of one draw; takes the memory of the error, eps_hat - eps."""
        if self.config.published_zeros:
            means = self.published.mean(x_t, t, noise), self.published.mean(x_t, t, predicted)
            return (means[0] - means[1]).square_()
        error = error.abs_().clamp_(min=SMALLEST_ERROR)
        return error.square_().mul_(float(self.schedule.deviation_weight[t]))

    def term(self, deviation: torch.Tensor, t: int) -> torch.Tensor:
        """Return what d_t (N, C, H, W), the mean over the draws, adds to the running sum; takes its memory."""
        if self.config.aggregation == "gmean":
            return deviation.log_()
        if self.config.aggregation == "prob":
            return deviation.div_(2 * float(self.schedule.posterior_variance[t]))
        return deviation


class _Aggregate:
    """The running sums over time steps and draws, of slices (N, C, H, W)."""

    def __init__(self, andi: ANDi, image: torch.Tensor) -> None:
        self._andi, self._draws = andi, andi.config.draws
        self._total = torch.zeros_like(image, dtype=torch.float32)
        self._direction = torch.zeros_like(self._total)
        self._of_step: torch.Tensor | None = None

    def direct(self, error: torch.Tensor) -> None:
        """Add eps_hat - eps of a draw to what gives the scores their sign."""
        self._direction += error

    def add(self, t: int, draw: int, deviation: torch.Tensor) -> None:
        """Add a draw's deviation; all draws of a time step one after the other."""
        sofar = self._of_step
        self._of_step = deviation if sofar is None else sofar.add_(deviation)
        if draw == self._draws - 1:
            self._total += self._andi.term(self._of_step.div_(self._draws), t)
            self._of_step = None

    def scores(self) -> torch.Tensor:
        """Return the aggregated deviations with the sign of their direction."""
        total = self._total.div_(len(self._andi.time_steps()))
        if self._andi.config.aggregation == "gmean":
            total.exp_()
        return total.copysign_(self._direction)
