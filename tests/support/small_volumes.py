"""Volumes made in memory, and detectors that need no training: what scoring is tried on."""

from __future__ import annotations

import numpy as np
import torch

from datasets.scans.grid import plan
from datasets.volume import Volume
from methods.base import AnomalyDetector, DetectorConfig, ImageSpec, SliceDetector
from methods.catalogue import build_detector

MODALITIES = ("flair", "t1")
CPU = torch.device("cpu")


def small_volume(
    name: str = "A", seed: int = 0, shape: tuple[int, int, int] = (16, 16, 8)
) -> Volume:
    """Return a scan that lies on its working grid: a brain with an empty slice in it, and a bright lesion."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.9
    brain[..., 3] = False
    lesion = (sum((axis - 0.2) ** 2 for axis in axes) < 0.1) & brain
    image = rng.uniform(0.2, 0.6, (len(MODALITIES), *shape)) + lesion
    native, affine = plan(shape, np.diag([-4.0, -4.0, 5.0, 1.0]), shape[0])
    return Volume(
        subject=name,
        image=(image * brain).astype(np.float32),
        brain=brain,
        lesion=lesion,
        affine=affine,
        native=native,
        modalities=MODALITIES,
        site="north",
    )


class Brightness(SliceDetector):
    """Scores are intensities, and a little noise of each slice's own stream."""

    name = "brightness"
    Config = DetectorConfig
    recipe = 1

    def score_slices(self, batch, generator):
        return batch + 0.01 * generator.normal(*batch.shape[1:])


class Whole(AnomalyDetector):
    """Scores a whole volume by a function."""

    name = "whole"
    Config = DetectorConfig
    recipe = 1

    def of(self, function):
        self.function = function
        return self

    def score(self, volume, context):
        return self.function(volume)


def detector_of(
    cls: type[AnomalyDetector] = Brightness, size: int = 16, modalities=MODALITIES
) -> AnomalyDetector:
    """Return a detector for slices of this size."""
    return build_detector(cls, {}, ImageSpec(modalities, (size, size)), 0, CPU)
