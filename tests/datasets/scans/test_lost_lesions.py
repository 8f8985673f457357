"""Lesions that resizing loses, against the resized mask itself."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from datasets.scans.grid import mask_to_working, plan
from datasets.scans.lost_lesions import lesion_loss

AFFINES = {
    "LPS": np.diag([-1.0, -1.0, 2.0, 1.0]),
    "RAS": np.diag([1.0, 1.0, 2.0, 1.0]),
    "permuted": np.array([[0, 0, 2.0, 5], [1.0, 0, 0, -3], [0, -1.0, 0, 40], [0, 0, 0, 1]]),
}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(8, 40), affine=st.sampled_from(list(AFFINES)))
def test_a_lesion_is_lost_just_when_none_of_its_voxels_is_in_the_resized_mask(seed, size, affine):
    rng = np.random.default_rng(seed)
    shape = (30, 26, 9)
    mask = rng.random(shape) < 0.03
    native, _ = plan(shape, AFFINES[affine], size)
    labels, total = ndimage.label(mask, np.ones((3, 3, 3)))
    found = lesion_loss(mask, native, size)
    lost = []
    for label in range(1, total + 1):
        if not mask_to_working(labels == label, native, size).any():
            middle = np.argwhere(labels == label).mean(axis=0)
            centre = AFFINES[affine] @ [*middle, 1]
            lost.append((float((labels == label).sum() * 2 / 1000), *centre[:3].tolist()))
    assert found.total == total
    rows = sorted((round(ml, 9), *np.round(centre, 6)) for ml, centre in found.lost)
    assert len(rows) == len(lost)
    wanted = sorted((round(ml, 9), *np.round(centre, 6)) for ml, *centre in lost)
    np.testing.assert_allclose(np.reshape(rows, (-1, 4)), np.reshape(wanted, (-1, 4)))


def test_a_grid_as_fine_as_the_scan_loses_nothing():
    mask = np.random.default_rng(0).random((30, 30, 5)) < 0.1
    native, _ = plan(mask.shape, AFFINES["LPS"], 30)
    assert lesion_loss(mask, native, 30).lost == ()
    assert lesion_loss(np.zeros_like(mask), native, 12).total == 0
