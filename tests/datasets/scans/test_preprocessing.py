from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from support.small_heads import BRATS_AFFINE, affine_of, head, write, write_subject

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.adapters.shifts import ShiftsAdapter
from datasets.scans import grid
from datasets.scans.preprocess import (
    changed_before_resizing,
    preprocess,
    save_map,
    training_slices,
)
from datasets.scans.quantiles import positive_quantile
from datasets.scans.scan import read_scan
from datasets.subject import Subject
from datasets.volume import Volume

FLAIR = PreprocessingConfig(size=32, modalities=("flair",))


def subject(folder: Path, *modalities: str, mask: bool = False) -> Subject:
    paths = {name: folder / f"{folder.name}_{name}.nii.gz" for name in modalities or ("flair",)}
    return Subject(folder.name, paths, folder / f"{folder.name}_seg.nii.gz" if mask else None)


def read_volume(
    one: Subject, config: PreprocessingConfig, *, lesion: bool = True, training: bool = False
) -> Volume:
    return preprocess(read_scan(one, config.modalities, lesion=lesion), config, training=training)


def test_a_brats_scan_keeps_orientation_values_and_slices(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "a", shape=(32, 32, 6))
    volume = read_volume(subject(folder), FLAIR)
    scan = read_scan(subject(folder), ("flair",))
    image = scan.images[0]
    np.testing.assert_array_equal(volume.affine, BRATS_AFFINE)
    expected = image / np.quantile(image[image > 0], 0.99)
    np.testing.assert_allclose(volume.image[0], expected, rtol=1e-6)
    assert volume.image.dtype == np.float32
    assert volume.spacing == (1.0, 1.0, 1.0)


def test_what_is_changed_before_resizing_is_the_foreground_of_the_scan_itself(
    tmp_path: Path,
) -> None:
    folder = write_subject(tmp_path, "a", shape=(32, 32, 6), modalities=("flair", "t1"))
    one, config = subject(folder, "flair", "t1"), FLAIR.model_copy(update={"size": 16})
    config = config.model_copy(update={"modalities": ("flair", "t1")})
    scan = read_scan(one, config.modalities)
    given_values = []

    def double(values: np.ndarray) -> np.ndarray:
        given_values.append(values)
        return 2 * values.astype(np.float32)

    found = changed_before_resizing(scan, config, "t1", double)
    (values,) = given_values
    t1 = scan.images[1]
    np.testing.assert_array_equal(np.sort(values), np.sort(t1[t1 > 0]))
    native = preprocess(scan, config).native
    wanted = grid.to_working(2 * np.where(t1 > 0, t1, 0).astype(np.float32), native, 16)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.shape == (16, 16, 6)
    # With N4, what is changed is the image without its bias field, whatever else is read.
    fields = tuple(np.full((8, 8, 6), value, np.float32) for value in (0.0, np.log(2)))
    biased = replace(scan, log_bias=fields)
    halved = changed_before_resizing(biased, config.model_copy(update={"bias": "n4"}), "t1", double)
    np.testing.assert_allclose(halved, wanted / 2, rtol=1e-5)


def test_a_brain_beyond_the_field_of_view_is_said(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "a", shape=(32, 32, 6))
    narrow, wide = (
        read_volume(subject(folder), FLAIR.model_copy(update={"field_of_view": edge}))
        for edge in (8.0, 40.0)
    )
    assert wide.notes == ()
    assert wide.spacing == (1.25, 1.25, 1.0)
    (note,) = narrow.notes
    assert note.startswith("subject a: brain of ")
    assert "field of view of 8 mm" in note
    assert 8 < narrow.spacing[0] * 32 < 32


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.floats(2**-10, 1e4, width=32), min_size=1, max_size=60),
    quantile=st.floats(0.01, 1.0),
)
def test_the_quantile_is_numpys(values: list[float], quantile: float) -> None:
    array = np.array(values, dtype=np.float32)
    assert positive_quantile(array, quantile) == pytest.approx(
        float(np.quantile(array.astype(np.float64), quantile)), rel=1e-6
    )


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.integers(1, 255), min_size=1, max_size=60),
    quantile=st.floats(0.01, 1.0),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "uint64"]),
)
def test_the_quantile_of_whole_numbers_is_numpys(
    values: list[int], quantile: float, dtype: str
) -> None:
    assert positive_quantile(np.array(values, dtype=dtype), quantile) == pytest.approx(
        float(np.quantile(np.array(values, dtype=np.float64), quantile)), rel=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(100, 6000),
    distinct=st.sampled_from([2, 7, 100, 60_000]),
    quantile=st.floats(0.01, 1.0),
    order=st.sampled_from([0, 1, -1]),
)
def test_the_quantile_of_many_values_is_numpys_in_any_order_and_with_ties(
    seed: int, size: int, distinct: int, quantile: float, order: int
) -> None:
    values = np.random.default_rng(seed).integers(1, distinct + 1, size).astype(np.float32)
    if order:
        values = np.sort(values)[::order]
    assert positive_quantile(values, quantile) == pytest.approx(
        float(np.quantile(values.astype(np.float64), quantile)), rel=1e-12
    )


