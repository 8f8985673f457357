"""A box of the working grid: it holds the brains it was made for, and what is cut out comes back where it was."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from support.small_volumes import small_volume

from andi_bench.config import PreprocessingConfig
from datasets.scans import crop

SIZES = st.sampled_from([16, 40, 48, 64, 100, 128])


@st.composite
def grids(draw):
    size = draw(SIZES)
    brains = []
    for _ in range(draw(st.integers(1, 3))):
        brain = np.zeros((size, size, 2), dtype=bool)
        low = [draw(st.integers(0, size - 1)) for _ in range(2)]
        high = [draw(st.integers(start + 1, size)) for start in low]
        brain[low[0] : high[0], low[1] : high[1], 1] = True
        brains.append(brain)
    return size, brains


@given(grids())
@settings(max_examples=60, deadline=None)
def test_a_box_holds_every_brain_and_fits_the_networks(case):
    size, brains = case
    box = crop.box_around(brains, size)
    for low, high in box:
        assert 0 <= low < high <= size
        assert (high - low) % crop.MULTIPLE == 0 or (low, high) == (0, size)
    plane = tuple(slice(*part) for part in box)
    assert all(brain[plane].sum() == brain.sum() for brain in brains)


def test_people_with_a_larger_head_fit_into_the_margin():
    brain = np.zeros((128, 128, 1), dtype=bool)
    brain[27:102, 18:111] = True  # of BraTS: 141 x 174 mm
    (left, right), (front, back) = crop.box_around([brain], 128)
    assert (right - left, back - front) == (96, 112)
    assert min(27 - left, right - 102, 18 - front, back - 111) >= 4


def test_what_is_cut_out_lies_where_it_did():
    volume = small_volume()
    box = ((2, 14), (1, 15))
    cut = crop.cropped(volume, box)
    assert cut.shape == (12, 14, 8)
    assert crop.cropped(volume, None) is volume
    np.testing.assert_array_equal(cut.image, volume.image[:, 2:14, 1:15])
    here, there = cut.affine @ [3, 4, 5, 1], volume.affine @ [5, 5, 5, 1]
    np.testing.assert_allclose(here, there)
    image = crop.image_on_grid(cut.image, volume, box)
    np.testing.assert_array_equal(image[:, 2:14, 1:15], cut.image)
    assert image.sum() == pytest.approx(cut.image.sum())


def test_brain_outside_of_the_box_has_the_lowest_score_and_is_told():
    volume = small_volume()
    box = ((6, 16), (0, 16))
    cut = crop.cropped(volume, box)
    scores = np.random.default_rng(0).uniform(0.2, 0.9, cut.shape).astype(np.float32)
    out = crop.map_on_grid(scores, volume, box)
    lost = volume.brain.copy()
    lost[6:] = False
    assert 0 < lost.sum() == crop.outside(volume, box)
    assert set(out[lost]) == {scores[cut.brain].min()}
    np.testing.assert_array_equal(out[6:][cut.brain], scores[cut.brain])
    assert not out[~volume.brain].any()
    (note,) = crop.with_crop_note(volume, box).notes
    assert note.startswith(f"subject A: {lost.sum()} of {volume.brain.sum()} brain voxels lie")
    assert crop.with_crop_note(volume, ((0, 16), (0, 16))) is volume


def test_no_crop_leaves_no_trace_in_what_names_results_and_a_box_has_bounds():
    assert not {"crop", "crop_box"} & PreprocessingConfig().model_dump().keys()
    cut = PreprocessingConfig(size=64, crop="brain", crop_box=((0, 48), (0, 64)))
    assert cut.plane == (48, 64)
    assert PreprocessingConfig.model_validate(cut.described()) == cut
    for wrong in (
        {"crop": "none"},
        {"crop_box": ((0, 80), (0, 64))},
        {"crop_box": ((9, 9), (0, 64))},
    ):
        with pytest.raises(ValidationError):
            PreprocessingConfig.model_validate({**cut.described(), **wrong})


def test_what_a_scan_gives_before_resizing_is_cut_as_the_volume_is():
    whole = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    volume = replace(small_volume(), before_resizing=lambda modality, change: change(whole))
    box = ((0, 1), (1, 3))
    found = crop.cropped(volume, box).before_resizing("flair", lambda values: values + 1)
    np.testing.assert_array_equal(found, (whole + 1)[0:1, 1:3])
    assert crop.cropped(small_volume(), box).before_resizing is None
