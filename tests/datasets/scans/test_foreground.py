"""Background is what fills the border, whatever its value; foreground is the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from andi_bench.errors import UserError
from datasets.scans.brain import brain_of
from datasets.scans.foreground import relative_to_background
from datasets.scans.nifti import NiftiScan, read_nifti

AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])
SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def head(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of positive tissue on 0, and its brain."""
    shape = (30, 28, 14)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    brain = (grid**2).sum(0) < 0.8
    tissue = 500 + 60 * np.sin(6 * grid[0]) + 25 * np.random.default_rng(seed).normal(size=shape)
    return tissue * brain, brain


def scan(values: np.ndarray) -> NiftiScan:
    return NiftiScan(Path("a.nii.gz"), np.asfortranarray(values), AFFINE)


def z_scored(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    out = np.zeros(image.shape, np.float32)
    out[brain] = (image[brain] - image[brain].mean()) / image[brain].std()
    return out


CHANGES = {
    "z-scored in the brain": z_scored,
    "z-scored over the grid": lambda v, b: ((v - v.mean()) / v.std()).astype(np.float32),
    "scaled to -1 .. 1": lambda v, b: (2 * v / v.max() - 1).astype(np.float32),
    "scaled to -1 .. 1 in the brain": lambda v, b: np.where(
        b, 2 * (v - v[b].min()) / np.ptp(v[b]) - 1, 0
    ).astype(np.float32),
    "background 100": lambda v, b: (v + 100).astype(np.int16),
    "background -1": lambda v, b: np.where(b, v, -1).astype(np.int16),
    "background -1024": lambda v, b: np.where(b, v, -1024).astype(np.int16),
    "background 550, among the tissue": lambda v, b: np.where(b, v, 550).astype(np.float32),
    "dark on bright": lambda v, b: (1000 - v).astype(np.int16),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_brain_is_the_same_whatever_the_background(name: str) -> None:
    image, brain = head()
    found = relative_to_background(scan(CHANGES[name](image, brain)))
    assert np.array_equal(found.values > 0, brain)
    assert np.array_equal(brain_of(AFFINE, found.values), brain)
    assert found.notes
    if name != "dark on bright":
        inside, before = found.values[brain].astype(float), image[brain]
        assert np.corrcoef(inside, before)[0, 1] > 0.9999


def test_scans_as_they_are_come_out_untouched() -> None:
    image, brain = head()
    ringing = image + np.where(brain, 0, np.random.default_rng(1).normal(size=image.shape))
    ringing[[0, -1]] = ringing[:, [0, -1]] = ringing[..., [0, -1]] = 0
    noisy = image + np.abs(np.random.default_rng(2).normal(size=image.shape)) * 9
    for values in (image.astype(np.int16), ringing.astype(np.float32), noisy):
        given = scan(values)
        assert relative_to_background(given) is given


def test_a_background_that_cannot_be_told_is_refused_and_a_brain_mask_wins() -> None:
    image, brain = head()
    noisy = image + np.random.default_rng(2).normal(size=image.shape) * 50 - 250
    given = scan(noisy.astype(np.float32))
    with pytest.raises(
        UserError, match=r"a.nii.gz: its background cannot be told: the border"
    ) as e:
        relative_to_background(given)
    assert "\n" not in str(e.value)
    centred = scan((noisy - 300).astype(np.float32))
    assert np.array_equal(relative_to_background(centred, brain).values > 0, brain)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_scans_and_their_copies_of_other_scales() -> None:
    paths = [
        *sorted(SHARED.glob("brats21/*/*_t2.nii.gz"))[:2],
        *sorted(SHARED.glob("brats_africa/*/*-t1n.nii.gz"))[:2],
        *sorted(SHARED.glob("shifts_ms/**/flair/*.nii.gz"))[:1],
    ]
    assert paths
    for path in paths:
        file = read_nifti(path)
        assert relative_to_background(file) is file
        before = brain_of(file.affine, file.values)
        tissue = file.values > 0
        for name in ("z-scored in the brain", "scaled to -1 .. 1", "background -1024"):
            if "shifts" in str(path) and name != "z-scored in the brain":
                continue  # ringing is no constant
            copy = CHANGES[name](np.asarray(file.values, dtype=np.float32), tissue)
            found = relative_to_background(NiftiScan(path, np.asfortranarray(copy), file.affine))
            after = brain_of(file.affine, found.values)
            both = 2 * np.count_nonzero(before & after) / (before.sum() + after.sum())
            assert both > 0.98, (path.name, name, both)
