"""Synthetic anomalies of graded strength: foreign texture and changed tissue classes under a soft shape (DISYRE)."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator
from methods.corruptions.coarse_noise import foreground
from methods.corruptions.shapes import WINDOW, soft_shapes
from methods.corruptions.texture_bank import TextureBank
from methods.corruptions.window import blurred

__all__ = ["synthetic_anomalies"]

FEW_PIXELS = 1000.0
"""A shape of so many pixels of the published window changes each of its tissue classes half as often as a large one."""
CLASS_BLUR = 1.0
"""Standard deviation, in pixels of the published window, by which a changed class's edge is softened."""
CHANGED = 1e-6


def synthetic_anomalies(
    generator: SliceGenerator, images: torch.Tensor, bank: TextureBank, edge: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put an anomaly of random kind and strength into every slice.

    Under a soft shape m (:func:`methods.corruptions.shapes.soft_shapes`), in this order:

    - texture: a patch f of another slice, its range mapped to the slice's own under m; x <- x (1 - a m) + a m f, a ~ U(0, 1),
      0 where nothing differs;
    - bias: some of the tissue classes under m (nearest of the bank's cluster centres), each with the probability of its share of
      m, less for small shapes, all where none was drawn, become brighter or darker together: x <- x + b s m_c, b ~ U(0, 1),
      m_c the softened classes under m.

    The publication has one modality. Here the modalities of a slice share shape, patch, a and b; classes and the sign s are each
    modality's own, as a lesion is bright in one and dark in another. What leaves [0, ``bank.ceiling``] is clipped, where the
    publication's images end at 1.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    images : float32 tensor (N, C, H, W)
        Healthy slices of about [0, 1], background 0.
    bank : TextureBank
        Of the training slices.
    edge : int
        Of the window, pixels; published 64 for slices of 128.

    Returns
    -------
    corrupted : float32 tensor (N, C, H, W)
        Equal to ``images`` outside the shape and outside the brain.
    strength : float32 tensor (N,)
        The larger of a and the largest change of the second step; 0 for an unchanged slice.

    References
    ----------
    Naval Marimont et al., Ensembled Cold-Diffusion Restorations for Unsupervised Anomaly Detection (DISYRE v2), arXiv 2407.06635.
    """
    shape, centres = soft_shapes(generator, foreground(images), edge)
    ceiling = bank.ceiling[:, None, None]
    patch = bank.patches(generator, centres, edge, (images.shape[-2], images.shape[-1]))
    amount = generator.fork("texture").uniform(1)[:, 0]
    mixed = _with_texture(images, shape, patch, amount, ceiling)
    differs = ((mixed - images).abs() > CHANGED).flatten(1).any(dim=1)
    changed = _with_bias(generator.fork("bias"), mixed, shape, bank.centres, edge).clamp_min_(0)
    changed = torch.minimum(changed, torch.maximum(ceiling, mixed))
    step = (changed - mixed).abs().flatten(1).amax(dim=1)
    return changed, torch.maximum(amount * differs, step)


def _with_texture(
    images: torch.Tensor,
    shape: torch.Tensor,
    patch: torch.Tensor,
    amount: torch.Tensor,
    ceiling: torch.Tensor,
) -> torch.Tensor:
    here = shape > 0
    low, high = _range(images, here)
    patch_low, patch_high = _range(patch, here)
    span = (patch_high - patch_low).clamp(min=CHANGED)
    mapped = low + (patch - patch_low) / span * (high - low)
    mapped = torch.minimum(mapped.clamp_min_(0), ceiling)
    share = amount[:, None, None, None] * shape
    return torch.where(here, images * (1 - share) + share * mapped, images)


def _range(images: torch.Tensor, here: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the lowest and highest value of each channel under the shape, (N, C, 1, 1); 0 where the shape is empty."""
    filled = here.flatten(1).any(dim=1)[:, None, None, None]
    low = torch.where(here, images, torch.inf).amin(dim=(2, 3), keepdim=True)
    high = torch.where(here, images, -torch.inf).amax(dim=(2, 3), keepdim=True)
    return torch.where(filled, low, 0.0), torch.where(filled, high, 0.0)


def _with_bias(
    generator: SliceGenerator,
    images: torch.Tensor,
    shape: torch.Tensor,
    centres: torch.Tensor,
    edge: int,
) -> torch.Tensor:
    n, channels = images.shape[:2]
    clusters = centres.shape[1]
    unit = edge / WINDOW
    here = shape > 0
    pixels = here.flatten(1).sum(dim=1).clamp(min=1)
    # Ascending centres: the class is the number of midpoints below a voxel.
    bounds = (centres[:, 1:] + centres[:, :-1]) / 2
    classes = (images[..., None] > bounds[:, None, None, :]).sum(dim=-1)
    counted = torch.stack(
        [((classes == k) & here).flatten(2).sum(dim=2) for k in range(clusters)], dim=2
    )
    share = counted / pixels[:, None, None]
    odds = share / (1 + FEW_PIXELS * unit**2 / pixels[:, None, None])
    chosen = generator.fork("classes").uniform(channels, clusters) < odds
    chosen = torch.where(chosen.any(dim=2, keepdim=True), chosen, True)
    picked = chosen.float().gather(2, classes.flatten(2)).view_as(images)
    width = torch.full((n,), CLASS_BLUR * unit, device=images.device)
    softened = blurred(picked, width) * shape
    amount = generator.fork("amount").uniform(1)[:, :, None, None]
    sign = torch.where(generator.fork("sign").uniform(channels) < 0.5, -1.0, 1.0)
    return torch.where(here, images + amount * sign[:, :, None, None] * softened, images)
