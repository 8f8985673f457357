from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from andi_bench.errors import UserError
from datasets.scans.lesion_mask import LesionRule, admits, lesion_voxels, mask_facts
from datasets.scans.nifti import NiftiScan, write_nifti


def mask(values: list[float], dtype: str) -> NiftiScan:
    return NiftiScan(Path("seg.nii.gz"), np.array(values, dtype).reshape(1, 1, -1), np.eye(4))


def voxels(scan: NiftiScan, **options: object) -> list[bool]:
    return lesion_voxels(scan, LesionRule.model_validate(options)).ravel().tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 1, 2, 4], "uint8"),
        ([0, 1, 2, 3], "int16"),
        ([0, 1, 2, 4], "float64"),
        ([0, 255, 255, 255], "uint8"),
        ([0, 255, 255, 255], "float32"),
        ([0, 1, 1, 1], "uint8"),
        ([0, 0.99999, 2.00001, 4], "float32"),
        ([0.0, 0.51, 0.9, 1.0], "float32"),
        ([-0.08, 0.51, 0.9, 1.06], "float32"),  # a spline overshoots
    ],
)
def test_every_coding_of_a_mask_gives_the_same_lesion(values: list[float], dtype: str) -> None:
    assert voxels(mask(values, dtype)) == [False, True, True, True]


def test_a_resampled_mask_is_cut_at_its_option() -> None:
    scan = mask([0.1, 0.3, 0.5, 0.7], "float32")
    assert voxels(scan) == [False, False, False, True]
    assert voxels(scan, mask_threshold=0.2) == [False, True, True, True]


def test_only_the_labels_named_are_lesion() -> None:
    scan = mask([0, 1, 2, 4], "uint8")
    assert voxels(scan, lesion_labels=[1, 4], other_labels=[2]) == [False, True, False, True]
    with pytest.raises(UserError, match=r"seg.nii.gz: label 2 found: one of 0, 1, 4 wanted"):
        voxels(scan, lesion_labels=[1, 4])


def test_an_empty_mask_is_no_lesion() -> None:
    assert voxels(mask([0, 0, 0, 0], "uint8")) == [False] * 4


@pytest.mark.parametrize("values", [[0, -1, 1, 1], [0, 0.4, 3.3, 200.0], [0, -0.6, 0.5, 1]])
def test_values_that_mean_nothing_are_refused(values: list[float]) -> None:
    with pytest.raises(UserError, match=r"seg.nii.gz: .* wanted"):
        voxels(mask(values, "float32"))


@pytest.mark.parametrize(
    ("values", "dtype", "lesion_labels", "sound", "admitted"),
    [
        ([0, 1, 2, 4], "uint8", None, True, True),
        ([0, 1, 2, 4], "uint8", (1, 2, 4), True, True),
        ([0, 1, 2, 3], "uint8", (1, 2, 4), True, False),
        ([0, 255, 0, 0], "uint8", None, True, True),
        ([0, 255, 0, 0], "uint8", (1,), True, False),
        ([0, 0.2, 1, 0], "float32", (1,), True, True),
        ([0, -1, 1, 0], "int16", None, False, True),
        ([0, 0.5, 2, 0], "float32", None, False, True),
    ],
)
def test_what_is_remembered_of_a_mask_says_whether_its_rule_takes_it(
    values, dtype, lesion_labels, sound, admitted, tmp_path
):
    path = tmp_path / "seg.nii.gz"
    write_nifti(path, np.array(values, dtype).reshape(1, 1, -1), np.eye(4))
    found = mask_facts(path)
    rule = LesionRule(lesion_labels=lesion_labels)
    assert (int(found["mask"], 16) == 1, admits(rule, found["labels"])) == (sound, admitted)
