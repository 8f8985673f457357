from __future__ import annotations

import gzip
import resource
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from andi_bench.errors import UserError
from datasets.scans.nifti import read_nifti, require_same_grid, write_nifti

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def values(shape: tuple[int, ...] = (5, 6, 4)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_voxels_are_read_as_nibabel_reads_them(tmp_path: Path, dtype: str, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    nib.save(nib.Nifti1Image(values().astype(dtype), AFFINE), path)
    scan = read_nifti(path)
    np.testing.assert_array_equal(scan.values, nib.load(path).get_fdata())
    np.testing.assert_array_equal(scan.affine, AFFINE)


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_scaling_of_the_header_is_applied(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.nii.gz"
    image = nib.Nifti1Image(values().astype(dtype), AFFINE)
    image.header.set_slope_inter(0.25, -7.0)
    image.to_filename(path)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[112:120] = np.array([0.25, -7.0], "<f4").tobytes()  # nibabel rescales what it writes
    path.write_bytes(gzip.compress(bytes(raw)))
    np.testing.assert_allclose(read_nifti(path).values, nib.load(path).get_fdata(), rtol=1e-6)
    assert read_nifti(path).values.min() < 0


def test_both_byte_orders_and_nifti_2_are_read(tmp_path: Path) -> None:
    big = nib.Nifti1Image(values().astype(">i2"), AFFINE, nib.Nifti1Header(endianness=">"))
    nib.save(big, tmp_path / "big.nii")
    nib.save(nib.Nifti2Image(values().astype(np.int16), AFFINE), tmp_path / "two.nii.gz")
    for name in ("big.nii", "two.nii.gz"):
        np.testing.assert_array_equal(read_nifti(tmp_path / name).values, values())


def test_a_file_compressed_in_several_pieces_is_read_whole(tmp_path: Path) -> None:
    raw = nib.Nifti1Image(values((40, 40, 20)).astype(np.int16), AFFINE).to_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(raw[:9000]) + gzip.compress(raw[9000:]))
    np.testing.assert_array_equal(read_nifti(path).values, values((40, 40, 20)))


def test_a_fourth_axis_of_length_one_is_dropped(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(values((5, 6, 4, 1)).astype(np.int16), AFFINE), tmp_path / "a.nii")
    np.testing.assert_array_equal(
        read_nifti(tmp_path / "a.nii").values, values((5, 6, 4, 1))[..., 0]
    )


def _broken(folder: Path, kind: str) -> Path:
    path = folder / "scan.nii.gz"
    image = nib.Nifti1Image(values((30, 30, 20)).astype(np.float32), AFFINE)
    raw = image.to_bytes()
    if kind == "truncated":
        path.write_bytes(gzip.compress(raw)[:-700])
    elif kind == "flipped bit":
        packed = bytearray(gzip.compress(raw))
        packed[len(packed) // 2] ^= 16
        path.write_bytes(bytes(packed))
    elif kind == "short":
        path.write_bytes(gzip.compress(raw[:-700]))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "zero-filled":
        path.write_bytes(bytes(5000))
    elif kind == "text":
        path.write_text("this is no scan")
    elif kind == "volumes":
        nib.save(nib.Nifti1Image(np.ones((5, 6, 4, 3), np.float32), AFFINE), path)
    elif kind == "plane":
        nib.save(nib.Nifti1Image(np.ones((5, 6), np.float32), AFFINE), path)
    elif kind == "complex":
        nib.save(nib.Nifti1Image(np.ones((5, 6, 4), np.complex64), AFFINE), path)
    elif kind == "nan":
        bad = np.ones((5, 6, 4), np.float32)
        bad[0, 0, :3] = np.nan
        bad[1, 0, 0] = np.inf
        nib.save(nib.Nifti1Image(bad, AFFINE), path)
    elif kind == "singular":
        image.set_sform(np.zeros((4, 4)), code=1)
        path.write_bytes(gzip.compress(image.to_bytes()))
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("truncated", "truncated"),
        ("flipped bit", "damaged gzip"),
        ("short", "truncated"),
        ("empty", "not a NIfTI"),
        ("zero-filled", "not a NIfTI"),
        ("text", "not a NIfTI"),
        ("volumes", "5x6x4x3: one 3-D volume wanted"),
        ("plane", "one 3-D volume wanted"),
        ("complex", "complex64"),
        ("nan", "4 voxels are NaN or infinite"),
        ("singular", "singular"),
        ("folder", "cannot be read"),
        ("missing", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(
    tmp_path: Path, kind: str, said: str
) -> None:
    path = _broken(tmp_path, kind)
    with pytest.raises(UserError) as caught:
        read_nifti(path)
    message = str(caught.value)
    assert str(path) in message
    assert said in message
    assert "\n" not in message


def test_grids_that_differ_are_refused_naming_both(tmp_path: Path) -> None:
    shifted = AFFINE.copy()
    shifted[0, 3] += 0.5
    rounding = AFFINE.copy()
    rounding[0, 3] += 1e-4
    for name, shape, affine in [
        ("one", (5, 6, 4), AFFINE),
        ("other", (5, 6, 5), AFFINE),
        ("moved", (5, 6, 4), shifted),
        ("same", (5, 6, 4), rounding),
    ]:
        nib.save(nib.Nifti1Image(np.ones(shape, np.float32), affine), tmp_path / f"{name}.nii")
    scans = {path.stem: read_nifti(path) for path in tmp_path.iterdir()}
    require_same_grid("p", scans["one"], scans["same"])
    with pytest.raises(UserError, match=r"p: other.nii has shape 5x6x5, one.nii has 5x6x4"):
        require_same_grid("p", scans["one"], scans["other"])
    with pytest.raises(UserError, match=r"moved.nii has affine .*0.5.*one.nii has"):
        require_same_grid("p", scans["one"], scans["moved"])


def test_what_is_written_is_read_back_by_nibabel_and_always_the_same_bytes(tmp_path: Path) -> None:
    turned = np.array([[-0.9, 0.1, 0, 4], [0.1, 0.9, 0, -8], [0, 0, 1.5, 2], [0, 0, 0, 1]], float)
    image = values().astype(np.float32) / 7
    write_nifti(tmp_path / "a.nii.gz", image, turned)
    write_nifti(tmp_path / "b.nii.gz", image, turned)
    back = nib.load(tmp_path / "a.nii.gz")
    assert back.get_data_dtype() == np.float32
    np.testing.assert_array_equal(back.get_fdata(dtype=np.float32), image)
    np.testing.assert_allclose(back.affine, turned, atol=1e-6)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_map_cannot_be_written_under_another_ending_or_where_nothing_can_be(
    tmp_path: Path,
) -> None:
    image = values().astype(np.float32)
    with pytest.raises(UserError, match=r"ending in .nii.gz"):
        write_nifti(tmp_path / "a.png", image, AFFINE)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        write_nifti(tmp_path / "file" / "a.nii.gz", image, AFFINE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_full_disk_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    write_nifti(path, values().astype(np.float32), AFFINE)
    before = path.read_bytes()
    noise = np.random.default_rng(0).normal(size=(60, 60, 60)).astype(np.float32)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # Python ignores SIGXFSZ
    try:
        with pytest.raises(UserError, match="cannot be written"):
            write_nifti(path, noise, AFFINE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]
