"""Patched diffusion model: noise a part of a slice, and restore it from the rest.

Behrendt et al., Patched Diffusion Models for Unsupervised Anomaly Detection in Brain MRI, MIDL 2023 (arXiv 2303.03758).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import nn

from andi_bench.randomness import SliceGenerator
from methods.base import Field, SliceDetector, register, scoring_field
from methods.corruptions.coarse_noise import foreground
from methods.diffusion.noise import NoiseName, draw_noise
from methods.diffusion.schedule import Schedule, cosine_schedule
from methods.networks.residual_settings import ResidualSettings

__all__ = ["PDDPM", "PDDPMConfig", "PatchedDetector", "PatchedTraining"]


class PatchedTraining(ResidualSettings):
    """Hyper-parameters of the training that ``pddpm`` and ``mddpm`` share; the defaults are the published ones."""

    cells: int = Field(
        2,
        ge=1,
        le=16,
        description="parts of a slice along each edge; one of them is noised at a time",
    )
    diffusion_steps: int = Field(1000, ge=2, le=10_000, description="T, cosine schedule")
    training_noise: NoiseName = Field("simplex", description="noise the network learns to remove")
    training_t_low: int = Field(1, ge=1, description="lowest time step trained")
    training_t_high: int = Field(1000, ge=2, description="time step before which training stops")
    discount: float = Field(0.8, gt=0, le=1, description="pyramid noise: amplitude per octave")

    @model_validator(mode="after")
    def _training_range(self) -> PatchedTraining:
        if not self.training_t_low < self.training_t_high <= self.diffusion_steps:
            raise ValueError(
                f"training_t_low = {self.training_t_low}, training_t_high = {self.training_t_high}: "
                f"low < high <= {self.diffusion_steps} wanted"
            )
        return self


class PatchedDetector(SliceDetector):
    """A network that predicts a whole slice from one in which a cell of a fixed grid is noised.

    The loss is the absolute error inside that cell; time steps are uniform. A reconstruction takes one call for each cell, and of
    each call the cell alone.
    """

    Config = PatchedTraining
    training_name = "patched-ddpm"
    config: Any

    @property
    def schedule(self) -> Schedule:
        """The diffusion process."""
        return cosine_schedule(self.config.diffusion_steps)

    def network(self) -> nn.Module:
        """Build the U-Net, told the time step."""
        channels = self.spec.channels
        found: nn.Module = self.config.residual_unet(channels, channels, self.spec.size)
        return found

    def cell_masks(self, device: torch.device) -> torch.Tensor:
        """Return which pixels belong to which cell, bool (cells^2, 1, H, W); together they are the slice."""
        count = self.config.cells
        height, width = self.spec.size
        row = torch.arange(height, device=device) * count // height
        column = torch.arange(width, device=device) * count // width
        number = row[:, None] * count + column
        return (number == torch.arange(count * count, device=device)[:, None, None])[:, None]

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Mean absolute error inside the noised cells, a scalar, for slices (N, C, H, W) of about [0, 1]."""
        c = self.config
        image = 2 * batch - 1
        masks = self.cell_masks(batch.device)
        cell = masks[generator.fork("cell").integers(0, len(masks))]
        t = generator.fork("time step").integers(c.training_t_low, c.training_t_high)
        x_t = self.schedule.q_sample(image, t, self._noise(generator, image))
        predicted = self.net(torch.where(cell, x_t, image), t).float()
        error = (predicted - image).abs() * cell
        # Cells are of equal size but for rounding; each slice's error counts alike.
        return (error.flatten(1).sum(dim=1) / (cell.flatten(1).sum(dim=1) * image.shape[1])).mean()

    def restored(self, image: torch.Tensor, t: int, generator: SliceGenerator) -> torch.Tensor:
        """Return slices (N, C, H, W) restored cell by cell from time step t, both on [-1, 1] scale."""
        steps = torch.full((len(image),), t, device=image.device)
        x_t = self.schedule.q_sample(image, t, self._noise(generator, image))
        out = torch.empty_like(image)
        for cell in self.cell_masks(image.device):
            predicted: torch.Tensor = self.net(torch.where(cell, x_t, image), steps).float()
            out = torch.where(cell, predicted, out)
        return out

    def _noise(self, generator: SliceGenerator, like: torch.Tensor) -> torch.Tensor:
        _, channels, height, width = like.shape
        return draw_noise(
            self.config.training_noise,
            generator.fork("noise"),
            (channels, height, width),
            discount=self.config.discount,
        )


class PDDPMConfig(PatchedTraining):
    """Hyper-parameters of the patched diffusion model; the defaults are the published ones."""

    t: int = scoring_field(
        499, ge=1, description="time step to which a cell is noised when it is scored"
    )
    residual: Literal["absolute", "squared"] = scoring_field(
        "absolute", description="difference between slice and reconstruction"
    )
    published_eroded_mask: bool = scoring_field(
        False,
        description="set the map to 0 next to the foreground's edge, as published (3 x 3 erosion, three times); the rim then "
        "cannot be a false positive for this method alone",
    )

    @model_validator(mode="after")
    def _within_the_training(self) -> PDDPMConfig:
        check_trained(self, self.t)
        return self


def check_trained(config: PatchedTraining, t: int) -> None:
    """Check that a time step is one that the network has learnt.

    Raises
    ------
    ValueError
        Names it, and those that are trained.
    """
    if not config.training_t_low <= t < config.training_t_high:
        raise ValueError(
            f"time step t = {t} is scored: the network is trained on {config.training_t_low}..{config.training_t_high - 1}"
        )


@register("pddpm")
class PDDPM(PatchedDetector):
    """Restore each cell of a slice from noise, with the rest of the slice in sight; the map is |x - x_hat|.

    One network call for each cell, in a single step from time step ``t``.
    """

    Config = PDDPMConfig
    recipe = 1
    signed = True

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the residual (N, C, H, W) with its sign, for slices of about [0, 1]."""
        residual = batch - self.reconstruct_slices(batch, generator)
        if self.config.residual == "squared":
            residual = residual * residual.abs()
        if self.config.published_eroded_mask:
            outside = (~foreground(batch)).float()
            residual = residual * (F.max_pool2d(outside, 7, stride=1, padding=3) == 0)
        return residual

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return x_hat, float32 (N, C, H, W)."""
        return (self.restored(2 * batch - 1, self.config.t, generator) + 1) / 2
