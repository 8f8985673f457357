"""Lesion-wise counts against a matcher that walks from voxel to voxel."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from andi_bench.metrics.lesionwise import STRATA, false_positive_ml, lesion_wise

Voxel = tuple[int, ...]
STEPS = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]


def walk(mask: np.ndarray) -> list[set[Voxel]]:
    """Components by flood fill over all 26 neighbours."""
    left = {tuple(int(i) for i in voxel) for voxel in np.argwhere(mask)}
    found = []
    while left:
        component, front = set(), [left.pop()]
        while front:
            voxel = front.pop()
            component.add(voxel)
            for step in STEPS:
                near = tuple(a + b for a, b in zip(voxel, step, strict=True))
                if near in left:
                    left.remove(near)
                    front.append(near)
        found.append(component)
    return found


@given(
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7).flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.uint8, shape, elements=st.integers(0, 6)),
            hnp.arrays(np.uint8, shape, elements=st.integers(0, 6)),
        )
    ),
    st.sampled_from([0.004, 0.03, 0.5, 4.0]),
)
@example((np.array([[[1, 1, 1]]], np.uint8), np.array([[[1, 0, 1]]], np.uint8)), 0.004)
@example(
    (np.array([[[0]], [[1]], [[0]]], np.uint8), np.array([[[0]], [[0]], [[1]]], np.uint8)), 4.0
)
@settings(max_examples=200, deadline=None)
def test_lesions_are_matched_as_by_a_walk_from_voxel_to_voxel(
    noise: tuple[np.ndarray, np.ndarray], voxel_ml: float
) -> None:
    detection, lesion = noise[0] == 0, noise[1] == 0
    lesions, detections = walk(lesion), walk(detection)
    detected = set().union(*detections)
    diseased = set().union(*lesions)
    hit = [len(one & detected) / len(one) >= 0.1 for one in lesions]
    alarms = sum(not one & diseased for one in detections)

    found = lesion_wise(detection, lesion, voxel_ml)
    assert (found.lesions, found.found) == (len(lesions), sum(hit))
    assert (found.detections, found.false_positives) == (len(detections), alarms)
    above = np.nextafter(10, 11)  # exactly 10 ml still is no lesion of more than 10 ml
    limits = [(0, 0.1), (0.1, 1), (1, above), (above, np.inf)]
    for name, (low, high) in zip(STRATA, limits, strict=True):
        members = [index for index, one in enumerate(lesions) if low <= len(one) * voxel_ml < high]
        stratum = found.strata[name]
        assert stratum.lesions == len(members)
        assert stratum.found == sum(hit[index] for index in members)
    if lesions and detections:
        sensitivity, precision = sum(hit) / len(lesions), 1 - alarms / len(detections)
        assert found.sensitivity == pytest.approx(sensitivity)
        assert found.precision == pytest.approx(precision)
        if sensitivity + precision:
            harmonic = 2 * sensitivity * precision / (sensitivity + precision)
            assert found.f1 == pytest.approx(harmonic)


def test_a_lesion_is_found_from_a_tenth_of_its_voxels_on() -> None:
    lesion = np.zeros((3, 3, 30), bool)
    lesion[1, 1, :20] = True
    detection = np.zeros_like(lesion)
    detection[1, 1, 0] = True
    assert lesion_wise(detection, lesion, 0.001).found == 0
    detection[1, 1, 19] = True
    assert lesion_wise(detection, lesion, 0.001).found == 1


def test_voxels_that_touch_by_a_corner_are_one_lesion() -> None:
    lesion = np.zeros((3, 3, 3), bool)
    lesion[0, 0, 0] = lesion[1, 1, 1] = True
    assert lesion_wise(lesion, lesion, 0.001).lesions == 1


def test_one_detection_over_two_lesions_finds_both_and_is_one_detection() -> None:
    lesion = np.zeros((3, 3, 9), bool)
    lesion[1, 1, [0, 8]] = True
    detection = np.zeros_like(lesion)
    detection[1, 1] = True
    found = lesion_wise(detection, lesion, 0.001)
    assert (found.found, found.detections, found.false_positives) == (2, 1, 0)
    assert found.f1 == 1


@pytest.mark.parametrize(
    ("voxels", "name"),
    [(1, "0.1-1 ml"), (9, "0.1-1 ml"), (10, "1-10 ml"), (100, "1-10 ml"), (101, ">10 ml")],
)
def test_a_lesion_on_a_limit_is_where_the_strata_names_say(voxels: int, name: str) -> None:
    lesion = np.zeros((5, 5, 5), bool)
    lesion.flat[:voxels] = True
    for voxel_ml in (0.1, 0.1 * (1 + 1e-15), 0.1 * (1 - 1e-15)):
        assert lesion_wise(lesion, lesion, voxel_ml).strata[name].lesions == 1


def test_a_lesion_of_just_a_tenth_of_a_millilitre_is_in_the_second_stratum() -> None:
    lesion = np.zeros((10, 10, 10), bool)
    lesion[0, :, :] = (
        True  # 100 voxels of 1 mm^3; 0.001 * 100 is below 0.1 in floating point or not
    )
    found = lesion_wise(lesion, lesion, 0.001)
    assert found.strata["0.1-1 ml"].lesions == 1


def test_lesion_free_subjects_have_undefined_rates_but_counted_alarms() -> None:
    empty = np.zeros((5, 5, 5), bool)
    alarm = empty.copy()
    alarm[1, 1, 1] = alarm[4, 4, 3:] = True
    found = lesion_wise(alarm, empty, 0.02)
    assert (found.sensitivity, found.f1, found.precision) == (None, None, 0.0)
    assert found.false_positives == 2
    assert false_positive_ml(alarm, empty, 0.02) == pytest.approx(0.06)
    nothing = lesion_wise(empty, empty, 0.02)
    assert (nothing.sensitivity, nothing.precision, nothing.f1) == (None, None, None)
    missed = lesion_wise(empty, alarm, 0.02)
    assert (missed.sensitivity, missed.precision, missed.f1) == (0.0, None, 0.0)
    assert false_positive_ml(alarm, alarm, 0.02) == 0
