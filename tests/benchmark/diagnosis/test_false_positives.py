"""False positives are counted where they are, and what explains a map is told apart from what does not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from benchmark.diagnosis.false_positives import Volumes, explained, faults_of, total
from benchmark.diagnosis.kept_run import Detected, KeptSubject
from benchmark.diagnosis.regions import BASE, REGIONS, RIM, VENTRICLES, WHITE, heights_of
from benchmark.scoring.map_store import ScoredSubject
from benchmark.scoring.scan_views import ScanView

SHAPE = (24, 20, 16)


def subject(mask, lesion=None, levels=None, scores=None):
    """Return a box of brain, 2 mm voxels, as it is kept."""
    brain = np.zeros(SHAPE, dtype=bool)
    brain[2:22, 2:18, 1:15] = True
    lesion = np.zeros(SHAPE, dtype=bool) if lesion is None else lesion
    scores = mask.astype(np.float32) if scores is None else scores
    levels = np.full(SHAPE, 100, dtype=np.uint8) if levels is None else levels
    view = ScanView(levels[None], (slice(0, 24), slice(0, 20)), ("flair",), levels)
    scored = ScoredSubject("S", scores, brain, lesion, (2.0, 2.0, 2.0))
    found = {"raw": Detected(scores, mask & brain)}
    return KeptSubject(scored, brain, lesion & brain, view, Path("S.npz"), found)


@pytest.mark.parametrize("region", [VENTRICLES, RIM, BASE, WHITE])
def test_a_map_that_lights_one_region_alone_is_found_there(region):
    parts = np.random.default_rng(0).integers(0, len(REGIONS), SHAPE).astype(np.uint8)
    (found,) = faults_of(subject(parts == region), parts)
    lit = {name: part.lit for name, part in found.regions.items()}
    assert lit == {name: float(name == REGIONS[region]) for name in REGIONS}
    assert found.total.false_positive_ml == pytest.approx(found.regions[REGIONS[region]].healthy_ml)


def test_a_lesion_is_no_false_positive_and_no_healthy_brain():
    rng = np.random.default_rng(1)
    mask, lesion = rng.random((2, *SHAPE)) < 0.3
    kept = subject(mask, lesion)
    (found,) = faults_of(kept, np.zeros(SHAPE, dtype=np.uint8))
    wrong = np.count_nonzero(mask & ~lesion & kept.brain)
    assert found.total.false_positive_ml == pytest.approx(wrong * 0.008)
    assert found.total.healthy_ml == pytest.approx(np.count_nonzero(kept.brain & ~lesion) * 0.008)
    by_height = [one.false_positive_ml for one in found.heights]
    assert sum(by_height) == pytest.approx(found.total.false_positive_ml)
    part = heights_of(kept.brain)
    assert by_height[3] == pytest.approx(
        np.count_nonzero(mask & ~lesion & kept.brain & (part == 3)) * 0.008
    )


def test_looks_say_whether_false_positives_are_brighter_or_darker():
    bright = np.zeros(SHAPE, dtype=bool)
    bright[5:9, 5:9, 5:9] = True
    levels = np.where(bright, 200, 100).astype(np.uint8)
    (found,) = faults_of(subject(bright, levels=levels), np.zeros(SHAPE, dtype=np.uint8))
    assert found.looks["flair"] > 3
    (found,) = faults_of(subject(bright, levels=255 - levels), np.zeros(SHAPE, dtype=np.uint8))
    assert found.looks["flair"] < -3
    nothing = np.zeros(SHAPE, dtype=bool)
    (found,) = faults_of(subject(nothing), np.zeros(SHAPE, dtype=np.uint8))
    assert (found.looks, found.shading) == ({"flair": None}, None)


def test_a_map_of_the_scans_shading_is_told_from_one_of_noise():
    rng = np.random.default_rng(2)
    ramp = np.linspace(50, 200, SHAPE[0])[:, None, None] * np.ones(SHAPE)
    levels = (ramp + rng.normal(0, 10, SHAPE)).clip(0, 255).astype(np.uint8)
    nothing, parts = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=np.uint8)
    (shaded,) = faults_of(subject(nothing, levels=levels, scores=ramp.astype(np.float32)), parts)
    noise = rng.random(SHAPE).astype(np.float32)
    (random,) = faults_of(subject(nothing, levels=levels, scores=noise), parts)
    assert shaded.shading > 0.8
    assert random.shading < 0.05


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_what_is_explained_is_what_linear_regression_explains(seed, count):
    rng = np.random.default_rng(seed)
    by = [part.astype(np.float32) for part in rng.normal(size=(count, 60))]
    values = (rng.normal(size=60) + by[0]).astype(np.float32)
    inputs = np.stack(by, axis=1)
    expected = LinearRegression().fit(inputs, values).score(inputs, values)
    assert explained(values, by) == pytest.approx(expected, abs=1e-4)


def test_volumes_add_up():
    parts = [Volumes(false_positive_ml=1, healthy_ml=4), Volumes(false_positive_ml=2, healthy_ml=8)]
    assert total(parts).lit == 0.25
    assert total([]).lit is None
