"""A volume and training slices of noise in a brain's shape: as large as real ones, and nobody's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from datasets.volume import NativeGrid, Volume

DEPTH = 155
"""Slices of a volume, 1 mm each, as BraTS has."""
PLANE = 240.0
"""Edge of the scan's plane, mm, as BraTS has."""
BRAIN = (140.0, 176.0, 131.0)
"""Extents of the brain, mm: left to right, front to back, and in slices that hold brain."""


def synthetic_volume(config: PreprocessingConfig, seed: int = 0) -> Volume:
    """Return a healthy volume on the working grid: Gaussian noise about 0.5 in an ellipsoid, 0 outside.

    Parameters
    ----------
    config : PreprocessingConfig
        Working grid and modalities.
    seed : int
        Of the noise.
    """
    edge = config.field_of_view or PLANE
    voxel = edge / config.size
    centres = [
        (np.arange(count) - (count - 1) / 2) * step
        for count, step in ((config.size, voxel), (config.size, voxel), (DEPTH, 1.0))
    ]
    x, y, z = ((2 * place / extent) ** 2 for place, extent in zip(centres, BRAIN, strict=True))
    brain = x[:, None, None] + y[None, :, None] + z[None, None, :] < 1
    rng = np.random.default_rng(seed)
    image = np.zeros((len(config.modalities), *brain.shape), dtype=np.float32)
    noise = rng.standard_normal((len(image), np.count_nonzero(brain)), dtype=np.float32)
    image[:, brain] = (0.5 + 0.15 * noise).clip(0, 1.6)
    affine = np.diag([-voxel, -voxel, 1.0, 1.0])
    native = NativeGrid(
        (config.size, config.size, DEPTH),
        affine,
        np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]),
        ((0, 0), (0, 0)),
    )
    return Volume(
        subject="synthetic",
        image=image,
        brain=brain,
        lesion=np.zeros(brain.shape, dtype=bool),
        affine=affine,
        native=native,
        modalities=tuple(config.modalities),
    )


def filled_slices(volume: Volume) -> NDArray[np.int64]:
    """Return the numbers of the slices that hold brain, rising."""
    return np.flatnonzero(volume.brain.any(axis=(0, 1)))


def with_slices(volume: Volume, count: int) -> Volume:
    """Return a volume whose brain is in ``count`` of its slices, spread evenly; the others are empty."""
    filled = filled_slices(volume)
    places = ((np.arange(count) + 0.5) * len(filled) / count).astype(np.int64)
    kept = np.zeros(volume.shape[2], dtype=bool)
    kept[filled[places]] = True
    return Volume(
        **{
            **vars(volume),
            "image": np.where(kept, volume.image, np.float32(0)),
            "brain": volume.brain & kept,
        }
    )


class SyntheticStore:
    """Slices of one synthetic volume in memory, read like a :class:`datasets.slices.store.SliceStore`.

    Parameters
    ----------
    volume : Volume
        Where the slices come from.
    count : int
        How many there are; slices come again where the volume has fewer.
    """

    def __init__(self, volume: Volume, count: int) -> None:
        filled = filled_slices(volume)
        numbers = filled[np.arange(count) % len(filled)]
        self._images = np.ascontiguousarray(volume.image[..., numbers].transpose(3, 0, 1, 2))
        channels, height, width = self._images.shape[1:]
        self.shape = (channels, height, width)
        self.subject_ids = [volume.subject]
        self.subjects = np.repeat(np.array(self.subject_ids), count)
        self.z = numbers
        self.depth = np.full(count, volume.shape[2], dtype=np.int64)
        self.dtype = self._images.dtype
        self.fingerprint = "synthetic"

    def __len__(self) -> int:
        return len(self._images)

    def read(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """Return slices by number, float32 (N, C, H, W)."""
        found: NDArray[np.float32] = self._images[np.asarray(indices, dtype=np.int64)]
        return found

    def iter_subjects(self) -> Iterator[tuple[str, int, NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the subject, the depth of its volume, the slices' numbers and the slices."""
        yield self.subject_ids[0], int(self.depth[0]), self.z, self._images
