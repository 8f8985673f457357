"""What every kind of lesion is painted with: intensities, borders, distances.

A lesion changes the intensities of the voxels that its mask marks and of no other. Near its border it is
blended with the healthy tissue on the inside, as partial volume does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.contrasts import Images
from datasets.phantom.noise import Axes, smooth_noise
from datasets.phantom.template import DISTANCE_STEP

_MOTTLED = {"flair": 0.15, "t1": 0.08, "t1ce": 0.11, "t2": 0.18}
"""Standard deviation of a lesion's own texture, relative to its intensity."""


@dataclass(frozen=True)
class Look:
    """Intensities of a kind of lesion tissue, relative to healthy white matter, by modality."""

    flair: float
    t1: float
    t1ce: float
    t2: float

    def of(self, modality: str) -> float:
        """Return the intensity in a modality."""
        return float(getattr(self, modality))


def bounded(
    generator: np.random.Generator, mean: float, spread: float, least: float, most: float
) -> float:
    """Draw from a normal distribution, cut at its two ends."""
    return float(np.clip(generator.normal(mean, spread), least, most))


def levels(millimetres: float) -> int:
    """Return a distance in the grey levels of the template's distance maps."""
    return round(millimetres / DISTANCE_STEP)


def ellipsoid(generator: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """Draw a linear map that makes an ellipsoid of any direction a sphere of its volume, (3, 3)."""
    stretch = np.exp(generator.normal(0, spread, 3))
    rotation, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    out: NDArray[np.float64] = (rotation * (stretch / np.prod(stretch) ** (1 / 3))) @ rotation.T
    return out


def around(axes: Axes, centre: NDArray[np.float64], reach: float) -> tuple[slice, slice, slice]:
    """Return the part of a grid that lies within ``reach`` mm of a place, at least a voxel."""
    parts = []
    for axis, at in zip(axes, centre, strict=True):
        inside = np.flatnonzero(np.abs(axis - at) <= max(reach, abs(axis[1] - axis[0])))
        parts.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return parts[0], parts[1], parts[2]


def distance_from(
    axes: Axes, centre: NDArray[np.float64], linear: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return each voxel's distance from a place after a linear map, mm, float32 (X, Y, Z)."""
    x, y, z = np.ix_(
        *((axis - at).astype(np.float32) for axis, at in zip(axes, centre, strict=True))
    )
    total = np.zeros((x.size, y.size, z.size), dtype=np.float32)
    for row in linear.astype(np.float32):
        total += (row[0] * x + row[1] * y + row[2] * z) ** 2
    return np.sqrt(total)


def ramp(depth: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Return the share of lesion at a depth, mm, below its border; it is whole at ``width``."""
    # Even the outermost voxel of a lesion is a third lesion: a mask marks nothing that is healthy.
    return np.clip(np.float32(1 / 3) + depth / np.float32(1.5 * width), 0, 1)


def paint(
    images: Images,
    labels: NDArray[np.uint8],
    weight: NDArray[np.float32],
    looks: dict[int, Look],
    anatomy: Anatomy,
    generator: np.random.Generator,
) -> None:
    """Blend lesion tissue into healthy images, in place, where ``labels`` is not 0.

    Parameters
    ----------
    images : dict of float32 (X, Y, Z)
        By modality, relative to white matter.
    labels : uint8 (X, Y, Z)
        Which look each voxel takes.
    weight : float32 (X, Y, Z)
        Share of lesion.
    looks : dict of Look
        By label.
    anatomy : Anatomy
        Gives the grid.
    generator : numpy Generator
        Stream of the lesion's own texture.
    """
    inside = labels > 0
    lookup = np.zeros(256, dtype=np.float32)
    share = weight[inside]
    axes = anatomy.pose.grid.axes
    shared = smooth_noise(generator, 11.0, axes)[inside]
    for modality, image in images.items():
        own = smooth_noise(generator, 4.5, axes)[inside]
        for label, look in looks.items():
            lookup[label] = look.of(modality)
        # dark on T1 is bright on FLAIR and T2: more or less water
        side = np.float32(-1 if modality in ("t1", "t1ce") else 1)
        mottled = np.float32(0.8) * side * shared + np.float32(0.6) * own
        target = lookup[labels[inside]] * (1 + np.float32(_MOTTLED[modality]) * mottled)
        image[inside] += share * (np.maximum(target, np.float32(0.1)) - image[inside])
