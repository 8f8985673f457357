"""Overlap against scikit-learn, surface distances against medpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medpy.metric import binary
from sklearn.metrics import f1_score, precision_score, recall_score

from andi_bench.metrics.case import Case
from andi_bench.metrics.overlap import normalised_dice, overlap
from andi_bench.metrics.surface import TOLERANCES_MM, hd95, hd95_penalised, nsd, surface_distances

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


def by_brute_force(
    detection: np.ndarray, lesion: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """Distances of all surface voxels of both masks to the nearest of the other, pair by pair."""

    def surface(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        inner = mask.copy()
        for axis in range(3):
            for step in (-1, 1):
                inner &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
        return np.argwhere(mask & ~inner) * spacing

    apart = np.linalg.norm(surface(detection)[:, None] - surface(lesion)[None], axis=-1)
    return np.concatenate([apart.min(axis=1), apart.min(axis=0)])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (1.875, 1.875, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_the_normalised_surface_distance_is_the_share_of_distances_within_the_tolerance(
    spacing: tuple[float, float, float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    lesion, detection = rng.random((8, 7, 6)) < 0.1, rng.random((8, 7, 6)) < 0.15
    brain = np.ones_like(lesion)
    case = Case(brain.astype(np.float32), brain, lesion, spacing, detection)
    distances = by_brute_force(detection, lesion, spacing)
    for limit in TOLERANCES_MM:
        assert nsd(case, limit) == pytest.approx((distances <= limit + 1e-9).mean())
    assert hd95_penalised(case) == hd95(case) == pytest.approx(np.percentile(distances, 95))


def test_nothing_detected_is_punished_and_no_lesion_is_undefined() -> None:
    lesion, empty = np.zeros((6, 8, 10), bool), np.zeros((6, 8, 10), bool)
    lesion[2:4, 2:4, 2:4] = True
    brain, spacing = ~empty, (2.0, 1.0, 3.0)
    scores = brain.astype(np.float32)
    silent = Case(scores, brain, lesion, spacing, empty)
    assert hd95_penalised(silent) == pytest.approx(np.sqrt(12**2 + 8**2 + 30**2))
    assert (nsd(silent, 1.0), nsd(silent, 2.0), normalised_dice(silent)) == (0, 0, 0)
    healthy = Case(scores, brain, empty, spacing, lesion)
    assert (hd95_penalised(healthy), nsd(healthy, 1.0), normalised_dice(healthy)) == (None,) * 3


@pytest.mark.parametrize("edge", [2, 4, 8])
def test_normalised_dice_is_the_same_for_lesions_of_any_size_at_the_same_rates(edge: int) -> None:
    """Half of the lesion is detected, and 1 % of all other voxels: Dice depends on the size, nDSC does not."""
    shape = (20, 20, 20)
    lesion, detection = np.zeros(shape, bool), np.zeros(shape, bool)
    lesion[:edge, :edge, :edge] = True
    detection[: edge // 2, :edge, :edge] = True
    others = np.flatnonzero(~lesion)
    alarms = len(others) // 100
    detection.flat[others[:alarms]] = True
    brain = np.ones(shape, bool)
    found = normalised_dice(Case(brain.astype(np.float32), brain, lesion, (1, 1, 1), detection))
    share, rate = 0.001, alarms / len(others)
    # a brain of which 0.1 % is lesion: TP and FN half of it each, FP the rate of the rest
    hits = missed = share / 2
    assert found == pytest.approx(2 * hits / (2 * hits + missed + rate * (1 - share)))
