"""How healthy voxels of validation volumes score, counted: what a threshold is calibrated on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from datasets.volume import Volume
from methods.base import ScoreContext

Scores = Callable[[torch.Tensor, SliceGenerator, torch.Tensor], torch.Tensor]
"""From slices (N, C, H, W), their random streams and which of their voxels are healthy, bool (N, H, W), to scores (K,)."""


def count_healthy_scores(
    method: str,
    option: str,
    volumes: Iterable[Volume],
    context: ScoreContext,
    scores: Scores,
    bins: int,
    largest: float = 1.0,
) -> torch.Tensor:
    """Count the scores of lesion-free brain voxels.

    Parameters
    ----------
    method, option : str
        What is calibrated, for the message.
    volumes : iterable of Volume
        Whose lesions are known.
    context : ScoreContext
        Cuts volumes into batches of slices.
    scores : callable
        See :data:`Scores`.
    bins : int
        Equal ones over 0 to ``largest``; scores beyond are in none.
    largest : float
        Upper end of the last bin.

    Returns
    -------
    float64 (bins,)
        On the CPU.

    Raises
    ------
    UserError
        When no voxel is counted.
    """
    counts = torch.zeros(bins, dtype=torch.float64)
    for volume in volumes:
        healthy = volume.healthy
        for z, batch, generator in context.batches(volume):
            inside = torch.from_numpy(healthy[:, :, z]).permute(2, 0, 1).to(batch.device)
            found = scores(batch, generator, inside).cpu()
            counts += torch.histc(found, bins, 0, largest).double()
    if not counts.sum():
        raise UserError(
            f"method '{method}': no lesion-free validation voxel to calibrate detector.{option} on"
        )
    return counts
