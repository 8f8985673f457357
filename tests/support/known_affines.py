"""Brains moved by known affine transforms, and how far a found transform is off."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from datasets.prepare.register.registration_template import RegistrationTemplate


def turn(degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotation about x, then y, then z; (3, 3)."""
    out = np.eye(3)
    for axis, angle in enumerate(degrees):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        one = np.eye(3)
        one[a, a] = one[b, b] = math.cos(math.radians(angle))
        one[b, a] = math.sin(math.radians(angle))
        one[a, b] = -one[b, a]
        out = one @ out
    return out


def affine_about(
    middle: np.ndarray,
    degrees: tuple[float, float, float] = (0, 0, 0),
    shift: tuple[float, float, float] = (0, 0, 0),
    linear: np.ndarray | None = None,
) -> np.ndarray:
    """World to world: stretched by ``linear``, turned about ``middle``, then shifted; (4, 4), mm."""
    out = np.eye(4)
    out[:3, :3] = turn(degrees) @ (np.eye(3) if linear is None else linear)
    out[:3, 3] = middle + np.array(shift) - out[:3, :3] @ middle
    return out


def moved(
    template: RegistrationTemplate,
    to_template: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, int, int],
) -> np.ndarray:
    """The template's brain as a scan on a grid, such that ``to_template`` is the true transform; float32."""
    matrix = np.linalg.inv(template.affine) @ to_template @ affine
    return ndimage.affine_transform(
        template.values, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=1
    )


def worst_landmark(found: np.ndarray, wanted: np.ndarray, points: np.ndarray) -> float:
    """Largest distance between where two transforms take points (N, 3), mm."""
    apart = points @ (found - wanted)[:3, :3].T + (found - wanted)[:3, 3]
    return float(np.sqrt((apart**2).sum(axis=1)).max())


def angle_between(found: np.ndarray, wanted: np.ndarray) -> float:
    """Angle of the rotation that is left between two affine transforms, degrees."""
    left, _, right = np.linalg.svd((found @ np.linalg.inv(wanted))[:3, :3])
    cosine = (np.trace(left @ right) - 1) / 2
    return math.degrees(math.acos(min(1.0, cosine)))
