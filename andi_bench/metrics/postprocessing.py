"""The post-processing chain, the same for every method of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from andi_bench.geometry import erode
from andi_bench.metrics.histograms.scores import as_scores, same_shape
from andi_bench.metrics.lesionwise import components
from andi_bench.metrics.median import median_filter
from andi_bench.section import MedianSize


class PostProcessing(BaseModel):
    """One chain. Maps are filtered before a threshold, detections are cleaned after it.

    A median filter is 3-D, over the whole grid (the background's zeros included), as published. Given in mm, its window
    is the odd number of voxels that is nearest along each axis: the same piece of brain on a coarse grid and on a fine one. Erosion
    takes voxels off the brain mask; what is taken off gets the lowest score, and still counts in the metrics.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    median: MedianSize = Field(
        1, description="3-D median filter: its edge in voxels, odd, or three edges in mm; 1: none"
    )
    erosion: int = Field(0, ge=0, le=10, description="voxels taken off the brain mask")
    min_component_ml: float = Field(0.0, ge=0, description="smaller detections are removed")

    @property
    def name(self) -> str:
        """The chain's name in tables and files: ``raw``, ``median9.4x9.4x5mm``, ``median5-erosion2-min0.1ml``."""
        parts = []
        if isinstance(self.median, tuple):
            parts.append(f"median{'x'.join(f'{round(edge, 1):g}' for edge in self.median)}mm")
        elif self.median > 1:
            parts.append(f"median{self.median}")
        parts += [f"erosion{self.erosion}"] if self.erosion else []
        parts += [f"min{self.min_component_ml:g}ml"] if self.min_component_ml else []
        return "-".join(parts) or "raw"

    def median_mm(self, spacing: Sequence[float] | None) -> tuple[float, ...] | None:
        """Return the edges of the median filter, mm: those asked for, or those of its voxels on a grid of this spacing.

        None where the filter is given in voxels, and there is no spacing.
        """
        if isinstance(self.median, tuple):
            return self.median
        return tuple(self.median * float(edge) for edge in spacing) if spacing else None

    def window(self, spacing: Sequence[float]) -> tuple[int, int, int]:
        """Return the edges of the median filter's window, voxels, on a grid of this spacing (mm).

        The odd number nearest to the edge in mm; of two that are as near, the smaller one, which spares small lesions.
        """
        if isinstance(self.median, int):
            return self.median, self.median, self.median
        x, y, z = (
            1 + 2 * max(0, math.ceil((edge / float(voxel)) / 2 - 1 - 1e-9))
            for edge, voxel in zip(self.median, spacing, strict=True)
        )
        return x, y, z

    def apply(
        self, scores: NDArray[Any], brain: NDArray[np.bool_], spacing: Sequence[float]
    ) -> NDArray[np.float32]:
        """Filter one subject's anomaly map.

        Parameters
        ----------
        scores : array (X, Y, Z)
            Anomaly map, read as float32.
        brain : bool (X, Y, Z)
            Brain mask.
        spacing : (3,)
            Edges of a voxel, mm.

        Returns
        -------
        float32 (X, Y, Z)
            0 outside the brain; a new array.

        Raises
        ------
        NonFiniteScores
            For NaN or infinities.
        ValueError
            For arrays of different shapes.
        """
        scores, brain = as_scores(scores), np.asarray(brain, dtype=bool)
        same_shape(scores=scores, brain=brain)
        scores = np.where(brain, scores, np.float32(0))
        window = self.window(spacing)
        if max(window) > 1:
            scores = median_filter(scores, window, where=brain)
        if self.erosion:
            inner = erode(brain, self.erosion)
            lowest = min(float(scores[brain].min(initial=0)), 0.0)
            scores[brain & ~inner] = lowest
        return scores

    def clean(self, detection: NDArray[np.bool_], voxel_ml: float) -> NDArray[np.bool_]:
        """Remove the 26-connected components of a detection that are smaller than ``min_component_ml``.

        Parameters
        ----------
        detection : bool (X, Y, Z)
            What is above a threshold.
        voxel_ml : float
            Volume of a voxel, ml.
        """
        detection = np.asarray(detection, dtype=bool)
        if not self.min_component_ml or not detection.any():
            return detection
        labels, _ = components(detection)
        kept = np.bincount(labels.ravel()) * voxel_ml * (1 + 1e-9) >= self.min_component_ml
        kept[0] = False
        return kept[labels]