def test_the_quantile_is_of_voxels_above_0_at_native_resolution(tmp_path: Path) -> None:
    image = head((40, 30, 8))
    image[18:22, 14:17, 3:5] = 400  # fewer than 1 % of the voxels
    image[1::3][image[1::3] == 0] = -1  # as a spline leaves them
    write(tmp_path / "a" / "a_flair.nii.gz", image)
    volume = read_volume(subject(tmp_path / "a"), FLAIR)
    native, _ = grid.plan(image.shape, BRATS_AFFINE, 32)
    expected = grid.to_working(image, native, 32) / np.quantile(image[image > 0], 0.99)
    np.testing.assert_allclose(volume.image[0], expected, atol=1e-5)
    assert volume.image.max() > 1  # not cut
    assert volume.image.min() < 0
    clipped = read_volume(subject(tmp_path / "a"), FLAIR.model_copy(update={"clip": 0.8}))
    assert clipped.image.max() == np.float32(0.8)


def test_a_lesion_moves_a_training_scans_quantile_only_where_that_is_not_asked_against(
    tmp_path: Path,
) -> None:
    image = head()
    lesion = np.zeros(image.shape, np.uint8)
    lesion[8:14, 8:14, 3:6] = 1
    healthy = np.quantile(image[(image > 0) & (lesion == 0)], 0.99)
    image[lesion == 1] = 900
    write(tmp_path / "a" / "a_flair.nii.gz", image)
    write(tmp_path / "a" / "a_seg.nii.gz", lesion)
    one = subject(tmp_path / "a", mask=True)
    off = FLAIR.model_copy(update={"normalisation": "p99-off-lesion"})
    plain = read_volume(one, FLAIR, training=True).image
    moved = read_volume(one, off, training=True).image
    ratio = np.quantile(image[image > 0], 0.99) / healthy
    assert ratio > 2
    np.testing.assert_allclose(moved, plain * ratio, rtol=1e-4, atol=1e-6)
    # a scan that is scored is normalised without its labels
    np.testing.assert_array_equal(read_volume(one, off).image, plain)
    np.testing.assert_array_equal(read_volume(one, off, lesion=False).image, plain)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "float32", "float64"])
def test_the_number_format_of_a_file_does_not_matter(tmp_path: Path, dtype: str) -> None:
    image = np.rint(head())
    write(tmp_path / "a" / "a_flair.nii.gz", image.astype(dtype))
    write(tmp_path / "b" / "b_flair.nii.gz", image[..., None].astype("float32"))
    one, other = (read_volume(subject(tmp_path / name), FLAIR) for name in "ab")
    np.testing.assert_allclose(one.image, other.image, rtol=1e-6)
    np.testing.assert_array_equal(one.brain, other.brain)


@pytest.mark.parametrize("depth", [1, 2, 17])
def test_any_depth_is_kept(tmp_path: Path, depth: int) -> None:
    image = np.repeat(head((24, 24, 3))[:, :, 1:2], depth, axis=2)
    write(tmp_path / "a" / "a_flair.nii.gz", image)
    volume = read_volume(subject(tmp_path / "a"), FLAIR)
    assert volume.image.shape == (1, 32, 32, depth)
    assert grid.map_to_native(np.zeros(volume.shape), volume.native).shape == (24, 24, depth)


