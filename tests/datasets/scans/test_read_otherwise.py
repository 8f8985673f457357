"""Which files today's reading reads otherwise than version 1 did: exactly these are marked."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from support.places import SHARED
from support.small_heads import BRATS_AFFINE, head

from datasets.scans.fingerprints import READ_SINCE, FingerprintCache
from datasets.scans.nifti import read_nifti
from datasets.scans.read_otherwise import AS_EVER, READING, reading_of, reading_of_file


def written(path, values, unit="mm", scale=1.0, spacing=1.0):
    affine = BRATS_AFFINE.copy()
    affine[:3] *= spacing / scale
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


def z_scored(values):
    inside = values > 0
    out = np.zeros(values.shape, np.float32)
    out[inside] = (values[inside] - values[inside].mean()) / values[inside].std()
    return out


ORDINARY = {
    "whole numbers": lambda v: np.rint(v).astype(np.int16),
    "real numbers": lambda v: v.astype(np.float32),
    "ringing below 0": lambda v: np.where(
        (v == 0) & (np.arange(v.shape[0]) == 3)[:, None, None], -0.001, v
    ).astype(np.float32),
    "air that is noise": lambda v: (v + np.random.default_rng(0).uniform(0, 9, v.shape)).astype(
        np.float32
    ),
}
OTHERWISE = {
    "z-scored in the brain": z_scored,
    "background 100": lambda v: np.rint(v + 100).astype(np.int16),
    "background -1024": lambda v: np.where(v > 0, v, -1024).astype(np.int16),
    "no background": lambda v: np.random.default_rng(0).normal(size=v.shape).astype(np.float32),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_scans_are_read_as_ever(name, tmp_path):
    path = written(tmp_path / "a.nii.gz", ORDINARY[name](head()))
    assert reading_of_file(path) == AS_EVER
    assert reading_of(read_nifti(path)) == AS_EVER


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_background_is_read_otherwise(name, tmp_path):
    assert reading_of_file(written(tmp_path / "a.nii.gz", OTHERWISE[name](head()))) == 2


@pytest.mark.parametrize(
    ("unit", "scale", "version"),
    [("mm", 1, 1), ("unknown", 1, 1), ("micron", 1e-3, 2), ("meter", 1e3, 2)],
)
def test_a_unit_other_than_mm_is_read_otherwise(unit, scale, version, tmp_path):
    path = written(tmp_path / "a.nii.gz", head().astype(np.float32), unit, scale)
    assert reading_of_file(path) == version


def test_what_is_refused_today_is_read_otherwise(tmp_path):
    path = written(tmp_path / "a.nii.gz", head().astype(np.float32), spacing=30.0)
    assert reading_of_file(path) == 2
    path.write_bytes(path.read_bytes()[:200])
    assert reading_of_file(path) == 2


def test_one_reading_tells_the_voxels_and_how_they_are_read(tmp_path, monkeypatch):
    path = written(tmp_path / "a.nii.gz", OTHERWISE["background 100"](head()))
    cache = FingerprintCache()
    cache.hash(path, "voxels")
    monkeypatch.setattr(FingerprintCache, "_KINDS", {})  # nothing can be read now
    assert int(cache.hash(path, READ_SINCE), 16) == READING


def test_how_a_file_is_read_is_remembered_for_another_command(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.scans.fingerprints.SETTLED", -1)
    path = written(tmp_path / "a.nii.gz", OTHERWISE["background 100"](head()))
    found = FingerprintCache(tmp_path / "cache.jsonl").hash(path, READ_SINCE)
    monkeypatch.setattr(FingerprintCache, "_KINDS", {})
    assert FingerprintCache(tmp_path / "cache.jsonl").hash(path, READ_SINCE) == found


@pytest.mark.parametrize("place", ["brats21", "shifts_ms", "brats_africa"])
def test_real_scans_are_read_as_ever(place):
    files = sorted((SHARED / "data" / place).rglob("*.nii.gz"))
    scans = [f for f in files if not any(w in f.name.lower() for w in ("seg", "gt", "mask"))]
    if not scans:
        pytest.skip("the real patients are not beside this checkout")
    assert [f.name for f in scans[:4] if reading_of_file(f) != AS_EVER] == []
