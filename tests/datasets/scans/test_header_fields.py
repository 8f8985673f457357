"""Every header field that says where voxels lie or how large they are means what the standard says, or is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from andi_bench.errors import UserError
from andi_bench.geometry import voxel_sizes
from datasets.scans.nifti import float32_holds, read_nifti, same_grid, turned_along

AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])


def image(affine: np.ndarray = AFFINE, dtype: type = np.int16) -> nib.Nifti1Image:
    values = np.random.default_rng(0).integers(0, 200, (6, 5, 4)).astype(dtype)
    return nib.Nifti1Image(values, affine)


@pytest.mark.parametrize(
    ("unit", "factor"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1), ("unknown", 1)]
)
def test_units_become_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    given = image(np.diag([-4 * factor, -4 * factor, 4 * factor, 1.0]))
    given.header.set_xyzt_units(unit)
    nib.save(given, tmp_path / "a.nii.gz")
    np.testing.assert_allclose(read_nifti(tmp_path / "a.nii.gz").affine, AFFINE, rtol=1e-6)


@pytest.mark.parametrize("edge", [0.004, 4000.0])
def test_voxels_that_no_head_has_are_refused_with_the_unit(tmp_path: Path, edge: float) -> None:
    given = image(np.diag([-edge, -edge, edge, 1.0]))
    given.header.set_xyzt_units("mm")
    nib.save(given, tmp_path / "a.nii.gz")
    with pytest.raises(
        UserError, match=r"a.nii.gz: voxels of .* mm \(sform, unit mm\): edges of 0.1"
    ):
        read_nifti(tmp_path / "a.nii.gz")


def test_qform_and_sform_that_disagree_are_named_and_the_sform_is_used(tmp_path: Path) -> None:
    given = image()
    moved = AFFINE.copy()
    moved[0, 3] = 35
    given.set_sform(moved, code=1)
    given.set_qform(AFFINE, code=1)
    nib.save(given, tmp_path / "a.nii.gz")
    found = read_nifti(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(found.affine, moved)
    assert "35 mm apart: the sform is used" in found.notes[0]


def test_a_code_of_0_says_that_the_field_is_not_used(tmp_path: Path) -> None:
    given = image()
    wrong = np.diag([-9.0, -9.0, 9.0, 1.0])
    given.set_qform(AFFINE, code=1)
    given.set_sform(wrong, code=0)
    nib.save(given, tmp_path / "q.nii.gz")
    found = read_nifti(tmp_path / "q.nii.gz")
    assert voxel_sizes(found.affine) == (4, 4, 4)
    assert found.notes == ()


def changed(path: Path, at: int, content: bytes) -> None:
    raw = bytearray(image().to_bytes())
    raw[at : at + len(content)] = content
    path.write_bytes(gzip.compress(bytes(raw)))


@pytest.mark.parametrize(
    ("at", "content", "words"),
    [
        (123, bytes([5]), "xyzt_units has spatial unit 5"),
        (344, b"ni1\0", r"header of a .hdr/.img pair"),
        (344, b"\0\0\0\0", "an ANALYZE header"),
        (116, np.array([np.inf], "<f4").tobytes(), "scaling is not finite"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, at: int, content: bytes, words: str
) -> None:
    path = tmp_path / "a.nii.gz"
    changed(path, at, content)
    if at == 116:
        changed(path, 112, np.array([1.0, np.inf], "<f4").tobytes())
    with pytest.raises(UserError, match=words) as caught:
        read_nifti(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("slope", [0.0, np.nan])
def test_a_slope_of_0_or_none_scales_nothing(tmp_path: Path, slope: float) -> None:
    changed(tmp_path / "a.nii.gz", 112, np.array([slope, 7.0], "<f4").tobytes())
    np.testing.assert_array_equal(read_nifti(tmp_path / "a.nii.gz").values, image().get_fdata())


def test_a_pixdim_of_0_is_refused_where_it_is_needed(tmp_path: Path) -> None:
    raw = bytearray(image().to_bytes())
    raw[252:256] = bytes(4)  # qform and sform codes
    raw[80:92] = bytes(12)
    (tmp_path / "a.nii").write_bytes(bytes(raw))
    with pytest.raises(UserError, match="pixdim 0x0x0 and no sform"):
        read_nifti(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
            "a Git LFS pointer",
        ),
        (b"/annex/objects/SHA256E-s9--1.nii.gz\n", "a git-annex pointer"),
        (b"\n<!DOCTYPE html>\n<html>", "an HTML page"),
        (b"", "an empty file"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    for path in (tmp_path / "a.nii", tmp_path / "a.nii.gz"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=words):
            read_nifti(path)


def test_a_link_of_git_annex_without_its_content_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").symlink_to(".git/annex/objects/x/SHA256E-s9--1.nii.gz")
    with pytest.raises(UserError, match="git annex get"):
        read_nifti(tmp_path / "a.nii.gz")


def test_bytes_behind_a_gzip_stream_are_passed_over_with_a_note(tmp_path: Path) -> None:
    raw = image().to_bytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(raw) + b"rubbish")
    found = read_nifti(path)
    np.testing.assert_array_equal(found.values, image().get_fdata())
    assert found.notes == ("7 bytes behind the end of the gzip stream were passed over",)
    path.write_bytes(gzip.compress(raw) + b"r")
    one = "1 byte behind the end of the gzip stream was passed over"
    assert read_nifti(path).notes == (one,)
    path.write_bytes(gzip.compress(raw) + bytes(512))  # padding
    assert read_nifti(path).notes == ()
    half = len(raw) // 2
    path.write_bytes(gzip.compress(raw[:half]) + gzip.compress(raw[half:]))
    np.testing.assert_array_equal(read_nifti(path).values, image().get_fdata())
    path.write_bytes(gzip.compress(raw[:half]) + gzip.compress(raw[half:])[:-9])
    with pytest.raises(UserError, match="truncated or damaged gzip"):
        read_nifti(path)


def test_axes_are_turned_where_the_place_is_the_same_and_only_there(tmp_path: Path) -> None:
    nib.save(image(), tmp_path / "a.nii.gz")
    turned = nib.as_closest_canonical(image())
    turned = turned.as_reoriented([[1, 1], [0, -1], [2, 1]])
    nib.save(turned, tmp_path / "b.nii.gz")
    first, second = read_nifti(tmp_path / "a.nii.gz"), read_nifti(tmp_path / "b.nii.gz")
    assert not same_grid(first, second)
    back = turned_along(second, first.values.shape, first.affine)
    assert same_grid(first, back)
    np.testing.assert_array_equal(back.values, first.values)
    elsewhere = turned_along(second, first.values.shape, first.affine + np.eye(4, k=3) * 8)
    assert elsewhere is second


def test_a_header_tells_whether_float32_holds_the_numbers(tmp_path: Path) -> None:
    for dtype, held in [(np.int16, 1), (np.float32, 1), (np.int32, 0), (np.float64, 0)]:
        nib.save(image(dtype=dtype), tmp_path / "a.nii.gz")
        assert float32_holds(tmp_path / "a.nii.gz") is bool(held)
