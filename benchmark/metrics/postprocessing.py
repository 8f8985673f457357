"""The post-processing chain, the same for every method of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.metrics.lesionwise import components
from benchmark.metrics.scores import as_scores, same_shape

_SLAB_VALUES = 2**20


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


def median_filter(
    scores: NDArray[Any], size: int, where: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """3-D median over a cube, equal to ``scipy.ndimage.median_filter(scores, size)``, several times faster.

    At the border the map is mirrored, edge voxel included (scipy's default mode ``reflect``), as in the published
    evaluation. Windows are gathered and partitioned many at a time, which numpy does with vector instructions;
    windows without any score but 0 are skipped.

    Parameters
    ----------
    scores : array (X, Y, Z)
        Read as float32.
    size : int
        Edge of the cube, voxels, odd; 1 changes nothing.
    where : bool (X, Y, Z), optional
        Voxels to compute; the others are 0. None: all.

    Returns
    -------
    float32 (X, Y, Z)

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For a size that is not odd and positive, or arrays of different shapes.
    """
    scores = as_scores(scores)
    if size < 1 or size % 2 == 0:
        raise ValueError(f"median filter of size {size}: an odd size wanted")
    wanted = np.ones(scores.shape, dtype=bool) if where is None else np.asarray(where, dtype=bool)
    same_shape(scores=scores, where=wanted)
    if size == 1:
        return np.where(wanted, scores, np.float32(0))
    out = np.zeros(scores.shape, dtype=np.float32)
    reach = size // 2
    wanted = wanted & _dilate_cube(scores != 0, reach)
    padded = np.pad(scores, reach, mode="symmetric")
    depth, area = scores.shape[2], size * size
    rows = max(1, _SLAB_VALUES // (area * size * depth))
    for x in np.flatnonzero(wanted.any(axis=(1, 2))):
        for y in range(0, scores.shape[1], rows):
            here = wanted[x, y : y + rows]
            if not here.any():
                continue
            # Layer by layer along z, so that each window is one run of the flattened array.
            slab = padded[x : x + size, y : y + len(here) + size - 1]
            squares = np.lib.stride_tricks.sliding_window_view(slab, (size, size), axis=(0, 1))
            layers = np.ascontiguousarray(squares[0]).reshape(len(here), -1)
            runs = np.lib.stride_tricks.sliding_window_view(layers, area * size, axis=1)
            gathered = runs[:, ::area][here]
            gathered.partition(area * size // 2, axis=1)
            out[x, y : y + rows][here] = gathered[:, area * size // 2]
    return out


def erode(brain: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """Take layers of voxels off a mask (X, Y, Z), by its six face neighbours; outside the grid counts as outside."""
    from scipy import ndimage

    return np.asarray(ndimage.binary_erosion(brain, iterations=voxels)) if voxels else brain


def _dilate_cube(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate by a cube of edge ``2 * reach + 1``. Mirroring adds nothing: a mirrored voxel is nearer in the grid."""
    for axis in range(mask.ndim):
        along = np.moveaxis(mask, axis, 0)
        grown = along.copy()
        for step in range(1, min(reach, along.shape[0] - 1) + 1):
            grown[step:] |= along[:-step]
            grown[:-step] |= along[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask
