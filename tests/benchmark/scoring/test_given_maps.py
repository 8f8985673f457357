"""Maps made elsewhere: found, brought to the working grid, and what was done to them said."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from benchmark.scoring.given_maps import Adaptations, map_files, to_working, unmatched_maps
from datasets.scans import grid

SIZE = 32


@pytest.fixture(scope="module")
def volume(adapter):
    return adapter.read(adapter.subjects_in("test")[0], PreprocessingConfig(size=SIZE))


@pytest.fixture(scope="module")
def scores(volume):
    """Return a map on the scan's own grid."""
    axes = np.meshgrid(*[np.linspace(0, 1, n) for n in volume.native.shape], indexing="ij")
    return sum(axes).astype(np.float32)


def written(path, values, affine):
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def brought(path, volume):
    adaptations = Adaptations()
    return to_working(path, volume, SIZE, adaptations), adaptations


def test_a_map_on_the_scans_grid_is_resized_as_the_scan_is(volume, scores, tmp_path):
    found, said = brought(written(tmp_path / "C.nii.gz", scores, volume.native.affine), volume)
    np.testing.assert_array_equal(found, grid.to_working(scores, volume.native, SIZE))
    assert said == Adaptations()


@settings(max_examples=12)
@given(order=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
def test_axes_may_run_in_any_order_and_direction(volume, scores, tmp_path_factory, order, flips):
    turned, affine = scores, volume.native.affine
    for axis, flip in enumerate(flips):
        if flip:
            back = np.eye(4)
            back[axis, axis], back[axis, 3] = -1, turned.shape[axis] - 1
            turned, affine = np.flip(turned, axis), affine @ back
    columns = [*order, 3]
    path = tmp_path_factory.mktemp("turned") / "C.nii"
    found, said = brought(written(path, turned.transpose(order), affine[:, columns]), volume)
    np.testing.assert_array_equal(found, grid.to_working(scores, volume.native, SIZE))
    assert said == Adaptations()


def test_a_map_on_the_working_grid_is_taken_as_it_is(volume, tmp_path):
    values = np.random.default_rng(0).random(volume.shape).astype(np.float32)
    found, said = brought(written(tmp_path / "C.nii", values, volume.affine), volume)
    np.testing.assert_array_equal(found, values)
    assert said == Adaptations()


def test_any_other_grid_is_resampled_through_the_world_and_that_is_said(volume, scores, tmp_path):
    half = volume.native.affine.copy()
    half[:3, :3] /= 2
    half[:3, 3] -= half[:3, :3].sum(axis=1) / 2
    fine = scores.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    found, said = brought(written(tmp_path / "C.nii", fine, half), volume)
    wanted = grid.to_working(scores, volume.native, SIZE)
    np.testing.assert_allclose(found[volume.brain], wanted[volume.brain], atol=1e-5)
    assert said.resampled == ["C"]
    assert any("1 map (C) had a grid other than the scan's" in line for line in said.notes())


def test_what_a_map_leaves_open_gets_its_lowest_score(volume, scores, tmp_path):
    brain = grid.mask_to_native(volume.brain, volume.native)
    first = int(np.flatnonzero(brain.any(axis=(0, 1)))[0]) + 1
    moved = volume.native.affine.copy()
    moved[:3, 3] += first * moved[:3, 2]
    found, said = brought(written(tmp_path / "C.nii", scores[..., first:] + 1, moved), volume)
    assert said.uncovered == {"C": int(brain[..., :first].sum())}
    assert found[volume.brain].min() == pytest.approx(scores[..., first:].min() + 1, abs=0.2)
    assert any("got the map's lowest score" in line for line in said.notes())


def test_negative_scores_in_the_brain_are_said(volume, scores, tmp_path):
    _, said = brought(written(tmp_path / "C.nii", -scores, volume.native.affine), volume)
    assert said.negative == ["C"]
    assert len(said.notes()) == 2


def test_a_map_of_another_place_is_refused(volume, scores, tmp_path):
    far = volume.native.affine.copy()
    far[0, 3] += 300
    with pytest.raises(UserError, match="another affine than the scan of subject C"):
        brought(written(tmp_path / "C.nii", scores, far), volume)
    with pytest.raises(UserError, match="covers 0% of the brain of subject C: at least 95% wanted"):
        brought(written(tmp_path / "C.nii", scores[:-1], far), volume)


def test_each_subjects_map_is_found_with_either_ending(tmp_path):
    for name in ("A.nii", "B.nii.gz", "X.nii", "notes.txt", ".C.nii"):
        (tmp_path / name).write_bytes(b"")
    found = map_files(tmp_path, ["A", "B"])
    assert found == {"A": tmp_path / "A.nii", "B": tmp_path / "B.nii.gz"}
    assert unmatched_maps(tmp_path, ["A", "B", "C"]) == ["X.nii"]


@pytest.mark.parametrize(
    ("files", "wanted", "message"),
    [
        ([], "A", "no map in it"),
        (["A.nii", "A.nii.gz"], "A", "A.nii.gz and A.nii are both there: one wanted"),
        (["A.nii"], "AB", r"no map of subject B \(1 of 2 maps is missing"),
        (
            ["A.nii"],
            "ABC",
            r"no map of subject B \(2 of 3 maps are missing, 0 wanted; B.nii.gz wanted\)",
        ),
    ],
)
def test_maps_that_are_missing_or_twice_there_are_named(tmp_path, files, wanted, message):
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=message):
        map_files(tmp_path, list(wanted))
    with pytest.raises(UserError, match="no such folder of maps"):
        map_files(tmp_path / "nowhere", list(wanted))
