"""DISYRE v2: diffusion-inspired synthetic restoration.

Naval Marimont et al., Ensembled Cold-Diffusion Restorations for Unsupervised Anomaly Detection, MICCAI 2024 (arXiv 2407.06635).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import model_validator
from torch import nn

from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from methods.base import (
    DetectorConfig,
    Field,
    FitContext,
    ImageSpec,
    SliceDetector,
    Slices,
    register,
    scoring_field,
)
from methods.corruptions.coarse_noise import foreground
from methods.corruptions.synthetic_anomalies import synthetic_anomalies
from methods.corruptions.texture_bank import TextureBank, texture_bank
from methods.diffusion.schedule import linear_schedule
from methods.networks.residual_unet import ResidualUNet, UNetShape

__all__ = ["DISYRE", "DISYREConfig"]


class DISYREConfig(DetectorConfig):
    """Hyper-parameters of DISYRE v2; the defaults are those of the comparison by the author of ANDi (2025)."""

    base_width: int = Field(
        64, ge=2, le=512, multiple_of=2, description="channels at full resolution"
    )
    multipliers: tuple[int, ...] = Field(
        (1, 2, 2, 4, 4),
        min_length=1,
        max_length=7,
        description="width of each level in base widths",
    )
    blocks: int = Field(2, ge=1, le=8, description="residual blocks a level")
    attention: tuple[int, ...] = Field(
        (8, 16), description="reductions of the slice's edge at which self-attention stands"
    )
    diffusion_steps: int = Field(100, ge=2, le=10_000, description="T, grades of corruption")
    beta_start: float = Field(1e-3, gt=0, lt=1, description="noise variance of the first step")
    beta_end: float = Field(0.2, gt=0, lt=1, description="noise variance of the last step")
    window: int = Field(
        128,
        ge=16,
        le=1024,
        description="edge of the patches that the network sees, pixels; slices that are no larger are seen whole",
    )
    anomaly_window: float = Field(
        0.5, gt=0, le=1, description="edge of the window of a synthetic anomaly, share of the patch"
    )
    textures: int = Field(
        256, ge=1, le=4096, description="training slices kept to take foreign texture from"
    )
    grades: tuple[int, ...] = scoring_field(
        (99, 74, 49, 24), min_length=1, description="labels with which a slice is restored"
    )
    overlap: float = scoring_field(
        0.25, ge=0, lt=1, description="of the windows over a larger slice, share of their edge"
    )
    published_brain_share: bool = scoring_field(
        False,
        description="weigh a slice's scores by the brain's share of the slice, as published: a prior of where lesions "
        "are, which the other methods do not have",
    )

    @model_validator(mode="after")
    def _grades_exist(self) -> DISYREConfig:
        wrong = [grade for grade in self.grades if not 0 <= grade < self.diffusion_steps]
        if wrong:
            raise ValueError(
                f"grades {wrong} found: 0 to diffusion_steps - 1 = {self.diffusion_steps - 1} wanted"
            )
        return self


@register("disyre")
class DISYRE(SliceDetector):
    """Learn to undo synthetic anomalies of known strength; the map is what the network undoes in a slice as it is.

    Cold diffusion: grade i of T stands for a corruption of strength s_i, the root of alpha_bar_i of a linear schedule, so that a
    small i is a strong corruption. A healthy slice is corrupted (:func:`methods.corruptions.synthetic_anomalies.synthetic_anomalies`),
    its label is the grade whose s_i is nearest to the corruption's strength, and the network learns to return the slice:
    mean (x_hat(x_c, i) - x)^2. A slice is scored by single steps from itself: the mean over some grades of |x - x_hat(x, i)|.
    """

    Config = DISYREConfig
    recipe = 1
    draws = ("training",)
    signed = True
    config: Any

    def __init__(self, config: DetectorConfig, spec: ImageSpec) -> None:
        super().__init__(config, spec)
        self.bank: TextureBank | None = None
        step = 2 ** (len(self.config.multipliers) - 1)
        if self.config.window % step:
            raise UserError(
                f"detector.window = {self.config.window} found: a multiple of {step} wanted, "
                f"as the network has {len(self.config.multipliers)} levels"
            )

    @property
    def strengths(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Corruption of each grade, float64 (T,), falling."""
        c = self.config
        return np.sqrt(linear_schedule(c.diffusion_steps, c.beta_start, c.beta_end).alpha_bar)

    @property
    def patch(self) -> tuple[int, int]:
        """Edges of what the network sees at once."""
        height, width = self.spec.size
        return min(height, self.config.window), min(width, self.config.window)

    def network(self) -> nn.Module:
        """Build the U-Net; its memory format is the faster one for convolutions."""
        c = self.config
        net = ResidualUNet(
            self.spec.channels,
            self.spec.channels,
            self.patch,
            UNetShape(
                base_width=c.base_width,
                multipliers=c.multipliers,
                blocks=c.blocks,
                attention=c.attention,
            ),
        )
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def gather(self, slices: Slices, context: FitContext) -> None:
        """Gather textures in one pass."""
        bank = texture_bank(context.progress(slices), context.seed, size=self.config.textures)
        self.bank = bank.to(context.device)

    def grade(self, strength: torch.Tensor) -> torch.Tensor:
        """Return the grade nearest to corruptions of given strength, (N,) in [0, 1] and above -> int64 (N,)."""
        levels = torch.from_numpy(self.strengths).to(strength)
        return (levels - strength[:, None]).abs().argmin(dim=1)

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Squared error of the restored slices, a scalar, for slices (N, C, H, W) of about [0, 1]."""
        if self.bank is None:
            raise ValueError("DISYRE learns from a bank of textures: call gather() before")
        patch = self.patch
        if patch != self.spec.size:
            batch = self._random_patches(batch, generator)
        edge = max(4, round(self.config.anomaly_window * min(patch)))
        with torch.no_grad():
            corrupted, strength = synthetic_anomalies(generator, batch, self.bank, edge)
            grade = self.grade(strength)
        return (self.restore(corrupted, grade) - batch).square().mean()

    def restore(self, images: torch.Tensor, grade: torch.Tensor) -> torch.Tensor:
        """Return x_hat, float32 (N, C, H, W), for slices of about [0, 1] and their grades (N,)."""
        out: torch.Tensor = self.net(2 * images - 1, grade)
        return (out.float() + 1) / 2

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the mean over the grades of |x - x_hat|, float32 (N, C, H, W), with the sign of the mean of x - x_hat."""
        total, direction = torch.zeros_like(batch), torch.zeros_like(batch)
        for grade in self.config.grades:
            difference = batch - self._restored(batch, grade)
            total += difference.abs()
            direction += difference
        scores = (total / len(self.config.grades)).copysign(direction)
        if self.config.published_brain_share:
            scores = scores * foreground(batch).float().mean(dim=(2, 3), keepdim=True)
        return scores

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the mean of x_hat over the grades, float32 (N, C, H, W)."""
        total = torch.zeros_like(batch)
        for grade in self.config.grades:
            total += self._restored(batch, grade)
        return total / len(self.config.grades)

    def _restored(self, batch: torch.Tensor, grade: int) -> torch.Tensor:
        """Restore slices with one label, window by window where they are larger than what the network saw."""
        labels = torch.full((len(batch),), grade, device=batch.device)
        if self.patch == self.spec.size:
            return self.restore(batch, labels)
        total, count = torch.zeros_like(batch), torch.zeros_like(batch[:1, :1])
        (height, width), overlap = self.patch, self.config.overlap
        for top in window_starts(self.spec.size[0], height, overlap):
            for left in window_starts(self.spec.size[1], width, overlap):
                here = (..., slice(top, top + height), slice(left, left + width))
                total[here] += self.restore(batch[here], labels)
                count[here] += 1
        return total / count

    def _random_patches(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Cut a patch at a random place out of each slice."""
        (height, width), draws = self.patch, generator.fork("patch").uniform(2)
        room = torch.tensor(
            [self.spec.size[0] - height + 1, self.spec.size[1] - width + 1], device=draws.device
        )
        starts = torch.minimum((draws * room).long(), room - 1)
        rows = starts[:, :1] + torch.arange(height, device=draws.device)
        columns = starts[:, 1:] + torch.arange(width, device=draws.device)
        first = torch.arange(len(batch), device=draws.device)[:, None, None]
        return batch[first, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def window_starts(size: int, edge: int, overlap: float) -> list[int]:
    """Return where windows begin so that they cover ``size`` pixels, neighbours sharing at least ``overlap`` of their edge."""
    if size <= edge:
        return [0]
    count = int(np.ceil((size - edge) / (edge * (1 - overlap)))) + 1
    return [round(k * (size - edge) / (count - 1)) for k in range(count)]
