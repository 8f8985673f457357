"""Reference methods: a map drawn by lot, T2's brightness, depth in the brain."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from andi_bench.config import method_entry
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator, derive_seed
from datasets.volume import NativeGrid, Volume
from methods.base import DetectorConfig, ImageSpec
from methods.baselines.random_map import RandomMap
from methods.baselines.rim_distance import RimDistance
from methods.baselines.t2_intensity import T2Intensity
from methods.baselines.thresholding import Thresholding, ThresholdingConfig

SPACING = (2.0, 3.0, 4.0)


def volume(image: np.ndarray, brain: np.ndarray, modalities=("flair", "t2")) -> Volume:
    native = NativeGrid(
        brain.shape, np.eye(4), np.array([[0, 1], [1, 1], [2, 1]]), ((0, 0), (0, 0))
    )
    affine = np.diag([*SPACING, 1.0])
    return Volume("s", image.astype(np.float32), brain, None, affine, native, modalities=modalities)


@pytest.mark.parametrize("name", ["random", "t2-intensity", "rim-distance"])
def test_they_say_that_they_are_references_and_learn_nothing(name):
    entry = method_entry(name)
    assert entry is not None
    assert entry.family == "reference"
    assert not {"random": RandomMap, "t2-intensity": T2Intensity}.get(name, RimDistance).learns()


def random_slices(subject: str, seed: int = 0) -> np.ndarray:
    detector = RandomMap(DetectorConfig(), ImageSpec(("flair", "t2"), (24, 20)))
    streams = SliceGenerator([derive_seed(seed, subject, z, "score") for z in range(5)])
    return detector.score_slices(torch.zeros(5, 2, 24, 20), streams).numpy()


def test_the_random_map_is_drawn_by_subject_and_seed_and_ranks_as_chance_does():
    first = random_slices("a")
    assert first.shape == (5, 1, 24, 20)
    assert np.array_equal(first, random_slices("a"))
    for other in (random_slices("b"), random_slices("a", seed=1)):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.1
    lesion = np.zeros(first.shape, bool)
    lesion[..., 5:12, 5:12] = True
    found = average_precision_score(lesion.ravel(), first.ravel())
    assert found == pytest.approx(lesion.mean(), abs=0.03)


def test_t2_intensity_is_thresholding_of_the_t2_image():
    rng = np.random.default_rng(0)
    brain = np.ones((8, 8, 4), bool)
    image = rng.random((2, *brain.shape))
    spec = ImageSpec(("flair", "t2"), (8, 8))
    found = T2Intensity(ThresholdingConfig(), spec).score(volume(image, brain), None)
    swapped = volume(image[::-1], brain)
    wanted = Thresholding(ThresholdingConfig(), spec).score(swapped, None)
    assert np.array_equal(found, wanted)
    with pytest.raises(UserError, match="t2"):
        T2Intensity(ThresholdingConfig(), ImageSpec(("flair",), (8, 8)))


def test_depth_is_the_distance_to_the_nearest_voxel_outside_in_mm():
    rng = np.random.default_rng(1)
    brain = np.zeros((7, 6, 5), bool)
    brain[1:7, 1:5, 0:4] = rng.random((6, 4, 4)) < 0.9  # cut by two edges of the grid
    spec = ImageSpec(("flair", "t2"), (7, 6))
    found = RimDistance(DetectorConfig(), spec).score(volume(np.zeros((2, 7, 6, 5)), brain), None)
    around = [
        spot
        for spot in itertools.product(range(-1, 8), range(-1, 7), range(-1, 6))
        if not all(0 <= x < n for x, n in zip(spot, brain.shape, strict=True)) or not brain[spot]
    ]
    for spot in np.argwhere(brain):
        nearest = min(np.linalg.norm((np.array(other) - spot) * SPACING) for other in around)
        assert found[tuple(spot)] == pytest.approx(nearest, rel=1e-6)
    assert (found[~brain] == 0).all()
