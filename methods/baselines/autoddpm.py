"""AutoDDPM (Bercea et al. 2023): mask what a first reconstruction changes, inpaint it, and look at what changed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import torch
import torch.nn.functional as F
from pydantic import model_validator

from andi_bench.randomness import SliceGenerator
from datasets.volume import Volume
from methods.base import Field, ScoreContext, register, scoring_field
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_chain
from methods.diffusion.noise import NoiseName
from methods.diffusion.perceptual import PerceptualDistance, PerceptualName, perceptual_distance
from methods.healthy_scores import count_healthy_scores
from methods.hyper_parameters import later_scoring_field

_BINS = 10_000
"""Of the first mask's range [0, 1], when its threshold is calibrated."""
_RESIDUAL_QUANTILE = 0.99


class AutoDDPMConfig(DDPMConfig):
    """Hyper-parameters of AutoDDPM; the defaults are the published ones, but for the mask's threshold."""

    training_noise: NoiseName = Field("gaussian", description="noise the network learns to predict")
    noise_steps: int = scoring_field(200, ge=2, description="time steps of noise, first pass")
    inpainting_steps: int = scoring_field(50, ge=2, description="time steps of noise, inpainting")
    resampling: int = scoring_field(
        5, ge=1, le=50, description="passes over each step of the inpainting, RePaint"
    )
    stride: int = scoring_field(1, ge=1, description="time steps to a step of the chains back")
    perceptual: PerceptualName = scoring_field(
        "ms-ssim", description="distance between slice and first reconstruction: ms-ssim or lpips"
    )
    mask_rate: float = scoring_field(
        0.05,
        gt=0,
        lt=1,
        description="share of lesion-free validation voxels that the mask may hold",
    )
    mask_threshold: float | None = scoring_field(
        None,
        ge=0,
        description="threshold of the mask; null: calibrated on validation data. Published: 0.1411 with lpips",
    )
    published_no_clamp: bool = scoring_field(
        False,
        description="what the published code does because the result of a clamp is thrown away: the first "
        "reconstruction ends at time step 0 and may leave [-1, 1], and the inpainting's predictions of x_0 are not clamped",
    )
    published_start: bool = scoring_field(
        False,
        description="noise slices to one time step above the ones where the chains back begin (200 and 50), as published",
    )
    published_resampling: bool = scoring_field(
        False,
        description="noise a step again with the variance of the step before (beta of t - 1 in place of t), as published",
    )
    published_last_clamp: bool = scoring_field(
        False,
        description="clamp the inpainted image to [-1, 1] before it is compared with the slice, as published; of all "
        "undeclared steps the one that changes maps most",
    )
    published_unstitched: bool = later_scoring_field(
        False,
        description="start the inpainting from the first reconstruction everywhere, not from the slice with the first "
        "reconstruction stitched in, as published: the network sees it once, in its first call",
    )
    published_stop: bool = later_scoring_field(
        False,
        description="stop the inpainting at time step 1, as published: a little noise then stays inside the mask",
    )
    published_lpips_scale: bool = scoring_field(
        False,
        description="with lpips: take images on [-1, 1] scale for such on [0, 1], as published. The published threshold of "
        "0.1411 belongs to distances computed so",
    )

    @model_validator(mode="after")
    def _scale_of_lpips(self) -> AutoDDPMConfig:
        if self.published_lpips_scale and self.perceptual != "lpips":
            raise ValueError(
                f"published_lpips_scale with perceptual = {self.perceptual}: lpips wanted"
            )
        return self

    @model_validator(mode="after")
    def _within_the_training(self) -> AutoDDPMConfig:
        for steps in (self.noise_steps, self.inpainting_steps):
            check_chain(self, steps, self.stride)
        return self


