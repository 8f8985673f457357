"""Shifts-MS as it is unpacked, with brains drawn from the ICBM template, moved by known affine transforms."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np

from datasets.prepare.register.registration_template import RegistrationTemplate
from support.known_affines import affine_about, moved

GRID = np.diag([-4.0, 4.0, 4.0, 1.0])
SHAPE = (56, 64, 52)
NAMES = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1CE", "t2": "T2", "pd": "PD", "gt": "gt"}
# Intensity of each modality for a template intensity v in 0 .. 1.
CONTRASTS = {
    "t1": lambda v: 700 * v**1.3,
    "t1ce": lambda v: 800 * v**1.2,
    "flair": lambda v: 300 * (1.25 - v) * v**0.3,
    "t2": lambda v: 500 * (1.3 - v) * v**0.2,
    "pd": lambda v: 400 * (1.1 - 0.5 * v),
}
SUBJECTS = {
    ("best", "train", "1"): ((4, -8, 12), (10, -6, 8), (0.9, 0.95, 0.92)),
    ("ljubljana", "dev_in", "7"): ((-9, 3, -6), (-20, 5, 0), (0.88, 0.9, 0.95)),
    ("msseg", "eval_in", "2"): ((0, 12, 5), (3, 12, -9), (0.95, 0.93, 0.9)),
}
"""Set, split, number: rotation in degrees, shift in mm, size, from the template to the scan."""


def coarse_template(icbm: RegistrationTemplate, folder: Path) -> Path:
    """The template with voxels of 4 mm, as a file: registration to it takes a fraction of a second."""
    x, y, z = (n // 4 for n in icbm.values.shape)
    values = icbm.values[: 4 * x, : 4 * y, : 4 * z].reshape(x, 4, y, 4, z, 4).mean(axis=(1, 3, 5))
    affine = icbm.affine @ np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] += icbm.affine[:3, :3] @ (1.5, 1.5, 1.5)
    path = folder / "T1_brain.nii"
    nib.save(nib.Nifti1Image(values[..., None], affine), path)
    return path


def grid_of(number: str) -> np.ndarray:
    """Voxel to world of a subject's scan; each has its own."""
    affine = GRID.copy()
    affine[:3, 3] = (100 + int(number), -120, -90)
    return affine


def truth_of(key: tuple[str, str, str], icbm: RegistrationTemplate) -> np.ndarray:
    """The true transform from a subject's world to the template's, (4, 4), mm."""
    degrees, shift, size = SUBJECTS[key]
    affine = grid_of(key[2])
    middle = icbm.affine[:3, :3] @ np.argwhere(icbm.brain).mean(axis=0) + icbm.affine[:3, 3]
    back = affine_about(middle, degrees, linear=np.diag(size))
    centre = affine[:3, :3] @ (np.array(SHAPE) - 1) / 2 + affine[:3, 3]
    back[:3, 3] += centre + np.array(shift) / 2 - middle
    return np.linalg.inv(back)


def write_raw(
    root: Path, icbm: RegistrationTemplate, subjects: tuple[tuple[str, str, str], ...] = ()
) -> Path:
    """Write subjects in the published layout, with a bright ball as lesion, and what is to be passed over."""
    for key in subjects or tuple(SUBJECTS):
        collection, split, number = key
        affine = grid_of(number)
        brain = moved(icbm, truth_of(key, icbm), affine, SHAPE)
        inside = np.argwhere(brain > 0.7)
        centre = inside[len(inside) // 2]
        places = np.moveaxis(np.indices(SHAPE), 0, -1)
        ball = (((places - centre) ** 2).sum(axis=-1) <= 9) & (brain > 0)
        for kind, contrast in CONTRASTS.items():
            image = np.where(brain > 0.05, contrast(np.clip(brain, 0, 1)), 0)
            if kind in ("flair", "t2", "pd"):
                image = np.where(ball, 1.6 * image.max(), image)
            save_raw(root, key, kind, image.astype(np.float32), affine)
        save_raw(root, key, "gt", ball.astype(np.uint8), affine)
        foreground = (brain > 0).astype(np.uint8)
        path = root / collection / split / "fg_mask" / f"{number}_isovox_fg_mask.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(foreground, affine), path)
    some = subjects[0] if subjects else next(iter(SUBJECTS))
    for folder in ("gt_indiv", "indiv_masks"):
        path = root / some[0] / some[1] / folder / f"{some[2]}_gt_isovox.nii.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not to be read")
    path = root / some[0] / "unsupervised" / "t1" / "9_T1_isovox.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not to be read")
    return root


def raw_path(root: Path, key: tuple[str, str, str], kind: str) -> Path:
    """Return where a subject's file lies in the published layout."""
    collection, split, number = key
    return root / collection / split / kind / f"{number}_{NAMES[kind]}_isovox.nii.gz"


def save_raw(
    root: Path, key: tuple[str, str, str], kind: str, values: np.ndarray, affine: np.ndarray
) -> Path:
    """Write one file in the published layout."""
    path = raw_path(root, key, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder, hidden ones and logs of runs apart; of a link, its target."""
    out = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            out[name] = str(path.readlink())
        elif path.is_file() and not path.name.startswith(".lock"):
            out[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out
