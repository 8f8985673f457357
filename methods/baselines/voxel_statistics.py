"""Voxel-wise statistics of healthy brains.

Saase et al., Simple statistical methods for unsupervised brain anomaly detection on MRI are competitive to deep
learning methods, arXiv 2011.12735, 2020.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from datasets.volume import Volume
from methods.base import (
    AnomalyDetector,
    DetectorConfig,
    Field,
    FitContext,
    ScoreContext,
    SliceBatch,
    Slices,
    register,
    scoring_field,
)

__all__ = ["VoxelStatistics", "VoxelStatisticsConfig"]

BACKGROUND = 0.05
"""A training slice's voxel is brain where a modality exceeds this; interpolation leaves less outside."""

Box = NDArray[np.float64]
"""(3, 2): first and last position of the brain along x, y and z, as shares of the grid's edges."""


class VoxelStatisticsConfig(DetectorConfig):
    """Hyper-parameters of the voxel-wise statistics."""

    smoothing_mm: float = scoring_field(
        1.5, ge=0, description="standard deviation of the Gaussian that smooths |z|, mm"
    )
    deviation_floor: float = scoring_field(
        0.05, gt=0, description="added in quadrature to the standard deviation, in image units"
    )
    alignment: Literal["auto", "grid", "box"] = scoring_field(
        "auto",
        description="compare voxels at the same place of the grid, or of the brain's bounding box; auto: box "
        "where the two boxes differ by more than box_tolerance",
    )
    box_tolerance: float = scoring_field(
        0.1, ge=0, description="share of the training brains' extent, along the worst axis"
    )
    least_slices: int = Field(
        2,
        ge=1,
        description="slices that a position along z needs; else its nearest neighbour stands in",
    )


@register("voxel-statistics")
class VoxelStatistics(AnomalyDetector):
    """Mean and standard deviation of every voxel over the healthy training slices; the map is |z|, smoothed.

    Training slices are brought together by their position along z, relative to their volume's depth; the grid is that
    of the first training volume. Only healthy slices count, so a position has its own number of them; where there
    are fewer than ``least_slices``, the nearest position that has enough stands in.

    A scored volume of another depth is aligned along z in the same way. Where its brain's bounding box differs
    grossly from the training brains' mean one (another field of view), it is aligned box to box, in three
    dimensions and linearly; orientation and shape of the brain are not aligned.

    Memory is that of two volumes, whatever the number of slices: sums run in float64.
    """

    Config = VoxelStatisticsConfig
    recipe = 1
    draws = ()
    config: Any
    average: torch.Tensor
    deviation: torch.Tensor
    box: torch.Tensor

    def fit(self, slices: Slices, context: FitContext) -> None:
        """Compute the statistics in one pass.

        Learns ``average`` and ``deviation``, float32 (D, C, H, W), and ``box``, float64 (3, 2).
        """
        sums: _Sums | None = None
        for batch in context.progress(slices):
            if sums is None:
                sums = _Sums(int(batch.depth[0]), tuple(batch.images.shape[1:]))
            sums.add(batch)
        if sums is None:
            raise ValueError("no training slice")
        average, deviation = sums.statistics(self.config.least_slices)
        self.average = torch.from_numpy(average)
        self.deviation = torch.from_numpy(deviation)
        self.box = torch.from_numpy(sums.mean_box())

    def score(self, volume: Volume, context: ScoreContext) -> NDArray[np.float32]:
        """Return |z|, or its part above or below 0, smoothed inside the brain and reduced over the modalities, float32 (X, Y, Z)."""
        if not volume.brain.any():
            return np.zeros(volume.shape, dtype=np.float32)
        places = self._places(volume)
        floor = self.config.deviation_floor
        sigma = [self.config.smoothing_mm / edge for edge in volume.spacing]
        weight = ndimage.gaussian_filter(volume.brain.astype(np.float32), sigma)
        scores = np.empty((volume.shape[2], len(volume.image), *volume.shape[:2]), np.float32)
        for c, image in enumerate(volume.image):
            average = _resample(self.average[:, c].cpu().numpy(), places)
            deviation = _resample(self.deviation[:, c].cpu().numpy(), places)
            counted = context.counted(torch.from_numpy(image - average)).numpy()
            z = counted / np.sqrt(deviation**2 + floor**2)
            smoothed = ndimage.gaussian_filter(np.where(volume.brain, z, 0), sigma)
            scores[:, c] = np.moveaxis(smoothed / np.maximum(weight, 1e-6), 2, 0)
        reduced = context.reduce(torch.from_numpy(scores)).numpy()
        return np.where(volume.brain, np.moveaxis(reduced, 0, 2), 0).astype(np.float32)

    def expected(
        self, volume: Volume, slices: NDArray[np.int64], context: ScoreContext
    ) -> NDArray[np.float32]:
        """Return the mean of the healthy brains at the volume's voxels, float32 (C, X, Y, N)."""
        x, y, z = self._places(volume)
        means = [
            _resample(self.average[:, c].cpu().numpy(), [x, y, z[slices]])
            for c in range(len(volume.image))
        ]
        return np.stack(means)

    def _places(self, volume: Volume) -> list[NDArray[np.float64]]:
        """Return where the voxels of each axis lie on the training grid, in its voxels."""
        own, reference = np.array(_spans(volume.brain)), self.box.cpu().numpy()
        depth, _, *plane = self.average.shape
        extent = reference[:, 1] - reference[:, 0]
        differs = np.abs(own - reference).max(axis=1) > self.config.box_tolerance * extent
        use_box = self.config.alignment == "box" or (
            self.config.alignment == "auto" and bool(differs.any())
        )
        places = []
        for axis, edge in enumerate((*plane, depth)):
            share = _centres(volume.shape[axis])
            if use_box:
                start, stop = own[axis]
                share = reference[axis, 0] + (share - start) * extent[axis] / (stop - start)
            places.append(share * edge - 0.5)
        return places


