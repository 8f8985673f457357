"""Data that are corrected between two commands: what is kept beside the maps is made again too."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import PARTS

QUICK = (
    "--workers 1 --set preprocessing.size=32 --set evaluation.bootstraps=10 "
    "--set evaluation.previews=0"
).split()

SETTLES = """
from methods.base import SliceDetector, register


@register("settles")
class Settles(SliceDetector):
    needs_calibration = True

    def fit(self, slices, context):
        pass

    def calibrate(self, volumes, context):
        return {"lesion": float(sum(v.lesion.sum() for v in volumes))}

    def score_slices(self, batch, generator):
        return batch * self.calibration["lesion"]
"""


def half_the_mask(scans: Path, name: str) -> None:
    path = scans / name / f"{name}_seg.nii.gz"
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    filled = np.flatnonzero(values.any(axis=(1, 2)))
    values[filled[len(filled) // 2] :] = 0
    nib.save(nib.Nifti1Image(values, image.affine), path)


def newest(tmp_path: Path) -> dict:
    found = (tmp_path / "workspace" / "records").glob("*__*/record.json")
    return json.loads(max(found, key=lambda p: p.stat().st_mtime_ns).read_text())


def test_masks_on_the_scans_own_grids_are_those_of_today(cli, scans, tmp_path):
    command = (
        f"run --method thresholding --dataset folder --data-root {scans} --alone --grid native"
    )
    assert cli(command, *QUICK).code == 0
    before = newest(tmp_path)["native"]["summary"]["raw"]["pooled"]["prevalence"]
    for name in PARTS["test"][:2]:
        half_the_mask(scans, name)
    assert cli(command, *QUICK).code == 0
    after = newest(tmp_path)["native"]["summary"]["raw"]["pooled"]["prevalence"]
    assert after < 0.8 * before


def test_given_maps_are_held_against_the_masks_of_today(cli, scans, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    for name in (*PARTS["val"], *PARTS["test"]):
        image = nib.load(scans / name / f"{name}_flair.nii.gz")
        values = np.asarray(image.dataobj, dtype=np.float32)
        nib.save(nib.Nifti1Image(values, image.affine), maps / f"{name}.nii.gz")
    command = (
        f"evaluate --maps {maps} --val-maps {maps} --name Mine --dataset folder --data-root {scans}"
    )
    answer = cli(command, *QUICK)
    assert answer.code == 0, answer.err
    before = newest(tmp_path)
    assert "was there already" in cli(command, *QUICK).err
    half_the_mask(scans, PARTS["test"][0])
    answer = cli(command, *QUICK)
    assert answer.code == 0, answer.err
    assert "was there already" not in answer.err
    after = newest(tmp_path)
    assert after["run"]["identity"] != before["run"]["identity"]
    figures = [r["summary"]["raw"]["pooled"]["prevalence"] for r in (before, after)]
    assert figures[1] < figures[0]


@pytest.fixture
def settles(tmp_path):
    path = tmp_path / "settles.py"
    path.write_text(SETTLES)
    return path


def test_what_a_method_settles_on_validation_data_follows_their_masks(
    cli, scans, tmp_path, settles
):
    command = f"run --plugin {settles} --dataset folder --data-root {scans} --alone"
    answer = cli(command, *QUICK)
    assert answer.code == 0, answer.err
    before = newest(tmp_path)
    half_the_mask(scans, PARTS["val"][0])
    assert cli(command, *QUICK).code == 0
    after = newest(tmp_path)
    settled = [record["method"]["calibration"]["lesion"] for record in (before, after)]
    assert settled[1] < settled[0]
    assert after["run"]["maps"] != before["run"]["maps"]
