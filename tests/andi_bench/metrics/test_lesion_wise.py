"""Lesion-wise counts against a matcher that walks from voxel to voxel and tries every assignment."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from andi_bench.metrics.lesionwise import (
    STRATA,
    components,
    false_positive_ml,
    lesion_wise,
    most_matches,
)
from andi_bench.metrics.overlap import overlap

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


def most(pairs: dict[int, list[int]]) -> int:
    """Most matches, by trying every way of giving each lesion one of its detections, or none."""

    def tried(left: tuple[int, ...], taken: frozenset[int]) -> int:
        if not left:
            return 0
        ways = [tried(left[1:], taken)]
        ways += [1 + tried(left[1:], taken | {d}) for d in pairs[left[0]] if d not in taken]
        return max(ways)

    return tried(tuple(pairs), frozenset())


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
    hit = [len(one & detected) / len(one) >= 0.1 for one in lesions]
    near = {
        i: [j for j, d in enumerate(detections) if len(one & d) / len(one | d) > 0.1]
        for i, one in enumerate(lesions)
    }
    matches = most({i: found for i, found in near.items() if found})

    found = lesion_wise(detection, lesion, voxel_ml)
    assert (found.lesions, found.found) == (len(lesions), sum(hit))
    assert (found.detections, found.matches) == (len(detections), matches)
    above = np.nextafter(10, 11)  # exactly 10 ml still is no lesion of more than 10 ml
    limits = [(0, 0.1), (0.1, 1), (1, above), (above, np.inf)]
    for name, (low, high) in zip(STRATA, limits, strict=True):
        members = [index for index, one in enumerate(lesions) if low <= len(one) * voxel_ml < high]
        stratum = found.strata[name]
        assert stratum.lesions == len(members)
        assert stratum.found == sum(hit[index] for index in members)
    if lesions and detections:
        assert found.sensitivity == pytest.approx(sum(hit) / len(lesions))
        assert found.precision == pytest.approx(matches / len(detections))
        false_positives, missed = len(detections) - matches, len(lesions) - matches
        assert found.f1 == pytest.approx(2 * matches / (2 * matches + false_positives + missed))


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
@settings(max_examples=300, deadline=None)
def test_as_many_as_possible_match(pairs: set[tuple[int, int]]) -> None:
    listed = sorted(pairs)
    found = most_matches(
        np.array([a for a, _ in listed], int), np.array([b for _, b in listed], int)
    )
    assert found == most({a: [y for x, y in listed if x == a] for a, _ in listed})


@pytest.mark.parametrize("seed", range(5))
def test_one_to_one_matches_are_those_of_panoptica(seed: int) -> None:
    panoptica = pytest.importorskip("panoptica", reason="panoptica is not installed")
    rng = np.random.default_rng(seed)
    lesion, detection = rng.random((12, 12, 12)) < 0.03, rng.random((12, 12, 12)) < 0.03
    detection |= lesion & (rng.random((12, 12, 12)) < 0.7)
    evaluator = panoptica.Panoptica_Evaluator(
        expected_input=panoptica.InputType.UNMATCHED_INSTANCE,
        instance_matcher=panoptica.NaiveThresholdMatching(matching_threshold=0.1),
    )
    labels = [components(mask)[0].astype(np.uint8) for mask in (detection, lesion)]
    wanted = evaluator.evaluate(*labels)["ungrouped"].tp
    # it gives each lesion the best detection that is left: never more matches, and at least half of the most
    assert wanted <= lesion_wise(detection, lesion, 0.001).matches <= 2 * wanted


def test_the_whole_brain_detected_finds_every_lesion_and_tells_none_apart() -> None:
    lesion = np.zeros((20, 20, 20), bool)
    lesion[2:4, 2:4, 2:4] = lesion[10:13, 10:13, 10:13] = True
    found = lesion_wise(np.ones_like(lesion), lesion, 0.001)
    assert found.sensitivity == 1
    assert (found.matches, found.f1, found.precision) == (0, 0, 0)


def test_a_dice_next_to_nothing_has_a_lesion_f1_next_to_nothing() -> None:
    """What touches counted once: F1 was .976 at a Dice of .005."""
    lesion = np.zeros((40, 40, 40), bool)
    lesion[::8, ::8, ::8] = True
    detection = np.zeros_like(lesion)
    for x, y, z in np.argwhere(lesion):
        detection[x : x + 7, y : y + 7, z : z + 7] = True
    assert 0.005 < overlap(detection, lesion).dice < 0.01
    found = lesion_wise(detection, lesion, 0.001)
    assert found.sensitivity == 1
    assert found.detections == found.lesions == 125
    assert found.f1 == 0


def test_a_tenth_of_the_union_is_no_match_and_more_is_one() -> None:
    lesion, detection = np.zeros((1, 1, 30), bool), np.zeros((1, 1, 30), bool)
    lesion[..., :10] = detection[..., 8:18] = True  # 2 of 18
    assert lesion_wise(detection, lesion, 0.001).matches == 1
    lesion[..., :] = detection[..., :] = False
    lesion[..., :10] = detection[..., 9:10] = True  # 1 of 10
    assert lesion_wise(detection, lesion, 0.001).matches == 0


def test_the_assignment_is_not_greedy() -> None:
    # detection 0 fits both lesions, detection 1 the first alone
    assert most_matches(np.array([0, 0, 1]), np.array([0, 1, 0])) == 2


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


def test_one_detection_over_two_lesions_finds_both_and_matches_one_at_most() -> None:
    lesion = np.zeros((3, 3, 9), bool)
    lesion[1, 1, :4] = lesion[1, 1, 5:] = True
    detection = np.zeros_like(lesion)
    detection[1, 1] = True
    found = lesion_wise(detection, lesion, 0.001)
    assert (found.found, found.detections, found.matches) == (2, 1, 1)
    assert found.f1 == pytest.approx(2 / 3)


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
    assert (found.sensitivity, found.f1, found.precision) == (None, None, None)
    assert (found.detections, found.matches) == (2, 0)
    assert false_positive_ml(alarm, empty, 0.02) == pytest.approx(0.06)
    nothing = lesion_wise(empty, empty, 0.02)
    assert (nothing.sensitivity, nothing.precision, nothing.f1) == (None, None, None)
    missed = lesion_wise(empty, alarm, 0.02)
    assert (missed.sensitivity, missed.precision, missed.f1) == (0.0, None, 0.0)
    assert false_positive_ml(alarm, alarm, 0.02) == 0
