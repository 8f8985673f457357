"""AnoDDPM (Wyatt et al. 2022): noise a slice part of the way, denoise it, and look at what changed."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator

from andi_bench.randomness import SliceGenerator
from methods.base import Field, register, scoring_field
from methods.diffusion.ddpm import DDPMConfig, DDPMDetector, check_chain
from methods.diffusion.noise import NoiseName


class AnoDDPMConfig(DDPMConfig):
    """Hyper-parameters of AnoDDPM; the defaults are the published ones."""

    training_noise: NoiseName = Field("simplex", description="noise the network learns to predict")
    noise_steps: int = scoring_field(250, ge=2, description="time steps of noise added to a slice")
    stride: int = scoring_field(1, ge=1, description="time steps to a step of the chain back")
    residual: Literal["absolute", "squared"] = scoring_field(
        "absolute",
        description="difference between slice and reconstruction; published: squared, on [-1, 1] scale, which ranks voxels as "
        "squared does here, but not where modalities or deviations are brought together",
    )
    published_start: bool = scoring_field(
        False,
        description="noise a slice to one time step above the one where the chain back begins (250 and 249), as "
        "published: a little noise then stays in the reconstruction",
    )
    published_batch_noise: bool = scoring_field(
        False,
        description="at each step of the chain back one draw of noise for all slices of a batch, turned by a multiple of 15 "
        "degrees and mirrored for each, as published for simplex noise: maps then depend on the batch",
    )
    published_end: bool = scoring_field(
        False,
        description="end with the mean at time step 0 in place of the last prediction, not clamped, as published: a little "
        "noise then stays in the reconstruction",
    )

    @model_validator(mode="after")
    def _within_the_training(self) -> AnoDDPMConfig:
        check_chain(self, self.noise_steps, self.stride)
        return self


@register("anoddpm")
class AnoDDPM(DDPMDetector):
    """Reconstruct a slice through a diffusion model that has seen healthy slices only.

    A slice is noised by ``noise_steps`` steps, with the kind of noise that the network was trained on, and denoised
    step by step with x_0-predictions clamped to [-1, 1]. The map is the absolute (in the original paper: squared)
    difference between slice and reconstruction.
    """

    Config = AnoDDPMConfig
    recipe = 1
    signed = True

    @property
    def joins_volumes(self) -> bool:
        """Whether slices of several volumes may share a batch: not with ``published_batch_noise``, where it makes the noise."""
        return super().joins_volumes and not self.config.published_batch_noise

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the residual (N, C, H, W) with its sign, for slices of about [0, 1]."""
        residual = batch - self.reconstruct(batch, generator)
        return residual if self.config.residual == "absolute" else residual * residual.abs()

    def reconstruct_slices(
        self, batch: torch.Tensor, generator: SliceGenerator
    ) -> torch.Tensor | None:
        """Return :meth:`reconstruct`; None with ``published_batch_noise``, where it hangs on a batch's first slice."""
        return None if self.config.published_batch_noise else self.reconstruct(batch, generator)

    def reconstruct(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return slices (N, C, H, W) noised and denoised, in [0, 1]."""
        c = self.config
        image = 2 * batch - 1
        last = c.noise_steps - 1  # time steps count from 0, so this is noise_steps steps of noise
        noise = self.noise(c.training_noise, generator, image, c.published_pyramid)
        start = min(last + 1, c.diffusion_steps - 1) if c.published_start else last
        x_t = self.schedule.q_sample(image, start, noise)
        restored = self.denoise(
            x_t,
            last,
            generator,
            c.training_noise,
            c.stride,
            published_end=c.published_end,
            shared=c.published_batch_noise,
        )
        return (restored + 1) / 2
