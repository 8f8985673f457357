"""Hashes of files are remembered only as long as the file is certainly the same."""

from __future__ import annotations

import os
import time

import nibabel as nib
import numpy as np
import pytest

from datasets.scans.fingerprints import FingerprintCache, file_hash, grid_hash


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"before")
    return path


def test_a_file_replaced_with_its_size_and_time_kept_has_another_hash(scan, tmp_path):
    cache = tmp_path / "cache.jsonl"
    first, before = FingerprintCache(cache).hash(scan, "file"), scan.stat()
    scan.write_bytes(b"after!")
    os.utime(scan, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan.stat().st_size == before.st_size
    assert FingerprintCache(cache).hash(scan, "file") == file_hash(scan) != first


def test_another_file_moved_on_to_the_name_has_another_hash(scan, tmp_path):
    cache = FingerprintCache(tmp_path / "cache.jsonl")
    first, before = cache.hash(scan, "file"), scan.stat()
    other = tmp_path / "other"
    other.write_bytes(b"after!")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(scan)
    assert cache.hash(scan, "file") != first


def test_what_was_written_a_moment_ago_is_not_kept_for_another_command(scan, tmp_path, monkeypatch):
    cache = tmp_path / "cache.jsonl"
    FingerprintCache(cache).hash(scan, "file")
    assert not cache.exists()
    now = time.time()
    monkeypatch.setattr("datasets.scans.fingerprints.time.time", lambda: now + 60)
    FingerprintCache(cache).hash(scan, "file")
    assert cache.exists()


def test_a_time_in_the_future_is_not_kept(scan, tmp_path):
    cache = tmp_path / "cache.jsonl"
    os.utime(scan, (time.time() + 9e5, time.time() + 9e5))
    FingerprintCache(cache).hash(scan, "file")
    assert not cache.exists()


def test_a_settled_file_is_read_once(scan, tmp_path, monkeypatch):
    cache = tmp_path / "cache.jsonl"
    now = time.time()
    monkeypatch.setattr("datasets.scans.fingerprints.time.time", lambda: now + 60)
    first = FingerprintCache(cache).hash(scan, "file")
    monkeypatch.setattr(FingerprintCache, "_KINDS", {"file": lambda path: "read again"})
    assert FingerprintCache(cache).hash(scan, "file") == first


def test_the_hash_of_a_grid_tells_places_and_not_directions_of_axes(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.diag([1.0, 2.0, 3.0, 1.0]))
    moved = image.affine.copy()
    moved[0, 3] += 0.5
    turned = image.as_reoriented(np.array([[1, -1], [0, 1], [2, 1]]))
    assert turned.shape == (5, 4, 6)
    others = {
        "same": image,
        "turned": turned,
        "moved": nib.Nifti1Image(image.dataobj, moved),
        "cut": nib.Nifti1Image(np.zeros((4, 5, 5), np.uint8), image.affine),
    }
    found = {}
    for name, one in others.items():
        nib.save(one, tmp_path / f"{name}.nii.gz")
        found[name] = grid_hash(tmp_path / f"{name}.nii.gz")
    assert found["same"] == found["turned"]
    assert len(set(found.values())) == 3
