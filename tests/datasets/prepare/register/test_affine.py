"""Affine registration finds transforms that are known, and resampling puts every voxel where it belongs."""

import numpy as np
import pytest
from scipy import ndimage
from support.known_affines import affine_about, angle_between, moved, worst_landmark

from andi_bench.errors import UserError
from datasets.prepare.register.affine import register_affine, resample_to
from datasets.prepare.register.registration_template import BRATS_AFFINE, BRATS_SHAPE, read_template

GRIDS = {
    "oblique": affine_about(np.zeros(3), (12, -7, 20), (-95, -90, -105))
    @ np.diag([1.5, 1.5, 1.5, 1]),
    # voxels of three lengths, axes permuted, flipped and sheared
    "sheared": np.array(
        [[0, 0.15, 1.6, -90], [-1.1, 0, 0, 110], [0.1, 1.3, 0, -70], [0, 0, 0, 1.0]]
    ),
}
SHAPES = {"oblique": (150, 155, 140), "sheared": (190, 115, 130)}
CASES = {
    "20 mm and 15 degrees": ("oblique", (0, 15, 0), (20, 0, 0), np.diag([0.95, 1.0, 1.05])),
    "a sheared grid": ("sheared", (9, -3, -15), (-12, 12, 9), np.diag([0.9, 0.97, 0.94])),
}


def middle_of(mask, affine):
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


def contrast_of_another_scanner(values):
    rng = np.random.default_rng(3)
    curved = 900 * values**1.6
    return np.where(values > 0, curved + rng.normal(0, 15, values.shape), 0).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_a_known_affine_transform_is_found_within_a_millimetre_and_a_degree(icbm, case):
    name, degrees, shift, stretch = CASES[case]
    affine, shape = GRIDS[name], SHAPES[name]
    middle = middle_of(icbm.brain, icbm.affine)
    grid_middle = affine[:3, :3] @ (np.array(shape) - 1) / 2 + affine[:3, 3]
    truth = affine_about(middle, degrees, linear=stretch)
    truth[:3, 3] += truth[:3, :3] @ (middle - grid_middle) - np.array(shift)
    scan = contrast_of_another_scanner(moved(icbm, truth, affine, shape))

    found = register_affine(scan, affine, icbm)

    landmarks = np.argwhere(icbm.brain)[::997] @ icbm.affine[:3, :3].T + icbm.affine[:3, 3]
    back = np.linalg.inv(truth)
    in_scan = landmarks @ back[:3, :3].T + back[:3, 3]
    assert worst_landmark(found.to_template, truth, in_scan) < 1.0
    assert angle_between(found.to_template, truth) < 1.0
    assert found.dice_after > 0.97
    assert found.metric_after > found.metric_before


def test_the_same_scan_gives_the_same_transform_to_the_last_bit_whatever_the_threads(coarse):
    import SimpleITK as sitk

    template = read_template(coarse)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    truth = affine_about(middle_of(template.brain, template.affine), (5, 5, 5), (-230, 10, -10))
    scan = moved(template, truth, affine, (60, 64, 45))
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 4):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(register_affine(scan, affine, template))
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert found[0].dice_after > 0.95
    assert np.array_equal(found[0].to_template, found[1].to_template)
    assert found[0].metric_after == found[1].metric_after


def test_the_icbm_brain_lies_on_the_brats_grid_voxel_for_voxel(icbm):
    from nilearn.datasets import load_mni152_template

    assert icbm.values.shape == BRATS_SHAPE
    assert np.array_equal(
        icbm.affine, np.array([[-1, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
    )
    original = load_mni152_template(resolution=1)
    values = np.asarray(original.dataobj, dtype=np.float32)
    assert np.array_equal(np.sort(icbm.values[icbm.values > 0]), np.sort(values[values > 0]))
    # left stays left: MNI x = -30 is on the template's left, world x 30 mm below the middle
    left = np.linalg.inv(original.affine) @ (-30, -20, 10, 1)
    place = np.linalg.inv(BRATS_AFFINE) @ (-30 - 120, -20 + 137, 10 + 72, 1)
    assert icbm.values[tuple(place[:3].astype(int))] == values[tuple(left[:3].astype(int))]


def test_resampling_is_what_scipy_does_with_the_same_matrices():
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.normal(size=(20, 22, 18)), 2).astype(np.float32)
    affine, target = GRIDS["sheared"], GRIDS["oblique"]
    # voxels whose places are no ties, so that nearest means the same to both
    across = target @ np.diag([1.01, 0.97, 1.03, 1]) @ np.linalg.inv(affine)
    matrix = np.linalg.inv(affine) @ np.linalg.inv(across) @ target
    for nearest in (False, True):
        wanted = ndimage.affine_transform(
            values, matrix[:3, :3], matrix[:3, 3], output_shape=(19, 21, 17), order=int(not nearest)
        )
        found = resample_to(values, affine, across, (19, 21, 17), target, nearest=nearest)
        inner = np.s_[1:-2, 1:-2, 1:-2]  # at the border scipy fades out, ITK cuts
        assert np.abs(found[inner] - wanted[inner]).max() < 1e-5
        assert np.abs(wanted[inner]).max() > 0.05


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16])
def test_a_mask_keeps_its_type_and_labels(dtype):
    values = np.zeros((9, 9, 9), dtype=dtype)
    values[3:6, 3:6, 3:6] = 1
    shift = np.eye(4)
    shift[:3, 3] = (2.4, 0, 0)
    found = resample_to(values, np.eye(4), shift, (9, 9, 9), np.eye(4), nearest=True)
    assert found.dtype == dtype
    assert np.array_equal(found[2:], values[:-2])


def test_a_template_file_with_one_volume_too_many_axes_is_taken(icbm, tmp_path, write):
    path = write(
        tmp_path / "T1_brain.nii", icbm.values[::2, ::2, ::2, None], np.diag([-2, -2, 2, 1.0])
    )
    found = read_template(path)
    assert found.values.shape == (120, 120, 78)
    assert found.name == "T1_brain.nii"
    assert found.hash == read_template(path).hash != icbm.hash


@pytest.mark.parametrize("values", [np.zeros((8, 8, 8)), -np.ones((8, 8, 8))])
def test_a_scan_without_a_brain_is_refused(icbm, values):
    with pytest.raises(UserError, match="no voxel above 0"):
        register_affine(values.astype(np.float32), np.eye(4), icbm)
