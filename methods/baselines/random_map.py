"""A map drawn by lot: what every method must leave behind."""

from __future__ import annotations

from typing import Any

import torch

from methods.base import DetectorConfig, SliceDetector, SliceGenerator, register

__all__ = ["RandomMap"]


@register("random")
class RandomMap(SliceDetector):
    """Every voxel's score is a number in [0, 1) drawn by lot, from a stream of its own for each run seed, subject and slice.

    Its average precision is that of chance, the share of lesion voxels; the median filter gathers its scores into blobs, whose
    Dice a method with filtered maps must exceed.
    """

    Config = DetectorConfig
    recipe = 1
    draws = ("scoring",)
    reduces = False
    config: Any

    def score_slices(self, batch: torch.Tensor, generator: SliceGenerator) -> torch.Tensor:
        """Return random scores (N, 1, H, W) for slices (N, C, H, W), which are not looked at."""
        return generator.uniform(1, *batch.shape[2:])
