import dataclasses

import numpy as np
import pytest
from skimage.exposure import equalize_hist

from andi_bench.errors import UserError
from datasets.volume import NativeGrid, Volume
from methods.base import ImageSpec
from methods.baselines.thresholding import Thresholding, ThresholdingConfig


def volume(flair: np.ndarray, brain: np.ndarray) -> Volume:
    native = NativeGrid(
        brain.shape, np.eye(4), np.array([[0, 1], [1, 1], [2, 1]]), ((0, 0), (0, 0))
    )
    image = np.stack([np.full_like(flair, 7.0), flair]).astype(np.float32)
    return Volume("s", image, brain, None, np.eye(4), native, modalities=("t1", "flair"))


def scored(flair: np.ndarray, brain: np.ndarray) -> np.ndarray:
    spec = ImageSpec(("t1", "flair"), flair.shape[:2])
    return Thresholding(ThresholdingConfig(), spec).score(volume(flair, brain), None)


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    brain = np.zeros((16, 16, 8), bool)
    brain[3:13, 2:14, 1:7] = True
    flair = np.where(brain, rng.gamma(4, 0.1, brain.shape), 0).astype(np.float32)
    flair[0, 0, 0] = -0.02  # spline interpolation leaves such voxels
    return flair, brain


def test_map_is_the_equalised_flair_image_of_scikit_image_inside_the_brain(scan):
    flair, brain = scan
    wanted = equalize_hist((flair / flair.max())[brain], nbins=256)  # as with mask=brain, which
    found = scored(flair, brain)[brain]  # takes the range of the bins from outside the brain too
    assert found == pytest.approx(wanted, abs=1e-6)


def test_map_is_nearly_the_rank_of_a_voxel_and_zero_outside(scan):
    flair, brain = scan
    found = scored(flair, brain)
    assert (found[~brain] == 0).all()
    rank = np.argsort(np.argsort(flair[brain])) / brain.sum()
    assert np.abs(found[brain] - rank).max() < 0.03
    assert found.dtype == np.float32
    assert found.max() == pytest.approx(1)


def test_a_gain_of_the_scanner_does_not_change_the_map(scan):
    flair, brain = scan
    assert scored(flair * 3.7, brain) == pytest.approx(scored(flair, brain), abs=5e-3)


def test_in_the_published_order_the_voxels_above_0_are_equalised_on_the_scans_own_grid(scan):
    flair, brain = scan
    native = np.repeat(
        np.repeat(300 * flair, 2, axis=0), 2, axis=1
    )  # not normalised, twice as fine
    asked = []

    def before_resizing(modality, change):
        asked.append(modality)
        out = np.zeros(native.shape, np.float32)
        out[native > 0] = change(native[native > 0])
        return out.reshape(16, 2, 16, 2, 8).mean(axis=(1, 3))

    config = ThresholdingConfig(published_order=True)
    detector = Thresholding(config, ImageSpec(("t1", "flair"), flair.shape[:2]))
    whole = dataclasses.replace(volume(flair, brain), before_resizing=before_resizing)
    found = detector.score(whole, None)
    assert asked == ["flair"]
    wanted = equalize_hist((native / native.max())[native > 0], nbins=256)
    at = np.zeros(native.shape)
    at[native > 0] = wanted
    assert found == pytest.approx(at[::2, ::2], abs=1e-6)
    assert found.dtype == np.float32
    with pytest.raises(UserError, match=r"subject s: .*published_order = true"):
        detector.score(volume(flair, brain), None)


def test_constant_and_empty_brains_give_finite_maps(scan):
    flair, brain = scan
    assert np.isfinite(scored(np.where(brain, 0.5, 0), brain)).all()
    assert np.isfinite(scored(np.zeros_like(flair), brain)).all()
    assert (scored(flair, np.zeros_like(brain)) == 0).all()


def test_it_needs_flair_says_so_and_learns_nothing():
    with pytest.raises(UserError, match="flair"):
        Thresholding(ThresholdingConfig(), ImageSpec(("t1",), (16, 16)))
    assert not Thresholding.learns()
