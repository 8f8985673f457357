"""The post-processing chain, the same for every method of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from andi_bench.geometry import erode
from andi_bench.metrics.histograms.scores import as_scores, same_shape
from andi_bench.metrics.lesionwise import components
from andi_bench.metrics.median import median_filter


class PostProcessing(BaseModel):
    """One chain. Maps are filtered before a threshold, detections are cleaned after it.

    A median filter is 3-D, in voxels, over the whole grid (the background's zeros included), as published. Erosion
    takes voxels off the brain mask; what is taken off gets the lowest score, and still counts in the metrics.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    median: int = Field(1, ge=1, le=15, description="edge of the 3-D median filter, voxels, odd")
    erosion: int = Field(0, ge=0, le=10, description="voxels taken off the brain mask")
    min_component_ml: float = Field(0.0, ge=0, description="smaller detections are removed")

    @field_validator("median")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("an odd number wanted: an even median shifts the map by half a voxel")
        return value

    @property
    def name(self) -> str:
        """The chain's name in tables and files: ``raw``, ``median5``, ``median5-erosion2-min0.1ml``."""
        parts = [f"median{self.median}"] if self.median > 1 else []
        parts += [f"erosion{self.erosion}"] if self.erosion else []
        parts += [f"min{self.min_component_ml:g}ml"] if self.min_component_ml else []
        return "-".join(parts) or "raw"

    def median_mm(self, spacing: Sequence[float]) -> tuple[float, ...]:
        """Return the edges of the median filter's window, mm, on a grid of this spacing."""
        return tuple(self.median * float(edge) for edge in spacing)

    def apply(self, scores: NDArray[Any], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Filter one subject's anomaly map.

        Parameters
        ----------
        scores : array (X, Y, Z)
            Anomaly map, read as float32.
        brain : bool (X, Y, Z)
            Brain mask.

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
        if self.median > 1:
            scores = median_filter(scores, self.median, where=brain)
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