def test_an_image_without_contrast_or_on_another_grid_is_refused(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "a")
    both = subject(folder, "flair", "t1", mask=True)
    t1 = both.paths["t1"]
    for image, said in [
        (np.zeros((24, 24, 10), np.float32), "a_t1.nii.gz: every voxel is zero"),
        (np.full((24, 24, 10), 7, np.int16), "a_t1.nii.gz: every voxel is 7"),
        (head((24, 24, 9)), "a_t1.nii.gz has shape 24x24x9, a_flair.nii.gz has 24x24x10"),
    ]:
        write(t1, image)
        with pytest.raises(UserError) as caught:
            read_scan(both, ("flair", "t1"))
        assert said in str(caught.value)
        assert "subject a" in str(caught.value)
    write(both.mask, np.zeros((24, 24, 10), np.uint8), np.diag([-1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(UserError, match=r"subject a: a_seg.nii.gz has affine .*a_flair.nii.gz"):
        read_scan(both, ("flair",))
    with pytest.raises(UserError, match=r"subject a: modality t2 is missing \(flair, t1 found\)"):
        read_scan(both, ("flair", "t2"))


def test_a_hidden_mask_is_not_opened(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "a", lesion=None)
    (folder / "a_seg.nii.gz").write_text("broken")
    assert read_volume(subject(folder, mask=True), FLAIR, lesion=False).lesion is None
    with pytest.raises(UserError, match="a_seg"):
        read_volume(subject(folder, mask=True), FLAIR)


def test_a_lesion_that_resizing_loses_still_makes_its_slice_unhealthy(tmp_path: Path) -> None:
    image = head((64, 64, 10))
    lesion = np.zeros(image.shape, np.uint8)
    lesion[32, 32, 4] = 1  # 64 -> 16 voxels keeps one in four along each axis
    write(tmp_path / "a" / "a_flair.nii.gz", image)
    write(tmp_path / "a" / "a_seg.nii.gz", lesion)
    config = PreprocessingConfig(size=16, modalities=("flair",))
    scan = read_scan(subject(tmp_path / "a", mask=True), ("flair",))
    volume = preprocess(scan, config)
    assert not volume.lesion.any()
    brain = np.flatnonzero(volume.brain.any(axis=(0, 1))).tolist()
    assert training_slices(scan, config).numbers.tolist() == [z for z in brain if z != 4]
    most = volume.brain.mean(axis=(0, 1)).max()
    wide = config.model_copy(update={"min_brain_fraction": 0.9 * most})
    assert 0 < len(training_slices(scan, wide).numbers) < len(brain) - 1


def test_healthy_slices_are_found_in_a_scan_stored_with_its_slices_first(tmp_path: Path) -> None:
    image = head((24, 24, 10))
    lesion = np.zeros(image.shape, np.uint8)
    lesion[12, 12, 3] = 1
    # axes (superior, left, posterior), upside down
    affine = affine_of((2, 0, 1), (-1, -1, -1), (1, 1, 1))
    for kind, values in (("flair", image), ("seg", lesion)):
        stored = np.flip(values.transpose(2, 0, 1), axis=0)
        write(tmp_path / "a" / f"a_{kind}.nii.gz", stored, affine)
    scan = read_scan(subject(tmp_path / "a", mask=True), ("flair",))
    healthy = training_slices(scan, FLAIR).numbers
    assert 3 not in healthy
    assert {2, 4} <= set(healthy.tolist())


def test_without_a_mask_no_slice_is_called_healthy(tmp_path: Path) -> None:
    folder = write_subject(tmp_path, "a", lesion=None)
    scan = read_scan(subject(folder), ("flair",))
    with pytest.raises(UserError, match="subject a: no lesion mask"):
        training_slices(scan, FLAIR)


def test_a_saved_map_lies_on_the_scans_own_grid(tmp_path: Path) -> None:
    affine = affine_of((1, 0, 2), (1, -1, 1), (1.0, 1.2, 2.0), (0.1, -0.2, 0.05))
    image = head((30, 24, 10))
    write(tmp_path / "a" / "a_flair.nii.gz", image, affine)
    volume = read_volume(subject(tmp_path / "a"), FLAIR)
    save_map(volume.image[0], volume, tmp_path / "out" / "a.nii.gz")
    saved, scan = nib.load(tmp_path / "out" / "a.nii.gz"), nib.load(tmp_path / "a/a_flair.nii.gz")
    assert saved.shape == scan.shape
    np.testing.assert_allclose(saved.affine, scan.affine, atol=1e-5)
    smooth = [ndimage.gaussian_filter(i.get_fdata(), 1.5).ravel() for i in (saved, scan)]
    assert np.corrcoef(*smooth)[0, 1] > 0.99
    brain = grid.mask_to_native(volume.brain, volume.native)
    assert (brain & (image > 0)).sum() > 0.9 * (image > 0).sum()
    with pytest.raises(UserError, match=r"subject a: array of shape \(3, 3, 3\)"):
        save_map(np.zeros((3, 3, 3)), volume, tmp_path / "b.nii.gz")


def test_site_and_columns_of_the_split_reach_the_volume(tmp_path: Path) -> None:
    for name in "ab":
        write_subject(tmp_path, name)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "scans_test.csv").write_text("id,site,age\na,Kyiv,61\nb,,\n")
    adapter = FolderAdapter("folder", tmp_path)
    first, second = (adapter.read(s, FLAIR) for s in adapter.subjects())
    assert (first.site, first.attributes["age"], second.site) == ("Kyiv", "61", "")


@pytest.mark.parametrize("number", ["7", "19"])
def test_real_patients_are_read_fast_and_their_lesions_lie_in_the_brain(
    organised: Path, tmp_path: Path, number: str
) -> None:
    adapter = ShiftsAdapter("shifts", organised)
    patient = next(s for s in adapter.subjects() if s.id.endswith(f"_{number}"))
    start = time.process_time()
    volume = adapter.read(patient, PreprocessingConfig())
    assert time.process_time() - start < 5
    assert volume.image.shape == (4, 128, 128, 182)
    assert volume.image.min() < 0  # ringing is kept, and is not brain
    millilitres = volume.brain.sum() * np.prod(volume.spacing) / 1000
    assert 1000 < millilitres < 1300
    assert (volume.lesion & ~volume.brain).sum() <= 5
    scan = nib.load(patient.paths["flair"])
    save_map(volume.image[0], volume, tmp_path / "map.nii.gz")
    saved = nib.load(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(saved.affine, scan.affine)
    there, own = saved.get_fdata(dtype=np.float32), scan.get_fdata(dtype=np.float32)
    some = (slice(None), slice(None), slice(60, 130, 7))
    inside = own[some] > 0
    fit = {
        shift: np.corrcoef(np.roll(there, shift, (0, 1, 2))[some][inside], own[some][inside])[0, 1]
        for shift in [
            (0, 0, 0),
            (1, 0, 0),
            (-1, 0, 0),
            (0, 1, 0),
            (0, -1, 0),
            (0, 0, 1),
            (0, 0, -1),
        ]
    }
    assert max(fit, key=fit.__getitem__) == (0, 0, 0)
    assert fit[0, 0, 0] > 0.85  # a plane of 218 x 218 has gone through 128 x 128
    alone = adapter.read(patient, PreprocessingConfig(), lesion=False)
    assert alone.lesion is None
    np.testing.assert_array_equal(alone.image, volume.image)


def test_a_brain_without_a_voxel_on_the_working_grid_is_refused_by_name(tmp_path: Path) -> None:
    image = np.zeros((40, 40, 4), dtype=np.int16)
    image[2, 2, 2] = 500  # of 40 voxels an axis, 16 read numbers 1, 3, 6, ...
    folder = tmp_path / "P1"
    folder.mkdir()
    affine = np.diag([-4.0, -4.0, 4.0, 1.0])
    nib.save(nib.Nifti1Image(image, affine), folder / "P1_flair.nii.gz")
    config = PreprocessingConfig(size=16, modalities=("flair",))
    with pytest.raises(UserError, match=r"subject P1: its brain of 1 voxel has none .*16x16x4"):
        read_volume(subject(folder), config)
