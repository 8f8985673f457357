"""Mahalanobis distance of a slice from several of its reconstructions.

Behrendt et al., Leveraging the Mahalanobis Distance to Enhance Unsupervised Brain MRI Anomaly Detection, MICCAI 2024 (arXiv
2407.12474).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import model_validator

from andi_bench.randomness import SliceGenerator
from methods.base import register, scoring_field
from methods.baselines.pddpm import PatchedDetector, PatchedTraining, check_trained
from methods.corruptions.coarse_noise import foreground
from methods.diffusion.perceptual import structural_dissimilarity

__all__ = ["MDDPM", "MDDPMConfig", "mahalanobis_parts"]


class MDDPMConfig(PatchedTraining):
    """Hyper-parameters of the Mahalanobis map; the defaults are the published ones."""

    t: int = scoring_field(
        498, ge=1, description="time step to which a cell is noised when it is scored"
    )
    draws: int = scoring_field(10, ge=2, le=1000, description="reconstructions of a slice, K")
    regularisation: float = scoring_field(
        1e-2,
        gt=0,
        description="added to the covariance's diagonal, squared units of [-1, 1] images",
    )
    weight: Literal["dissimilarity", "absolute", "none"] = scoring_field(
        "dissimilarity",
        description="what the distance is multiplied by: 1 - SSIM of slice and mean reconstruction (published), their absolute "
        "difference, or nothing",
    )

    @model_validator(mode="after")
    def _within_the_training(self) -> MDDPMConfig:
        check_trained(self, self.t)
        return self


@register("mddpm")
class MDDPM(PatchedDetector):
    """How unusual a slice is among reconstructions of itself, pixel by pixel.

    K reconstructions of ``pddpm``'s network, with mean mu and covariance S of the brain's pixels (each modality on its own), give
    sqrt(max(0, d * (S + lambda I)^-1 d)), d = x - mu, times 1 - SSIM of x and mu. It shares the training of ``pddpm``.
    """

    Config = MDDPMConfig
    recipe = 1
    signed = True
    config: Any

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return the weighted distance (N, C, H, W), with the sign of x - mu, for slices of about [0, 1]."""
        image = 2 * batch - 1
        draws = self._draws(image, generator)
        mean = draws.mean(dim=0)
        inside = foreground(batch).expand_as(batch)
        parts = mahalanobis_parts(image, draws, inside, self.config.regularisation)
        scores = parts.clamp(min=0).sqrt()
        if self.config.weight == "dissimilarity":
            scores = scores * structural_dissimilarity(image, mean)
        elif self.config.weight == "absolute":
            scores = scores * (image - mean).abs()
        return scores.copysign(image - mean)

    def reconstruct_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return mu, float32 (N, C, H, W), on the scale of the slices."""
        return (self._draws(2 * batch - 1, generator).mean(dim=0) + 1) / 2

    def _draws(self, image: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return K reconstructions, (K, N, C, H, W) on [-1, 1] scale."""
        c = self.config
        found = [self.restored(image, c.t, generator.fork(f"draw {k}")) for k in range(c.draws)]
        return torch.stack(found)


def mahalanobis_parts(
    image: torch.Tensor, draws: torch.Tensor, inside: torch.Tensor, regularisation: float
) -> torch.Tensor:
    """Return each pixel's part of the squared Mahalanobis distance, d * (S + lambda I)^-1 d.

    With the centred draws X (K, P), S = X^T X / (K - 1), and by Woodbury's identity
    (S + lambda I)^-1 d = (d - X^T (lambda (K - 1) I + X X^T)^-1 X d) / lambda: a system of K equations in place of P.

    Parameters
    ----------
    image : float tensor (N, C, H, W)
        x.
    draws : float tensor (K, N, C, H, W)
        Of which S is the covariance and mu the mean, d = x - mu.
    inside : bool tensor (N, C, H, W)
        The pixels that count.
    regularisation : float
        lambda, > 0.

    Returns
    -------
    float32 tensor (N, C, H, W)
        Of any sign, their sum over the pixels being the squared distance; 0 outside.
    """
    count = len(draws)
    mean = draws.mean(dim=0)
    difference = ((image - mean) * inside).flatten(2).double()
    centred = ((draws - mean) * inside).flatten(3).permute(1, 2, 0, 3).double()
    gram = centred @ centred.mT
    scaled = regularisation * (count - 1) * torch.eye(count, dtype=gram.dtype, device=gram.device)
    solved = torch.linalg.solve(gram + scaled, centred @ difference[..., None])
    inverse = (difference - (centred.mT @ solved)[..., 0]) / regularisation
    return (difference * inverse).float().view_as(image)
