"""Distances in millimetres between the surfaces of a detection and of the lesion mask.

The surface of a mask is its voxels with at least one of their six face neighbours outside the mask or outside
the grid. For every surface voxel of one mask the distance to the nearest surface voxel of the other is taken, between
voxel centres. Definitions as in medpy 0.5 (``hd95``, ``assd``). The normalised surface distance (NSD; Nikolov et al. 2021) is the
share of the surface voxels of both masks whose distance is within a tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.case import Case
from andi_bench.metrics.histograms.scores import same_shape

TOLERANCES_MM = (1.0, 2.0)
"""Distances, mm, that the normalised surface distance forgives."""


@dataclass(frozen=True)
class SurfaceDistances:
    """Surface distances, mm.

    Parameters
    ----------
    hd95 : float
        95th percentile (linear interpolation) of the distances of both directions together, >= 0.
    assd : float
        Average symmetric surface distance: mean of the distances of both directions together, >= 0.
    within : dict of float to float
        Share of the distances of both directions together, in [0, 1], by each of :data:`TOLERANCES_MM` that they do not exceed.
    """

    hd95: float
    assd: float
    within: dict[float, float]


def surface_distances(
    detection: NDArray[Any], lesion: NDArray[Any], spacing: Sequence[float]
) -> SurfaceDistances | None:
    """Measure the distances between the surfaces of two masks.

    Parameters
    ----------
    detection, lesion : bool (X, Y, Z)
        Masks.
    spacing : (float, float, float)
        Edge lengths of a voxel, mm, > 0.

    Returns
    -------
    SurfaceDistances or None
        None when either mask is empty.

    Raises
    ------
    ValueError
        For arrays of different shapes, or a spacing that is not three numbers > 0.
    """
    from scipy.spatial import cKDTree

    detection, lesion = np.asarray(detection, dtype=bool), np.asarray(lesion, dtype=bool)
    same_shape(detection=detection, lesion=lesion)
    edges = np.asarray(spacing, dtype=np.float64)
    if edges.shape != (detection.ndim,) or not (edges > 0).all() or not np.isfinite(edges).all():
        raise ValueError(f"spacing {spacing}: {detection.ndim} lengths > 0, mm, wanted")
    a, b = _surface(detection), _surface(lesion)
    if not len(a) or not len(b):
        return None
    # Voxels on both surfaces are at distance 0: looking them up in the tree would be for nothing.
    shared = np.isin(a, b, assume_unique=True)
    shared_of_b = np.isin(b, a, assume_unique=True)
    place_a = np.stack(np.unravel_index(a, detection.shape), axis=1) * edges
    place_b = np.stack(np.unravel_index(b, detection.shape), axis=1) * edges
    to_b, to_a = np.zeros(len(a)), np.zeros(len(b))
    to_b[~shared] = cKDTree(place_b).query(place_a[~shared])[0]
    to_a[~shared_of_b] = cKDTree(place_a).query(place_b[~shared_of_b])[0]
    distances = np.concatenate([to_b, to_a])
    # a distance of just the tolerance is within it, whatever the rounding of the spacing
    within = {limit: float((distances <= limit * (1 + 1e-9)).mean()) for limit in TOLERANCES_MM}
    return SurfaceDistances(float(np.percentile(distances, 95)), float(distances.mean()), within)


def hd95(case: Case) -> float | None:
    """Return the 95th percentile of the surface distances, mm, >= 0; None where a mask is empty."""
    found = case.shared(_distances)
    return found.hd95 if found else None


def hd95_penalised(case: Case) -> float | None:
    """Return :func:`hd95`, or the diagonal of the image, mm, where nothing is detected; None without a lesion."""
    if not case.lesion.any():
        return None
    found = case.shared(_distances)
    return (
        found.hd95 if found else float(np.linalg.norm(np.multiply(case.lesion.shape, case.spacing)))
    )


def nsd(case: Case, tolerance: float) -> float | None:
    """Return the normalised surface distance at one of :data:`TOLERANCES_MM`, in [0, 1]; 0 where nothing is detected; None without a lesion."""
    if not case.lesion.any():
        return None
    found = case.shared(_distances)
    return found.within[tolerance] if found else 0.0


def assd(case: Case) -> float | None:
    """Return the average symmetric surface distance, mm, >= 0; None where a mask is empty."""
    found = case.shared(_distances)
    return found.assd if found else None


def _distances(case: Case) -> SurfaceDistances | None:
    return surface_distances(case.detection, case.lesion, case.spacing)


def _surface(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the flat indices of a mask's surface voxels, ascending."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        here, there = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
        here[[0, -1]] = False
    return np.flatnonzero(mask & ~inner)
