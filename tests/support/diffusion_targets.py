"""What a perfect network of each prediction returns."""

from __future__ import annotations

import torch


def target_of(
    prediction: str, image: torch.Tensor, noise: torch.Tensor, a: torch.Tensor, s: torch.Tensor
) -> torch.Tensor:
    """Return it for images and noise (N, C, H, W) of z = a x + s e; a and s (N,)."""
    a, s = a.view(-1, 1, 1, 1), s.view(-1, 1, 1, 1)
    if prediction == "eps":
        return noise
    if prediction == "x0":
        return image
    return a * noise - s * image if prediction == "v" else image - noise
