"""A detector of a third party: how far a slice is from the mean healthy one."""

import torch

from methods.base import (
    DetectorConfig,
    Field,
    FitContext,
    SliceDetector,
    SliceGenerator,
    Slices,
    register,
    scoring_field,
)


class DistanceToMeanConfig(DetectorConfig):
    """Hyper-parameters."""

    floor: float = Field(0.01, gt=0, description="added to the mean deviation, image units")
    power: float = scoring_field(1.0, gt=0, le=4, description="exponent of the distance")


@register("distance-to-mean")
class DistanceToMean(SliceDetector):
    """|x - mean| in units of the mean deviation, pixel by pixel, whatever the slice's height."""

    Config = DistanceToMeanConfig
    mean: torch.Tensor
    deviation: torch.Tensor

    def fit(self, slices: Slices, context: FitContext) -> None:
        """Learn ``mean`` and ``deviation``, float32 (C, H, W), in two passes."""
        self.mean = slices.mean()
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        for batch in context.progress(slices):
            total += (batch.images - self.mean).abs().sum(dim=0, dtype=torch.float64)
        self.deviation = (total / len(slices)).float() + self.config.floor

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return scores (N, C, H, W), >= 0."""
        return ((batch - self.mean).abs() / self.deviation) ** self.config.power
