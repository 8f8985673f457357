"""The post-processing chain against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError
from scipy import ndimage

from andi_bench.geometry import erode
from andi_bench.metrics.histograms.scores import NonFiniteScores
from andi_bench.metrics.median import median_filter
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.thresholds import dilate_faces
from andi_bench.section import PUBLISHED_MM

maps = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9).flatmap(
    lambda shape: hnp.arrays(
        np.float32,
        shape,
        elements=st.sampled_from([0.0, 0.0, -1.0, 0.5])
        | st.floats(-(2.0**100), 2.0**100, width=32),
    )
)

MM = (1.0, 1.0, 1.0)

edges = st.sampled_from([1, 3, 5, 7])


@given(maps, edges | st.tuples(edges, edges, edges), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_median_filter_equals_scipys_up_to_the_border(
    scores: np.ndarray, size: int | tuple[int, int, int], seed: int
) -> None:
    expected = ndimage.median_filter(scores, size)
    found = median_filter(scores, size)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected)
    where = np.random.default_rng(seed).random(scores.shape) < 0.2
    assert np.array_equal(median_filter(scores, size, where), np.where(where, expected, 0))


def test_the_median_filter_equals_scipys_on_a_brain_and_everywhere() -> None:
    rng = np.random.default_rng(0)
    brain = np.zeros((40, 36, 31), bool)
    brain[5:35, :30, 3:28] = True
    scores = np.where(brain, rng.gamma(1.0, size=brain.shape), 0).astype(np.float32)
    expected = ndimage.median_filter(scores, 5)
    assert np.array_equal(median_filter(scores, 5), expected)
    assert np.array_equal(median_filter(scores, 5, where=brain), np.where(brain, expected, 0))


def test_the_chain_filters_the_map_and_leaves_zero_outside_the_brain() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(20, 20, 20))
    brain = ndimage.binary_dilation(rng.random(scores.shape) < 0.01, iterations=2)
    raw, filtered = PostProcessing(), PostProcessing(median=5)
    inside = np.where(brain, scores, 0).astype(np.float32)
    assert np.array_equal(raw.apply(scores, brain, MM), inside)
    expected = np.where(brain, ndimage.median_filter(inside, 5), 0)
    assert np.array_equal(filtered.apply(scores, brain, MM), expected)
    assert (raw.name, filtered.name) == ("raw", "median5")


def test_the_chain_leaves_its_input_untouched() -> None:
    scores = np.random.default_rng(2).normal(size=(8, 8, 8)).astype(np.float32)
    kept = scores.copy()
    PostProcessing(median=3, erosion=1).apply(scores, scores > -1, MM)
    assert np.array_equal(scores, kept)


def test_erosion_gives_the_brains_rim_the_lowest_score() -> None:
    brain = np.zeros((9, 9, 9), bool)
    brain[1:8, 1:8, 1:8] = True
    scores = np.where(brain, -3.0, 0).astype(np.float32)
    scores[4, 4, 4] = 2
    chain = PostProcessing(erosion=1)
    rim = brain & ~ndimage.binary_erosion(brain)
    assert (chain.apply(scores, brain, MM)[rim] == -3).all()
    assert (chain.apply(np.abs(scores), brain, MM)[rim] == 0).all()
    assert chain.apply(scores, brain, MM)[4, 4, 4] == 2
    assert erode(brain, 2).sum() == 27
    assert chain.name == "erosion1"


def test_components_below_the_least_volume_are_removed() -> None:
    detection = np.zeros((10, 10, 10), bool)
    detection[0, 0, 0] = detection[1, 1, 1] = True  # 26-connected: two voxels
    detection[5:8, 5:8, 5] = True
    chain = PostProcessing(min_component_ml=0.009)
    kept = chain.clean(detection, voxel_ml=0.001)
    assert kept.sum() == 9
    assert kept[5:8, 5:8, 5].all()
    assert np.array_equal(PostProcessing().clean(detection, 0.001), detection)
    assert not chain.clean(np.zeros_like(detection), 0.001).any()
    assert chain.name == "min0.009ml"


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, 7)] * 3), st.floats(0, 1))
def test_dilation_by_faces_equals_scipys(seed: int, shape: tuple[int, ...], share: float) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    kept = mask.copy()
    assert np.array_equal(dilate_faces(mask), ndimage.binary_dilation(mask))
    assert np.array_equal(mask, kept)


def test_an_even_median_is_refused_because_it_would_shift_the_map() -> None:
    with pytest.raises(ValidationError, match="half a voxel"):
        PostProcessing(median=4)
    with pytest.raises(ValueError, match="odd"):
        median_filter(np.zeros((3, 3, 3)), 2)


def test_unknown_steps_of_the_chain_are_refused() -> None:
    with pytest.raises(ValidationError, match="dilation"):
        PostProcessing.model_validate({"dilation": 1})


@pytest.mark.parametrize(
    ("spacing", "window"),
    [
        ((1.875, 1.875, 1.0), (5, 5, 5)),  # the published grid
        ((3.75, 3.75, 1.0), (3, 3, 5)),
        ((1.0, 1.0, 1.0), (9, 9, 5)),
        ((0.9375, 0.9375, 3.0), (9, 9, 1)),  # 10 voxels: 9 and 11 are as near; a slice of 3 mm
        ((20.0, 20.0, 20.0), (1, 1, 1)),
    ],
)
def test_a_median_in_millimetres_becomes_the_nearest_odd_voxels_of_each_axis(
    spacing: tuple[float, ...], window: tuple[int, ...]
) -> None:
    chain = PostProcessing(median=PUBLISHED_MM)
    assert chain.window(spacing) == window
    assert chain.median_mm(spacing) == PUBLISHED_MM
    assert chain.name == "median9.4x9.4x5mm"
    scores = np.random.default_rng(3).random((14, 12, 9)).astype(np.float32)
    brain = np.ones(scores.shape, bool)
    assert np.array_equal(
        chain.apply(scores, brain, spacing), ndimage.median_filter(scores, window)
    )


@given(st.tuples(*[st.floats(0.1, 50)] * 3), st.tuples(*[st.floats(0.2, 30)] * 3))
def test_no_odd_number_of_voxels_is_nearer_to_the_millimetres(
    edges_mm: tuple[float, float, float], spacing: tuple[float, float, float]
) -> None:
    window = PostProcessing(median=edges_mm).window(spacing)
    for voxels, edge, voxel in zip(window, edges_mm, spacing, strict=True):
        assert voxels % 2 == 1
        off = abs(voxels - edge / voxel)
        assert all(
            off <= abs(other - edge / voxel) + 1e-6
            for other in (voxels + 2, voxels - 2)
            if other > 0
        )


def test_a_median_in_voxels_is_told_in_millimetres() -> None:
    assert PostProcessing(median=5).median_mm((1.875, 1.875, 1.0)) == (9.375, 9.375, 5.0)
    assert PostProcessing(median=5).median_mm(None) is None
    assert PostProcessing(median=5).window((3.75, 3.75, 1.0)) == (5, 5, 5)


def test_nan_in_a_map_is_refused_before_it_is_filtered() -> None:
    scores = np.zeros((4, 4, 4))
    scores[0, 0, :2] = np.nan
    with pytest.raises(NonFiniteScores, match="2 of 64"):
        PostProcessing(median=3).apply(scores, np.ones((4, 4, 4), bool), MM)
