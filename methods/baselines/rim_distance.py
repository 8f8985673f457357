"""Distance to the brain's rim, a map that knows where lesions tend to lie and has seen none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.geometry import voxel_sizes
from datasets.volume import Volume
from methods.base import AnomalyDetector, DetectorConfig, ScoreContext, register

__all__ = ["RimDistance"]


@register("rim-distance")
class RimDistance(AnomalyDetector):
    """How deep a voxel lies in the brain: its distance to the nearest voxel outside the brain mask, mm.

    Deeper counts as more anomalous. White-matter lesions and most tumours lie inside, while what methods mark wrongly lies
    along the rim (cortex, remains of the skull, partial volume): a method that is no better than this has learnt no more
    than that. The other direction would be a straw man. The mask alone is read, no intensity.
    """

    Config = DetectorConfig
    recipe = 1
    draws = ()
    reduces = False
    config: Any

    def score(self, volume: Volume, context: ScoreContext) -> NDArray[np.float32]:
        """Return the depth, float32 (X, Y, Z), mm; 0 outside the brain."""
        from scipy import ndimage

        # a brain that is cut by the grid's edge ends there
        padded = np.pad(volume.brain, 1)
        depth = ndimage.distance_transform_edt(padded, sampling=voxel_sizes(volume.affine))
        return np.asarray(depth, dtype=np.float32)[1:-1, 1:-1, 1:-1]
