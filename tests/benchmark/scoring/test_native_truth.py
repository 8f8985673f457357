"""Masks on the scans' own grids: as the files have them, kept once."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from benchmark.scoring.native_truth import TruthStore

CONFIG = PreprocessingConfig(size=32)


def test_masks_come_back_as_the_files_have_them(adapter, four_scans, tmp_path):
    store = TruthStore(tmp_path / "native", CONFIG, {"C": "s"})
    (subject,) = [s for s in adapter.subjects() if s.id == "C"]
    assert store.missing(["C", "D"]) == ["C", "D"]
    store.keep(adapter, subject)
    assert store.missing(["C", "D"]) == ["D"]
    found = store.load("C")
    image = nib.load(four_scans / "C" / "C_t1.nii.gz")
    lesion = nib.load(four_scans / "C" / "C_seg.nii.gz").get_fdata() > 0
    assert found.grid.shape == image.shape
    np.testing.assert_array_equal(found.grid.affine, image.affine)
    np.testing.assert_array_equal(found.lesion, lesion)
    np.testing.assert_array_equal(found.brain, image.get_fdata() > 0)
    assert found.spacing == (4, 4, 4)


def test_a_subject_whose_lesions_are_not_known_has_no_truth(adapter, tmp_path):
    subject = dataclasses.replace(adapter.subjects_in("test")[0], mask=None)
    with pytest.raises(ValueError, match="C has no lesion mask"):
        TruthStore(tmp_path, CONFIG).keep(adapter, subject)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b""])
def test_damaged_masks_are_named(adapter, tmp_path, damage):
    store = TruthStore(tmp_path, CONFIG, {"C": "s"})
    store.keep(adapter, adapter.subjects_in("test")[0])
    path = store.path("C")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"C\.s\.npz: damaged masks"):
        store.load("C")
    with pytest.raises(UserError, match="damaged masks"):
        store.load("D")