@register("autoddpm")
class AutoDDPM(DDPMDetector):
    """Mask, stitch and resample.

    1. A slice is noised by ``noise_steps`` and denoised to a first reconstruction.
    2. The first mask, in [0, 1], is the perceptual distance between the two times their absolute difference, the latter
       divided by its own 0.99 quantile (of the slice and modality) and clamped to 1.
    3. Where the first mask exceeds a threshold, and in the 3x3 neighbourhood, the slice is inpainted: the first
       reconstruction is stitched in, noised by ``inpainting_steps``, and denoised while everything else is held at
       the slice itself, each step ``resampling`` times (RePaint, Lugmayr et al. 2022).
    4. The map is the absolute difference between slice and inpainted slice, times the first mask.

    The threshold is calibrated on the lesion-free brain voxels of the validation split: it is the lowest that at most a
    share ``mask_rate`` of them exceed. The published value was fixed by hand, for LPIPS.
    """

    Config = AutoDDPMConfig
    recipe = 1
    signed = True

    def label(self) -> str:
        """Return the name with the perceptual distance, on which the map depends."""
        return f"{self.name} ({self.config.perceptual})"

    @cached_property
    def distance(self) -> PerceptualDistance:
        """The perceptual distance."""
        return perceptual_distance(self.config.perceptual, self.config.published_lpips_scale)

    @property
    def needs_calibration(self) -> bool:
        """Whether the threshold of the mask is to be found on validation data."""
        return self.config.mask_threshold is None

    @torch.inference_mode()
    def calibrate(self, volumes: Iterable[Volume], context: ScoreContext) -> dict[str, float]:
        """Find the threshold of the mask on the lesion-free brain voxels of validation volumes."""

        def scores(
            batch: torch.Tensor, generator: SliceGenerator, healthy: torch.Tensor
        ) -> torch.Tensor:
            first = self.first_mask(2 * batch - 1, self.first(2 * batch - 1, generator))
            return first.clamp(max=1).permute(0, 2, 3, 1)[healthy]

        counts = count_healthy_scores(self.name, "mask_threshold", volumes, context, scores, _BINS)
        above = counts.flip(0).cumsum(0).flip(0) / counts.sum()
        beyond = torch.cat([above[1:], torch.zeros(1, dtype=torch.float64)])
        edge = int(torch.nonzero(beyond <= self.config.mask_rate)[0])
        return {"mask_threshold": (edge + 1) / _BINS}

    @property
    def mask_threshold(self) -> float:
        """Threshold of the mask, as configured or as calibrated."""
        configured: float | None = self.config.mask_threshold
        return self.calibration["mask_threshold"] if configured is None else configured

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the masked residual (N, C, H, W), with its sign, for slices of about [0, 1]."""
        image = 2 * batch - 1
        inpainted, mask = self._inpainted(image, generator)
        if self.config.published_last_clamp:
            inpainted = inpainted.clamp(-1, 1)
        return (image - inpainted) / 2 * mask

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the inpainted slices (N, C, H, W), on the scale of the slices."""
        return (self._inpainted(2 * batch - 1, generator)[0] + 1) / 2

    def _inpainted(
        self, image: torch.Tensor, generator: SliceGenerator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the inpainted slices, on [-1, 1] scale, and the first mask, both (N, C, H, W)."""
        first = self.first(image, generator)
        mask = self.first_mask(image, first)
        chosen = F.max_pool2d((mask > self.mask_threshold).float(), 3, stride=1, padding=1)
        return self.inpaint(image, first, chosen, generator), mask

    def first(self, image: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the first reconstruction of slices (N, C, H, W) on [-1, 1] scale."""
        c = self.config
        t = c.noise_steps - 1
        noise = self.noise(c.training_noise, generator, image, c.published_pyramid)
        x_t = self.schedule.q_sample(image, self._noised_to(t), noise)
        return self.denoise(
            x_t, t, generator, c.training_noise, c.stride, published_end=c.published_no_clamp
        )

    def first_mask(self, image: torch.Tensor, reconstruction: torch.Tensor) -> torch.Tensor:
        """Return perceptual distance times scaled residual (N, C, H, W), >= 0."""
        residual = (image - reconstruction).abs().float()
        largest = residual.flatten(2).quantile(_RESIDUAL_QUANTILE, dim=2)[:, :, None, None]
        scaled = (residual / largest.clamp(min=1e-6)).clamp(max=1)
        return self.distance(image, reconstruction) * scaled

    def inpaint(
        self,
        image: torch.Tensor,
        inserted: torch.Tensor,
        mask: torch.Tensor,
        generator: SliceGenerator,
    ) -> torch.Tensor:
        """Inpaint slices where ``mask`` is 1, all (N, C, H, W) on [-1, 1] scale, from ``inserted`` as a start.

        Outside the mask the result is ``image``. The published code stops at time step 1, with noise of deviation 0.015 left
        inside the mask (``published_stop``); here one more network call predicts the image from there (so 440 calls a slice,
        not 439).
        """
        c = self.config
        clamp = not c.published_no_clamp
        t = c.inpainting_steps - 1
        begun = inserted if c.published_unstitched else torch.lerp(image, inserted, mask)
        x_t = self.schedule.q_sample(begun, self._noised_to(t), self._draw(image, generator))
        while t - c.stride >= 1:
            before = t - c.stride
            for repeat in range(c.resampling):
                known = self.schedule.q_sample(image, before, self._draw(image, generator))
                predicted = self.predict_image(x_t, t, clamp)
                mean, deviation = self.schedule.posterior(predicted, x_t, t, before)
                x_before = torch.lerp(known, mean + deviation * self._draw(image, generator), mask)
                if repeat < c.resampling - 1:
                    x_t = self._noised_again(x_before, before, t, self._draw(image, generator))
            x_t, t = x_before, before
        restored = x_t if c.published_stop else self.predict_image(x_t, t)
        return torch.lerp(image, restored, mask)

    def _noised_to(self, t: int) -> int:
        """Return the time step to which slices are noised whose chain back begins at t."""
        return min(t + 1, self.config.diffusion_steps - 1) if self.config.published_start else t

    def _noised_again(
        self, x_t: torch.Tensor, t: int, after: int, noise: torch.Tensor
    ) -> torch.Tensor:
        """Noise x_t on to x_after, ``after`` > t."""
        if self.config.published_resampling:
            return self.schedule.diffuse(x_t, t - 1, after - 1, noise)
        return self.schedule.diffuse(x_t, t, after, noise)

    def _draw(self, like: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        return self.noise(
            self.config.training_noise, generator, like, self.config.published_pyramid
        )
