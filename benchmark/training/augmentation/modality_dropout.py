"""Modality dropout: a network must not lean on one modality alone."""

from __future__ import annotations

import torch

from andi_bench.randomness import SliceGenerator


def modality_dropout(images: torch.Tensor, generator: SliceGenerator, share: float) -> torch.Tensor:
    """Set channels to their background, 0: each with a probability ``share``, but never all of a slice.

    Where all would go, the channel with the largest draw stays. ModDrop (Neverova et al. 2016) for the modalities of MRI.

    Parameters
    ----------
    images : float32 (N, C, H, W)
        Slices; with C = 1 nothing happens.
    share : float
        [0, 1).
    """
    drawn = generator.counted("augmentation modality dropout", images.shape[1])
    kept = drawn >= share
    kept |= torch.arange(images.shape[1], device=drawn.device) == drawn.argmax(dim=1, keepdim=True)
    return torch.where(kept[:, :, None, None], images, 0.0)
