"""Small scans with known lesions, written in the layout of BraTS21; and options that make a run short."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np

AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])
SHAPE = (40, 36, 14)


def write_subject(root: Path, name: str, seed: int, *, lesion: bool = True) -> Path:
    """Write one subject in the BraTS21 layout: an ellipsoid brain with texture and a bright ball."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.8
    centre = rng.uniform(-0.3, 0.3, size=3)
    ball = (((grid - centre[:, None, None, None]) / [[[[0.25]]], [[[0.25]]], [[[0.3]]]]) ** 2).sum(
        0
    )
    mask = (ball < 1) & brain if lesion else np.zeros(SHAPE, dtype=bool)
    folder = root / name
    folder.mkdir(parents=True)
    for contrast, modality in ((1.8, "flair"), (0.6, "t1"), (1.3, "t1ce"), (1.9, "t2")):
        texture = 500 + 60 * np.sin(6 * grid[0] + seed) + 25 * rng.normal(size=SHAPE)
        image = np.where(mask, texture * contrast, texture) * brain
        save(folder / f"{name}_{modality}.nii.gz", image.astype(np.int16))
    save(folder / f"{name}_seg.nii.gz", 4 * mask.astype(np.uint8))
    return folder


def save(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a NIfTI file."""
    nib.save(nib.Nifti1Image(array, affine), path)


def write_splits(folder: Path, parts: dict[str, list[str]]) -> None:
    """Write scans_{train,val,test}.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, names in parts.items():
        with (folder / f"scans_{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["Subject_ID"])
            rows.writerows([name] for name in names)


PARTS = {
    "train": [f"S{k:02d}" for k in range(4)],
    "val": [f"S{k:02d}" for k in range(4, 6)],
    "test": [f"S{k:02d}" for k in range(6, 9)],
}

SMALL = (
    *("--set", "preprocessing.size=32", "--set", "training.steps=8"),
    *("--set", "training.batch_size=4", "--set", "detector.base_width=8"),
    *("--set", "detector.attention=[16]", "--set", "detector.stride=25"),
    *("--set", "evaluation.bootstraps=50", "--set", "evaluation.median=3"),
    *("--device", "cpu", "--workers", "1"),
)
"""Options that make ANDi a matter of seconds."""
