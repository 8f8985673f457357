"""What identifies a subject's files: as it always was for ordinary scans, marked for those that are read otherwise."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_heads import BRATS_AFFINE

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.contents import every_image, image_content
from datasets.adapters.folder import FolderAdapter
from datasets.scans.fingerprints import FingerprintCache
from datasets.slices.builder import store_identity
from datasets.slices.format import identity_hash

PINNED = "ea2b7ebafa6481cf4bab608b63671ade-09d20722a735211adba5b8a584ee2792"
PINNED_STORE = "aaabc37c0484"
"""As the code before version 2 of reading named this scan and its slices."""
FLAIR = PreprocessingConfig(size=24, modalities=("flair",))


def scan() -> np.ndarray:
    """Return an image of whole numbers without any chance in it: its file has the same bytes on every machine."""
    x, y, z = np.ogrid[:24, :24, :10]
    inside = (x - 12) ** 2 + (y - 12) ** 2 + 4 * (z - 5) ** 2 < 90
    return np.where(inside, 300 + 7 * x + 5 * y + 3 * z, 0).astype(np.int16)


def opened(root: Path, values: np.ndarray, affine: np.ndarray = BRATS_AFFINE, unit: str = "mm"):
    folder = root / "a"
    folder.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, folder / "a_flair.nii")
    nib.save(
        nib.Nifti1Image((scan() > 400).astype(np.uint8), affine, image.header), folder / "a_seg.nii"
    )
    adapter = FolderAdapter("folder", root)
    return adapter, adapter.subjects()[0]


def former(subject) -> str:
    """Return the content as version 1 had it: the hashes of the files' bytes."""
    files = [subject.paths["flair"], subject.mask]
    return "-".join(hashlib.blake2b(f.read_bytes(), digest_size=16).hexdigest() for f in files)


def test_an_ordinary_scan_keeps_its_identity(tmp_path):
    adapter, subject = opened(tmp_path, scan())
    assert adapter.content(subject, ("flair",)) == former(subject) == PINNED
    store = store_identity(adapter, [subject], FLAIR, "train")
    assert store["subjects"] == [["a", PINNED]]
    assert identity_hash(store)[:12] == PINNED_STORE


MICRONS = np.diag([1e3, 1e3, 1e3, 1.0]) @ BRATS_AFFINE
OTHERWISE = {
    "z-scored": lambda: (np.where(scan() > 0, scan() - 450.0, 0).astype(np.float32),),
    "background 100": lambda: ((scan() + 100).astype(np.int16),),
    "microns": lambda: (scan(), MICRONS, "micron"),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_scan_that_is_read_otherwise_has_another_identity(name, tmp_path):
    adapter, subject = opened(tmp_path, *OTHERWISE[name]())
    found = adapter.content(subject, ("flair",))
    assert found == f"reading 2:{former(subject)}"
    assert adapter.content(subject, ("flair",), lesion=False) == found.rsplit("-", 1)[0]
    assert store_identity(adapter, [subject], FLAIR, "train")["subjects"] == [["a", found]]
    adapter.read(subject, FLAIR)  # and it is read


def test_what_was_hashed_is_not_read_again(tmp_path, monkeypatch):
    adapter, subject = opened(tmp_path, scan())
    adapter.images([subject], ("flair",))
    with monkeypatch.context() as patch:
        kinds = {"file": FingerprintCache._KINDS["file"]}
        patch.setattr(FingerprintCache, "_KINDS", kinds)  # voxels cannot be read now
        assert adapter.content(subject, ("flair",)) == former(subject)


def test_images_that_are_no_scan_are_named_with_their_subject(tmp_path):
    _, subject = opened(tmp_path, np.full((24, 24, 10), 7, np.int16))
    path = subject.paths["flair"]
    with pytest.raises(UserError, match=rf"{path}: every voxel is 7: a scan wanted \(subject a\)"):
        every_image(FingerprintCache(), subject, ("flair", "t1"))
    assert (
        image_content(FingerprintCache(), path) == f"reading 2:{former(subject)}".rsplit("-", 1)[0]
    )
