"""From a scan's own grid to the working grid and back: places, values, masks, fields of view."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from support.small_heads import affine_of, head

from datasets.scans import grid

ORIENTATIONS = st.tuples(
    st.permutations([0, 1, 2]).map(tuple), st.tuples(*[st.sampled_from([-1, 1])] * 3)
)


@settings(max_examples=20, deadline=None)
@given(
    orientation=ORIENTATIONS,
    shape=st.tuples(*[st.integers(14, 32)] * 3),
    edges=st.tuples(*[st.sampled_from([0.8, 1.0, 1.3, 2.5])] * 3),
    angles=st.tuples(*[st.floats(-0.3, 0.3)] * 3),
    size=st.sampled_from([16, 24, 32, 48]),
)
def test_a_landmark_stays_in_the_world_on_any_grid_and_comes_back(
    orientation, shape, edges, angles, size
) -> None:
    affine = affine_of(*orientation, edges, angles)
    centre = np.array(shape) * (0.5, 0.45, 0.55)
    offsets = np.meshgrid(
        *[np.arange(n) - c for n, c in zip(shape, centre, strict=True)], indexing="ij"
    )
    distance = sum((o * e) ** 2 for o, e in zip(offsets, edges, strict=True))
    blob = np.exp(-distance / (2 * (2 * max(edges)) ** 2)).astype(np.float32)
    native, working_affine = grid.plan(shape, affine, size)
    working = grid.to_working(blob, native, size)

    def landmark(image: np.ndarray, place: np.ndarray) -> np.ndarray:
        return place[:3, :3] @ ndimage.center_of_mass(image) + place[:3, 3]

    there = landmark(blob, affine)
    voxel = np.sqrt((working_affine[:3, :3] ** 2).sum(axis=0))
    moved = np.linalg.inv(working_affine[:3, :3]) @ (landmark(working, working_affine) - there)
    assert working.shape[:2] == (size, size)
    assert np.abs(moved).max() < 0.5
    back = grid.map_to_native(working, native)
    assert back.shape == tuple(shape)
    assert np.linalg.norm(landmark(back, affine) - there) < 0.5 * voxel.max()
    assert nib.aff2axcodes(working_affine) == ("L", "P", "S")


@settings(max_examples=40, deadline=None)
@given(orientation=ORIENTATIONS, shape=st.tuples(*[st.integers(3, 20)] * 3))
def test_without_resizing_the_way_back_is_exact(orientation, shape) -> None:
    affine = affine_of(*orientation, (1, 1, 1))
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plane = [shape[orientation[0].index(world)] for world in (0, 1)]
    native, _ = grid.plan(shape, affine, max(plane))
    np.testing.assert_array_equal(
        grid.map_to_native(grid.to_working(image, native, max(plane)), native), image
    )
    mask = image > 0
    np.testing.assert_array_equal(
        grid.mask_to_native(grid.mask_to_working(mask, native, max(plane)), native), mask
    )


@settings(max_examples=80, deadline=None)
@given(
    orientation=ORIENTATIONS,
    shape=st.tuples(*[st.integers(14, 70)] * 3),
    edges=st.tuples(*[st.sampled_from([0.8, 1.0, 2.5])] * 3),
    size=st.sampled_from([16, 24, 32, 64]),
    data=st.data(),
)
def test_knowing_where_a_scan_is_empty_changes_no_bit(
    orientation, shape, edges, size, data
) -> None:
    corners = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in shape]
    box = tuple(slice(low, max(high, low + 1)) for low, high in corners)
    image = np.zeros(shape, dtype=np.int16)
    image[box] = np.random.default_rng(1).integers(-50, 900, image[box].shape)
    native, _ = grid.plan(shape, affine_of(*orientation, edges), size)
    whole = grid.to_working(image, native, size)
    np.testing.assert_array_equal(grid.to_working(image, native, size, extent=box), whole)
    some = np.array([0, whole.shape[2] - 1])
    np.testing.assert_array_equal(
        grid.to_working(image, native, size, some, box), whole[:, :, some]
    )


def test_the_same_head_stored_in_all_48_orientations_gives_one_volume() -> None:
    image = head((20, 26, 8))
    reference = None
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((-1, 1), repeat=3)
    ):
        lps = nib.Nifti1Image(image, np.diag([-1.0, -1.0, 1.0, 1.0]))
        turn = nib.orientations.ornt_transform(
            nib.io_orientation(lps.affine), np.array(list(zip(order, signs, strict=True)))
        )
        stored = lps.as_reoriented(turn)
        native, affine = grid.plan(stored.shape, stored.affine, 24)
        working = grid.to_working(np.asarray(stored.dataobj), native, 24)
        reference = (working, affine) if reference is None else reference
        np.testing.assert_array_equal(working, reference[0])
        np.testing.assert_allclose(affine, reference[1], atol=1e-9)


def test_a_plane_that_is_not_square_is_padded_and_not_stretched() -> None:
    native, affine = grid.plan((182, 218, 5), np.diag([-1.0, -1.0, 1.0, 1.0]), 128)
    assert native.padding == ((18, 18), (0, 0))
    np.testing.assert_allclose(np.diag(affine)[:2], [-218 / 128, -218 / 128])
    # voxels that are not square: a square in mm, so a head keeps its shape
    _, affine = grid.plan((100, 60, 5), np.diag([-1.0, -2.0, 1.0, 1.0]), 64)
    np.testing.assert_allclose(np.diag(affine)[:2], [-120 / 64, -120 / 64])


@settings(max_examples=60, deadline=None)
@given(
    orientation=ORIENTATIONS,
    shape=st.tuples(*[st.integers(14, 60)] * 3),
    edges=st.tuples(*[st.sampled_from([0.8, 1.0, 2.5])] * 3),
    size=st.sampled_from([16, 32, 48]),
    field=st.floats(5, 150),
    data=st.data(),
)
def test_a_field_of_view_holds_the_whole_brain_in_its_middle_and_the_way_back_is_the_old_one(
    orientation, shape, edges, size, field, data
) -> None:
    corners = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in shape]
    box = tuple(slice(max(0, min(low, high - 1)), max(high, 1)) for low, high in corners)
    brain = np.zeros(shape, dtype=bool)
    brain[box] = True
    affine = affine_of(*orientation, edges)
    native, working_affine = grid.plan(shape, affine, size, field, brain)
    inner = grid.turned(brain, native).any(axis=2)
    spans = []
    for axis, inside in enumerate((inner.any(axis=1), inner.any(axis=0))):
        low, high = np.flatnonzero(inside)[[0, -1]]
        before, after = native.padding[axis]
        plane = len(inside) + before + after
        assert low + before >= 0
        assert high + before < plane
        assert abs((low + high) / 2 + before - (plane - 1) / 2) <= 0.5
        spans.append(
            (high + 1 - low) * float(np.linalg.norm(affine[:3, orientation[0].index(axis)]))
        )
    voxel = np.linalg.norm(working_affine[:3, :3], axis=0)
    wanted = max(field, *spans)
    assert np.abs(voxel[:2] * size - wanted).max() <= max(edges)
    # every voxel of the working grid lies in the world where to_working took it from
    places = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    along = [
        sum(affine[world, k] * p for k, p in enumerate(places)) + affine[world, 3]
        for world in range(3)
    ]
    mask = grid.mask_to_working(np.ones(shape, bool), native, size)
    border = 2 + int(
        2 * max(edges) / min(voxel[:2])
    )  # where there is nothing to interpolate between
    middle = ndimage.binary_erosion(mask, np.ones((3, 3, 1)), iterations=border)
    for world, values in enumerate(along[:2]):
        working = grid.to_working(values, native, size)
        index = np.argwhere(mask)
        expected = index @ working_affine[world, :3] + working_affine[world, 3]
        found = (working[mask] - expected)[middle[mask]]
        assert found.size == 0 or np.abs(found).max() < 0.1 * max(edges)
    back = grid.mask_to_native(grid.mask_to_working(brain, native, size), native)
    assert back.shape == tuple(shape)
    far = ~ndimage.binary_dilation(brain, iterations=1 + int(2 * wanted / size / min(edges)))
    assert not (back & far).any()
    assert grid.map_to_native(mask.astype(np.float32), native).shape == tuple(shape)


def test_a_field_of_view_cuts_a_brats_plane_to_the_brain_and_its_way_back_leaves_zeros() -> None:
    brain = np.zeros((240, 240, 3), bool)
    brain[60:200, 30:210] = True
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    native, working = grid.plan(brain.shape, affine, 64, 192, brain)
    assert native.padding == ((-34, -14), (-24, -24))
    np.testing.assert_allclose(np.diag(working)[:2], -3)
    image = np.random.default_rng(0).random(brain.shape).astype(np.float32)
    whole, _ = grid.plan(brain.shape, affine, 192, 192, brain)
    back = grid.map_to_native(grid.to_working(image, whole, 192), whole)
    inside = np.zeros(brain.shape, bool)
    inside[34:226, 24:216] = True
    np.testing.assert_array_equal(back, np.where(inside, image, 0))
    lost = grid.lost_voxels(native, 64)
    assert lost[~inside].all()
    # larger than the field of view: the plane grows, the brain is not cut
    _, working = grid.plan(brain.shape, affine, 64, 100, brain)
    np.testing.assert_allclose(np.diag(working)[:2], -180 / 64)


def test_a_linear_ramp_is_still_linear_after_the_way_there_and_back() -> None:
    ramp = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 60, 2))
    native, affine = grid.plan((60, 60, 2), np.diag([-1.0, -1.0, 1.0, 1.0]), 32)
    working = grid.to_working(ramp, native, 32)
    world = affine[0, 0] * np.arange(32) + affine[0, 3]
    np.testing.assert_allclose(working[2:-2, 10, 0], -world[2:-2], atol=0.05)
    back = grid.map_to_native(working, native)
    np.testing.assert_allclose(back[4:-4], ramp[4:-4], atol=0.1)


@settings(max_examples=200, deadline=None)
@given(count=st.integers(1, 300), size=st.integers(16, 256))
def test_masks_follow_nearest_exact(count: int, size: int) -> None:
    places = (np.arange(size) + 0.5) * count / size
    mask = np.arange(count)[:, None, None] * np.ones((1, count, 1), dtype=int)
    picked = grid._nearest(mask, (size, size))[:, 0, 0]
    np.testing.assert_array_equal(picked, np.floor(places).astype(int))


@pytest.mark.parametrize(
    ("count", "size"), [(240, 128), (218, 128), (96, 64), (155, 64), (96, 128)]
)
def test_masks_and_images_are_resized_as_torch_resizes(count: int, size: int) -> None:
    import torch
    from torch.nn.functional import interpolate

    rng = np.random.default_rng(0)
    image = rng.normal(size=(count, count, 3)).astype(np.float32)
    native, _ = grid.plan(image.shape, np.diag([-1.0, -1.0, 1.0, 1.0]), size)
    slices = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    wanted = interpolate(slices, (size, size), mode="bilinear", antialias=True)[0].numpy()
    np.testing.assert_allclose(
        grid.to_working(image, native, size).transpose(2, 0, 1), wanted, atol=1e-6
    )
    wanted = interpolate((slices > 0).float(), (size, size), mode="nearest-exact")[0].numpy() > 0.5
    np.testing.assert_array_equal(
        grid.mask_to_working(image > 0, native, size).transpose(2, 0, 1), wanted
    )
