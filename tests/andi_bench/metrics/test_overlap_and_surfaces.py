"""Overlap against scikit-learn, surface distances against medpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medpy.metric import binary
from sklearn.metrics import f1_score, precision_score, recall_score

from andi_bench.metrics.overlap import overlap
from andi_bench.metrics.surface import surface_distances

pairs = hnp.array_shapes(min_dims=3, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


@given(pairs)
@settings(max_examples=150, deadline=None)
def test_dice_sensitivity_and_precision_equal_sklearns(
    masks: tuple[np.ndarray, np.ndarray],
) -> None:
    detection, lesion = masks
    found = overlap(detection, lesion)
    flat = lesion.ravel(), detection.ravel()
    assert found.dice == pytest.approx(f1_score(*flat, zero_division=1.0))
    if lesion.any():
        assert found.sensitivity == pytest.approx(recall_score(*flat))
    if detection.any():
        assert found.precision == pytest.approx(precision_score(*flat))


def test_empty_masks_follow_the_protocol() -> None:
    empty, full = np.zeros((3, 3, 3), bool), np.ones((3, 3, 3), bool)
    assert overlap(empty, empty).dice == 1
    assert overlap(full, empty).dice == 0
    assert overlap(empty, full).dice == 0
    assert overlap(full, empty).sensitivity is None
    assert overlap(empty, full).precision is None
    assert overlap(empty, full).sensitivity == 0
    for pair in ((empty, empty), (full, empty), (empty, full)):
        assert surface_distances(*pair, (1, 1, 1)) is None


def test_only_voxels_of_the_region_count() -> None:
    lesion = np.array([[[True, True, False, False]]])
    region = np.array([[[True, False, True, False]]])
    found = overlap(np.ones_like(lesion), lesion, region)
    assert (found.true_positives, found.false_positives, found.false_negatives) == (1, 1, 0)


def check_against_medpy(
    detection: np.ndarray, lesion: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    found = surface_distances(detection, lesion, spacing)
    assert found is not None
    hd95 = binary.hd95(detection, lesion, voxelspacing=spacing)
    assd = binary.assd(detection, lesion, voxelspacing=spacing)
    assert found.hd95 == pytest.approx(hd95, rel=1e-6, abs=1e-9)
    assert found.assd == pytest.approx(assd, rel=1e-6, abs=1e-9)


@given(
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=8).flatmap(
        lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
    ),
    st.tuples(*[st.sampled_from([0.5, 1.0, 1.875, 3.0])] * 3),
)
@settings(max_examples=150, deadline=None)
def test_surface_distances_equal_medpys_in_millimetres(
    masks: tuple[np.ndarray, np.ndarray], spacing: tuple[float, float, float]
) -> None:
    if masks[0].any() and masks[1].any():
        check_against_medpy(*masks, spacing)


def test_surface_distances_equal_medpys_for_a_scattered_detection_of_a_lesion() -> None:
    rng = np.random.default_rng(0)
    x, y, z = np.meshgrid(*[np.arange(size) for size in (40, 44, 30)], indexing="ij")
    lesion = (x - 15) ** 2 + (y - 20) ** 2 + (z - 14) ** 2 < 64
    detection = (lesion & (rng.random(lesion.shape) < 0.7)) | (rng.random(lesion.shape) < 0.01)
    check_against_medpy(detection, lesion, (1.875, 1.875, 1.0))


def test_distances_are_millimetres_along_the_axis_they_lie_on() -> None:
    first, second = np.zeros((10, 10, 10), bool), np.zeros((10, 10, 10), bool)
    first[2, 5, 5] = second[7, 5, 5] = True
    found = surface_distances(first, second, (2.0, 1.0, 1.0))
    assert found is not None
    assert (found.hd95, found.assd) == (10.0, 10.0)


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, 1, np.nan)])
def test_a_spacing_that_is_no_length_is_refused(spacing: tuple[float, ...]) -> None:
    mask = np.ones((2, 2, 2), bool)
    with pytest.raises(ValueError, match="lengths > 0"):
        surface_distances(mask, mask, spacing)
