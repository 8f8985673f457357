"""Small ellipsoids of texture on disk, named as in BraTS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

BRATS_AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
BRATS_AFFINE[1, 3] = 239.0

Head = Callable[..., np.ndarray]
WriteSubject = Callable[..., Path]


def head(shape: tuple[int, int, int] = (24, 24, 10), seed: int = 0) -> np.ndarray:
    """An ellipsoid of positive texture in a background of exactly 0; float32."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.7
    return np.where(inside, rng.uniform(50, 150, shape), 0).astype(np.float32)


def write(path: Path, values: np.ndarray, affine: np.ndarray = BRATS_AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def write_subject(
    root: Path,
    name: str,
    *,
    seed: int = 0,
    shape: tuple[int, int, int] = (24, 24, 10),
    affine: np.ndarray = BRATS_AFFINE,
    modalities: tuple[str, ...] = ("flair", "t1", "t1ce", "t2"),
    lesion: np.ndarray | str | None = "empty",
    pattern: str = "{name}_{kind}.nii.gz",
) -> Path:
    folder = root / name
    for k, kind in enumerate(modalities):
        write(folder / pattern.format(name=name, kind=kind), head(shape, 10 * seed + k), affine)
    if lesion is not None:
        mask = np.zeros(shape, np.uint8) if isinstance(lesion, str) else lesion
        write(folder / pattern.format(name=name, kind="seg"), mask, affine)
    return folder


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        out = out @ turn
    return out


def affine_of(
    order: tuple[int, ...], signs: tuple[int, ...], edges, angles=(0, 0, 0)
) -> np.ndarray:
    affine = np.eye(4)
    permuted = np.zeros((3, 3))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        permuted[world, axis] = sign * edges[axis]
    affine[:3, :3] = rotation(angles) @ permuted
    affine[:3, 3] = (11.0, -27.0, 5.0)
    return affine
