"""What is shown of a scan: kept once, the same when it comes back."""

import dataclasses

import numpy as np
import pytest
from support.small_volumes import MODALITIES, small_volume

from andi_bench.errors import UserError
from benchmark.scoring.scan_views import MARGIN, ViewStore, view_of


def test_a_view_is_the_brain_with_a_margin_in_gray_levels():
    volume = small_volume(shape=(40, 36, 8))
    view = view_of(volume)
    for axis, part in enumerate(view.box):
        hit = np.flatnonzero(volume.brain.any(axis=(1 - axis, 2)))
        assert part.start == max(0, hit[0] - MARGIN)
        assert part.stop == min(volume.shape[axis], hit[-1] + 1 + MARGIN)
    assert view.images.dtype == np.uint8
    assert view.images.shape == (2, *volume.brain[view.box].shape)
    assert view.modalities == MODALITIES
    assert not view.images[:, ~volume.brain[view.box]].any()


def test_brighter_voxels_are_never_darker_and_the_brightest_are_white():
    volume = small_volume()
    view = view_of(volume)
    order = np.argsort(volume.image[0][view.box].ravel(), kind="stable")
    levels = view.images[0].ravel()[order].astype(int)
    assert (np.diff(levels) >= 0).all()
    assert levels[-1] == 255


def test_without_a_brain_the_whole_plane_is_shown_in_black():
    volume = small_volume()
    empty = dataclasses.replace(
        volume, brain=np.zeros_like(volume.brain), image=np.zeros_like(volume.image)
    )
    view = view_of(empty)
    assert view.box == (slice(0, 16), slice(0, 16))
    assert not view.images.any()


def test_a_view_comes_back_as_it_was_and_is_made_once(tmp_path):
    store, volume = ViewStore(tmp_path / "views", {"A": "before"}), small_volume()
    assert store.missing(["A"]) == ["A"]
    store.keep(volume)
    assert store.missing(["A"]) == []
    wanted, found = view_of(volume), store.load("A")
    assert (found.box, found.modalities) == (wanted.box, wanted.modalities)
    np.testing.assert_array_equal(found.images, wanted.images)
    np.testing.assert_array_equal(found.reduced, wanted.reduced)
    written = store.path("A").stat().st_mtime_ns
    store.keep(volume)
    assert store.path("A").stat().st_mtime_ns == written


def test_a_view_of_files_that_have_changed_is_missing(tmp_path):
    ViewStore(tmp_path, {"A": "before"}).keep(small_volume())
    assert ViewStore(tmp_path, {"A": "after"}).missing(["A"]) == ["A"]


@pytest.mark.parametrize("content", [b"", b"x" * 99, None])
def test_a_view_that_is_damaged_or_gone_is_named(tmp_path, content):
    store = ViewStore(tmp_path, {"A": "s"})
    if content is not None:
        store.path("A").write_bytes(content)
    with pytest.raises(UserError, match=r"A\.s\.npz: damaged view .* delete it to make it again"):
        store.load("A")
