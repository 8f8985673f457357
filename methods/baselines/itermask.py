"""IterMask2: shrink a mask until what is left of it is what a network cannot restore.

Liang et al., IterMask2: Iterative Unsupervised Anomaly Segmentation via Spatial and Frequency Masking for Brain Lesions in MRI, MICCAI
2024 (arXiv 2406.02422).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from andi_bench.randomness import SliceGenerator
from datasets.volume import Volume
from methods.base import Field, ScoreContext, SliceDetector, register, scoring_field
from methods.corruptions.block_masks import block_masks
from methods.corruptions.coarse_noise import foreground
from methods.corruptions.spectrum import without_low_amplitudes
from methods.healthy_scores import count_healthy_scores
from methods.networks.residual_settings import ResidualSettings

__all__ = ["IterMask", "IterMaskConfig"]

_BINS, _LARGEST = 20_000, 8.0
"""Of the root of the squared error, on [-3, 3] scale, when the threshold is calibrated."""


class IterMaskConfig(ResidualSettings):
    """Hyper-parameters of IterMask2; the defaults are the published ones."""

    radius: float = Field(
        15 / 128,
        gt=0,
        lt=0.5,
        description="frequencies whose amplitude is forgotten, periods a pixel: 15 a slice of 128",
    )
    first_share: float = scoring_field(
        0.6, gt=0, le=1, description="share of the brain that the first mask holds"
    )
    quantile: float = scoring_field(
        0.8,
        gt=0,
        lt=1,
        description="of lesion-free validation voxels under the first mask that fall below the threshold",
    )
    threshold: float | None = scoring_field(
        None,
        gt=0,
        description="squared error above which a pixel stays masked, [-3, 3] scale; null: calibrated",
    )
    least_shrinkage: float = scoring_field(
        0.01,
        ge=0,
        lt=1,
        description="share of its mask that a slice must lose to go on; another published code has 0.1",
    )
    iterations: int = scoring_field(
        20, ge=1, le=1000, description="masks of a slice at most; none published"
    )


class _Networks(nn.Module):
    """The network that restores a slice from its condition alone, and the one that restores what is masked."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(
        self, condition: torch.Tensor | None, masked: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Restore slices: by the first network from a condition (N, C, H, W), by the second from masked slice and condition (N, 2 C, H, W).

        Where one is not given, nothing is computed of it. Both go through this call, so that the engine may wrap it and counts it.
        """
        return (
            None if condition is None else self.first(condition),
            None if masked is None else self.second(masked),
        )


@register("itermask")
class IterMask(SliceDetector):
    """Restore what is masked from what is not and from fine detail, and unmask what is restored well.

    The condition is the slice without the amplitudes of its low frequencies
    (:func:`methods.corruptions.spectrum.without_low_amplitudes`). One network restores a slice from it alone; another one from it
    and the slice with noise under a mask. A slice's first mask holds the share of the brain with the largest errors of the first
    network; then the second one restores what is masked, and pixels whose error is below a threshold leave the mask, until it hardly
    shrinks. The map is the squared error of the last restoration. Masks are shared by the modalities, and so an error is the mean
    over them: what one modality shows, a network must not copy from another.

    The threshold is a quantile of the error of lesion-free brain voxels of the validation split under the first mask.
    """

    Config = IterMaskConfig
    recipe = 1
    signed = True
    config: Any

    def network(self) -> nn.Module:
        """Build both networks."""
        channels, size = self.spec.channels, self.spec.size
        first, second = (
            self.config.residual_unet(inputs, channels, size, time=False)
            for inputs in (channels, 2 * channels)
        )
        return _Networks(first, second)

    def loss(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Sum of both networks' mean squared errors, a scalar, for slices (N, C, H, W) of about [0, 1]."""
        image, condition = self._inputs(batch)
        mask = block_masks(generator, foreground(batch))
        noise = generator.fork("noise").normal(*batch.shape[1:])
        masked = torch.cat([torch.where(mask, noise, image), condition], dim=1)
        first, second = self.net(condition, masked)
        return (first.float() - image).square().mean() + (second.float() - image).square().mean()

    @property
    def needs_calibration(self) -> bool:
        """Whether the threshold is to be found on validation data."""
        return self.config.threshold is None

    @torch.inference_mode()
    def calibrate(self, volumes: Iterable[Volume], context: ScoreContext) -> dict[str, float]:
        """Find the threshold on the lesion-free brain voxels of validation volumes that lie under the first mask."""

        def scores(
            batch: torch.Tensor, generator: SliceGenerator, healthy: torch.Tensor
        ) -> torch.Tensor:
            image, condition = self._inputs(batch)
            mask = self._first_mask(batch, image, condition)
            error = self._error(image, self._restored(image, condition, mask, generator, 0))
            return error[mask[:, 0] & healthy].sqrt().clamp(max=_LARGEST)

        counts = count_healthy_scores(
            self.name, "threshold", volumes, context, scores, _BINS, _LARGEST
        )
        share = counts.cumsum(0) / counts.sum()
        edge = int(torch.nonzero(share >= self.config.quantile)[0]) + 1
        return {"threshold": (edge * _LARGEST / _BINS) ** 2}

    @property
    def threshold(self) -> float:
        """Squared error above which a pixel stays masked, as configured or as calibrated."""
        configured: float | None = self.config.threshold
        return self.calibration["threshold"] if configured is None else configured

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the squared residual (N, C, H, W) with its sign, for slices of about [0, 1]."""
        residual = batch - self.reconstruct_slices(batch, generator)
        return residual * residual.abs()

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the last restoration, float32 (N, C, H, W), on the scale of the slices."""
        image, condition = self._inputs(batch)
        mask = self._first_mask(batch, image, condition)
        restored = torch.empty_like(image)
        active = torch.ones(len(image), dtype=torch.bool, device=image.device)
        for round_ in range(self.config.iterations):
            found = self._restored(image, condition, mask, generator, round_)
            restored = torch.where(active[:, None, None, None], found, restored)
            smaller = mask & (self._error(image, restored) > self.threshold)[:, None]
            before, after = mask.flatten(1).sum(dim=1), smaller.flatten(1).sum(dim=1)
            active &= (before - after) > self.config.least_shrinkage * before
            if not bool(active.any()):
                break
            mask = torch.where(active[:, None, None, None], smaller, mask)
        return (restored + 3) / 6

    def _inputs(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return slices on [-3, 3] scale and their condition."""
        image = 6 * batch - 3
        return image, without_low_amplitudes(image, self.config.radius * max(self.spec.size))

    def _first_mask(
        self, batch: torch.Tensor, image: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        """Return the pixels of the brain with the largest errors of the first network, bool (N, 1, H, W)."""
        brain = foreground(batch)
        error = self._error(image, self.net(condition, None)[0].float())
        inside = torch.where(brain[:, 0], error, -1.0).flatten(1)
        wanted = (self.config.first_share * brain.flatten(1).sum(dim=1)).round().long()
        rank = inside.argsort(dim=1, descending=True).argsort(dim=1)
        return (rank < wanted[:, None]).view_as(brain) & brain

    def _restored(
        self,
        image: torch.Tensor,
        condition: torch.Tensor,
        mask: torch.Tensor,
        generator: SliceGenerator,
        round_: int,
    ) -> torch.Tensor:
        noise = generator.fork(f"mask {round_}").normal(*image.shape[1:])
        masked = torch.cat([torch.where(mask, noise, image), condition], dim=1)
        out: torch.Tensor = self.net(None, masked)[1]
        return out.float()

    @staticmethod
    def _error(image: torch.Tensor, restored: torch.Tensor) -> torch.Tensor:
        """Return the squared error, mean over the modalities, (N, H, W)."""
        return (image - restored).square().mean(dim=1)
