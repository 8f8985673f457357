"""Random masks made of squares inside the brain."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator

__all__ = ["block_masks"]

EDGES = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Of the squares, shares of the slice's shorter edge: 4, 8, 16 and 32 pixels of 128."""
MOST = 12
"""Squares of a mask at most."""
SPREAD = 0.25
"""Standard deviation of a square's place around the middle of the brain, shares of the slice's edge."""


def block_masks(generator: SliceGenerator, brain: torch.Tensor) -> torch.Tensor:
    """Draw a mask for each slice: the union of 1 to 12 squares, placed by a Gaussian around the middle of the brain.

    Parameters
    ----------
    generator : SliceGenerator
        One stream per slice.
    brain : bool tensor (N, 1, H, W)
        Where tissue is.

    Returns
    -------
    bool tensor (N, 1, H, W)
        False outside the brain.
    """
    _, _, height, width = brain.shape
    shares = torch.tensor(EDGES, device=brain.device)
    number = generator.fork("blocks").integers(1, MOST + 1)
    edges = (
        (shares * min(height, width))
        .round()
        .clamp(min=1)[generator.fork("edges").integers(0, len(EDGES), MOST)]
    )
    places = SPREAD * generator.fork("places").normal(2, MOST)
    row, column = (torch.arange(size, device=brain.device) for size in (height, width))
    weight = brain[:, 0].float()
    total = weight.sum(dim=(1, 2)).clamp(min=1)
    middle = [
        (weight.sum(dim=2) * row).sum(dim=1) / total,
        (weight.sum(dim=1) * column).sum(dim=1) / total,
    ]
    spans = []
    for axis, (pixels, size) in enumerate(((row, height), (column, width))):
        start = (middle[axis][:, None] + size * places[:, axis] - edges / 2).round()
        spans.append((pixels >= start[..., None]) & (pixels < (start + edges)[..., None]))
    used = torch.arange(MOST, device=brain.device) < number[:, None]
    blocks = spans[0][..., :, None] & spans[1][..., None, :] & used[..., None, None]
    return blocks.any(dim=1, keepdim=True) & brain