class _Sums:
    """Running mean and sum of squares over the slices, by position along z.

    Parameters
    ----------
    depth : int
        Positions along z.
    shape : (C, H, W)
        Of one slice.
    """

    def __init__(self, depth: int, shape: tuple[int, ...]) -> None:
        self.count = np.zeros(depth, np.int64)
        self.mean = np.zeros((depth, *shape))
        self.squares = np.zeros((depth, *shape))
        self._subject: str | None = None
        self._box = _no_box()
        self._boxes = np.zeros((3, 2))
        self._subjects = 0

    def add(self, batch: SliceBatch) -> None:
        """Take slices, subject by subject."""
        images = batch.images.numpy()
        for image, subject, z, depth in zip(
            images, batch.subjects, batch.z, batch.depth, strict=True
        ):
            place = int((z + 0.5) / depth * len(self.count))
            # Welford: no cancellation, however many slices.
            self.count[place] += 1
            step = image - self.mean[place]
            self.mean[place] += step / self.count[place]
            self.squares[place] += step * (image - self.mean[place])
            self._extend(image, subject, (z / depth, (z + 1) / depth))

    def _extend(
        self, image: NDArray[np.float32], subject: str, along_z: tuple[float, float]
    ) -> None:
        if subject != self._subject:
            self._close_subject()
            self._subject = subject
            self._box = _no_box()
        brain: NDArray[np.bool_] = np.any(image > BACKGROUND, axis=0)
        if not brain.any():
            return
        spans = [*_spans(brain), along_z]
        for axis, (start, stop) in enumerate(spans):
            self._box[axis] = min(self._box[axis, 0], start), max(self._box[axis, 1], stop)

    def _close_subject(self) -> None:
        if self._subject is not None and np.isfinite(self._box).all():
            self._boxes += self._box
            self._subjects += 1

    def mean_box(self) -> Box:
        """Return the mean over the subjects of the brain's bounding box; call once, at the end."""
        self._close_subject()
        if not self._subjects:
            return np.array([[0.0, 1.0]] * 3)
        return self._boxes / self._subjects

    def statistics(self, least: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and standard deviation (divided by n), float32 (D, C, H, W)."""
        enough = np.flatnonzero(self.count >= min(least, self.count.max()))
        nearest = enough[np.abs(np.arange(len(self.count))[:, None] - enough).argmin(axis=1)]
        count = self.count[nearest, None, None, None]
        deviation = np.sqrt(self.squares[nearest] / count)
        return self.mean[nearest].astype(np.float32), deviation.astype(np.float32)


def _centres(count: int) -> NDArray[np.float64]:
    """Centres of ``count`` voxels, as shares of the edge."""
    return (np.arange(count) + 0.5) / count


def _spans(mask: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Where a mask starts and stops along each axis, as shares of its edges."""
    spans = []
    for axis, edge in enumerate(mask.shape):
        others = tuple(k for k in range(mask.ndim) if k != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        spans.append((filled[0] / edge, (filled[-1] + 1) / edge))
    return spans


def _no_box() -> Box:
    return np.array([[np.inf, -np.inf]] * 3)


def _resample(maps: NDArray[np.float32], places: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Interpolate maps (D, H, W) linearly at the places along x, y and z -> (X, Y, Z)."""
    out = np.moveaxis(maps, 0, 2)
    for axis, place in enumerate(places):
        edge = out.shape[axis]
        if len(place) == edge and np.allclose(place, np.arange(edge)):
            continue
        place = np.clip(place, 0, edge - 1)
        low = np.minimum(place.astype(np.int64), max(edge - 2, 0))
        high = np.minimum(low + 1, edge - 1)
        share = (place - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        out = np.take(out, low, axis) * (1 - share) + np.take(out, high, axis) * share
    return out
