"""Foreign patches of graded strength: a square of another slice, mixed in by a factor that a network is to find again."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator
from methods.corruptions.coarse_noise import foreground
from methods.corruptions.poisson import poisson_blended

__all__ = ["interpolated_patches", "matching"]

CANDIDATES = 16
"""Slices of the bank from which a slice's partner is chosen."""
HALF_WIDTH = (0.05, 0.2)
"""Half of a patch's edge, shares of the slice's."""
CORE = 0.8
"""Share of the slice, in the middle, in which a patch's centre lies."""
FACTOR = (0.05, 0.95)
CHANGED = 1e-3
"""Change of a voxel, image units, from which on it is labelled."""


def matching(generator: SliceGenerator, images: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """Return a partner for each slice: of some slices of the bank, the one whose brain overlaps its own the most.

    Published are two slices of the same height. A training slice does not tell its height; the outline of the brain does, and
    where heads lie differently it tells more.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    images : float32 tensor (N, C, H, W)
        Slices.
    bank : float32 tensor (K, C, H, W)
        Training slices. One that is equal to the slice is passed over where another is at hand.

    Returns
    -------
    float32 tensor (N, C, H, W)
    """
    drawn = generator.fork("partners").uniform(CANDIDATES)
    chosen = (drawn * len(bank)).long().clamp_max(len(bank) - 1)
    here = foreground(images).flatten(1).float()
    there = foreground(bank).flatten(1).float()
    both = torch.einsum("np,kp->nk", here, there)
    overlap = 2 * both / (here.sum(dim=1, keepdim=True) + there.sum(dim=1)).clamp(min=1)
    same = torch.cdist(images.flatten(1), bank.flatten(1)) < 1e-3
    overlap = torch.where(same, -1.0, overlap).gather(1, chosen)
    return bank[chosen.gather(1, overlap.argmax(dim=1, keepdim=True))[:, 0]]


def interpolated_patches(
    generator: SliceGenerator, images: torch.Tensor, others: torch.Tensor, *, blend: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix a square patch of other slices into slices: x <- (1 - a) x + a x', a ~ U(.05, .95).

    The square's half-width is 5 to 20 % of the slice's edge, its centre lies in the middle 80 %. What lies outside the brain stays
    as it was: in a scan without a skull an anomaly there would be none.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    images, others : float32 tensor (N, C, H, W)
        Slices of about [0, 1], and their partners.
    blend : bool
        Blend the patch into the slice without a seam first (:func:`methods.corruptions.poisson.poisson_blended`), as PII does.

    Returns
    -------
    corrupted : float32 tensor (N, C, H, W)
    label : float32 tensor (N, 1, H, W)
        a where any modality changed, 0 elsewhere.

    References
    ----------
    Tan et al., Detecting Outliers with Foreign Patch Interpolation, arXiv 2011.04197; Tan et al., Detecting Outliers with Poisson
    Image Interpolation, MICCAI 2021 (arXiv 2107.02622).
    """
    height, width = images.shape[-2:]
    draws = generator.fork("patch").uniform(4)
    low, high = HALF_WIDTH
    half = ((low + (high - low) * draws[:, 0]) * min(height, width)).round().long().clamp(min=1)
    starts, counts = [], []
    for edge, draw in ((height, draws[:, 1]), (width, draws[:, 2])):
        centre = ((1 - CORE) / 2 + CORE * draw) * edge
        start = (centre.long() - half).clamp(min=1)
        counts.append(
            (torch.minimum(centre.long() + half, torch.full_like(half, edge - 1)) - start).clamp(
                min=1
            )
        )
        starts.append(start)
    factor = (FACTOR[0] + (FACTOR[1] - FACTOR[0]) * draws[:, 3])[:, None, None, None]
    row = torch.arange(height, device=images.device)
    column = torch.arange(width, device=images.device)
    rows = (row >= starts[0][:, None]) & (row < (starts[0] + counts[0])[:, None])
    columns = (column >= starts[1][:, None]) & (column < (starts[1] + counts[1])[:, None])
    inside = (rows[:, :, None] & columns[:, None, :])[:, None] & foreground(images)
    if blend:
        others = poisson_blended(images, others, starts[0], starts[1], torch.stack(counts, dim=1))
    # A blend can leave what images hold; tissue stays above 0, so that it is not taken for background.
    mixed = torch.where(inside, (1 - factor) * images + factor * others.clamp(min=0), images)
    changed = ((mixed - images).abs() > CHANGED).any(dim=1, keepdim=True)
    return mixed, factor * changed
