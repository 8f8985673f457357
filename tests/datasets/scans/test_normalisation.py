from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.preprocessing import LANDMARKS
from datasets.scans.normalisation import (
    STANDARD,
    curve_of,
    normalised,
    percentiles_of,
    standard_landmarks,
    white_matter_peak,
)

COMMON = tuple(np.linspace(0.1, 1.0, len(LANDMARKS)))
WAYS = {
    "robust": PreprocessingConfig(modalities=("flair",), normalisation="robust"),
    "white-matter": PreprocessingConfig(modalities=("flair",), normalisation="white-matter"),
    "landmarks": PreprocessingConfig(
        modalities=("flair",), normalisation="landmarks", landmarks=(COMMON,)
    ),
}


def brain(seed: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Three tissues in a background of 0, (X, Y, Z)."""
    rng = np.random.default_rng(seed)
    image = np.zeros((20, 24, 16))
    tissue = rng.choice([100.0, 180.0, 260.0], size=(16, 20, 12), p=[0.15, 0.35, 0.5])
    image[2:18, 2:22, 2:14] = scale * (tissue + rng.normal(0, 12, tissue.shape)) + shift
    return image.astype(np.float32)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.floats(0.01, 1000))
def test_no_unit_matters_and_order_and_background_stay(way: str, seed: int, scale: float) -> None:
    config, image = WAYS[way], brain(seed)
    out = normalised(image, "flair", config, "a")
    np.testing.assert_array_equal(out == 0, image == 0)
    assert out.dtype == np.float32
    assert out[image > 0].min() >= config.floor
    assert out.max() <= np.float32(config.ceiling)
    order = np.argsort(image[image > 0], kind="stable")
    assert np.all(np.diff(out[image > 0][order]) >= -1e-6)
    scaled = normalised((image * scale).astype(np.float32), "flair", config, "a")
    np.testing.assert_allclose(scaled, out, atol=2e-3)


def test_robust_brings_median_and_quartiles_where_it_says() -> None:
    image = brain(1, scale=3.0, shift=40.0)
    out = normalised(image, "flair", WAYS["robust"], "a")
    low, middle, high = np.percentile(out[image > 0], (25, 50, 75))
    assert middle == pytest.approx(0.5, abs=1e-5)
    assert high - low == pytest.approx(0.2, abs=1e-5)


def test_a_bright_lesion_moves_the_robust_curve_less_than_the_quantile() -> None:
    image = brain(2)
    ill = image.copy()
    ill[4:10, 4:10, 4:10] = 900.0
    healthy = (image > 0) & (ill == image)
    robust = [normalised(x, "flair", WAYS["robust"], "a")[healthy].mean() for x in (image, ill)]
    p99 = [x[healthy].mean() / np.quantile(x[x > 0], 0.99) for x in (image, ill)]
    assert abs(robust[1] / robust[0] - 1) < 0.2
    assert p99[1] / p99[0] < 0.5


def test_landmarks_come_to_lie_where_the_training_split_has_them() -> None:
    subjects = [percentiles_of(x[x > 0], "flair", "a") for x in (brain(k, 1 + k) for k in range(4))]
    learnt = standard_landmarks(subjects)
    by_hand = np.mean([0.1 + 0.9 * (p - p[0]) / (p[-1] - p[0]) for p in subjects], axis=0)
    np.testing.assert_allclose(learnt, by_hand)
    assert (learnt[0], learnt[-1]) == pytest.approx(STANDARD)
    config = WAYS["landmarks"].model_copy(update={"landmarks": (learnt,)})
    image = brain(9, 0.2, 7.0)
    out = normalised(image, "flair", config, "a")
    np.testing.assert_allclose(np.percentile(out[image > 0], LANDMARKS), learnt, atol=5e-3)


def test_the_outer_pieces_go_on_beyond_the_landmarks() -> None:
    foreground = np.linspace(1, 1000, 5000)
    curve = curve_of(foreground, "flair", WAYS["landmarks"], "a")
    slope = (COMMON[-1] - COMMON[-2]) / (curve.at[-1] - curve.at[-2])
    beyond = curve(np.array([curve.at[-1] + 100.0]))[0]
    assert beyond == pytest.approx(1.0 + 100 * slope, rel=1e-5)


def test_white_matter_is_the_brightest_clear_peak_of_t1_and_the_highest_of_others() -> None:
    rng = np.random.default_rng(0)
    gray, white = rng.normal(150, 10, 60_000), rng.normal(250, 10, 40_000)
    vessels = rng.normal(600, 10, 900)
    foreground = np.concatenate([gray, white, vessels])
    assert white_matter_peak(foreground, "t1") == pytest.approx(250, abs=8)
    assert white_matter_peak(foreground, "flair") == pytest.approx(150, abs=8)
    image = np.zeros((50, 50, 50), np.float32)
    image.ravel()[: foreground.size] = foreground
    out = normalised(image, "flair", WAYS["white-matter"], "a")
    assert white_matter_peak(out[out > 0], "flair") == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("way", ["robust", "landmarks"])
def test_a_modality_without_contrast_is_named(way: str) -> None:
    image = np.zeros((8, 8, 8), np.float32)
    image[2:6, 2:6, 2:6] = 5
    with pytest.raises(
        UserError, match="subject a: flair: its percentiles .* are both 5: contrast"
    ):
        normalised(image, "flair", WAYS[way], "a")


def test_landmarks_that_nobody_learnt_are_asked_for() -> None:
    config = PreprocessingConfig(normalisation="landmarks")
    with pytest.raises(UserError, match="preprocessing.landmarks"):
        normalised(brain(0), "flair", config, "a")
