"""Own scans brought to a template: every modality by its own affine, the mask too, and maps back again."""

import json

import nibabel as nib
import numpy as np
import pytest
from matplotlib.image import imread
from support.phantoms import PHANTOM
from support.small_scans import save

from datasets.phantom.recipe import make_subject, subjects_of
from datasets.phantom.template import load_template
from datasets.prepare.sidecar import read_preparation
from datasets.scans.nifti import read_nifti

SPACING = 3.0


def turned(degrees, shift):
    """A rotation about the head's axis, and a shift, mm."""
    angle = np.radians(degrees)
    out = np.eye(4)
    out[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    out[:3, 3] = shift
    return out


AWAY = turned(12, [15, -8, 10])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A phantom subject elsewhere in the world, its FLAIR on a grid of its own; as template where it was."""
    root = tmp_path_factory.mktemp("study")
    people = subjects_of(PHANTOM.model_copy(update={"spacing": SPACING}))
    template = load_template().smoothed(SPACING)
    scans, mask, grid = make_subject(people[0], template)
    save(root / "template.nii.gz", scans["t1"], grid.affine)
    away = AWAY
    save(root / "A_t1.nii.gz", scans["t1"], away @ grid.affine)
    save(root / "A_seg.nii.gz", mask, away @ grid.affine)
    cut = grid.affine.copy()  # every second slice, from the second on
    cut[:3, 3] += cut[:3, 2]
    cut[:3, 2] *= 2
    save(root / "A_flair.nii.gz", scans["flair"][:, :, 1::2], away @ cut)
    (root / "scans.csv").write_text(
        "subject,t1,flair,mask\nA,A_t1.nii.gz,A_flair.nii.gz,A_seg.nii.gz\n"
    )
    return root, scans, mask, grid.affine


def test_modalities_on_grids_of_their_own_come_to_lie_on_the_template(cli, tmp_path, study):
    root, scans, mask, affine = study
    plain = cli("prepare", "folder", "--csv", root / "scans.csv", "--output", tmp_path / "plain")
    assert plain.code == 1
    assert "one grid wanted" in plain.err
    output = tmp_path / "prepared"
    answer = cli(
        *("prepare", "folder", "--csv", root / "scans.csv", "--output", output, "--register"),
        *("--template", root / "template.nii.gz", "--workers", "1"),
    )
    assert answer.code == 0, answer.err
    found = {k: read_nifti(output / "A" / f"A_{k}.nii.gz") for k in ("t1", "flair", "seg")}
    for scan in found.values():
        np.testing.assert_allclose(scan.affine, affine, atol=1e-5)
        assert scan.values.shape == scans["t1"].shape
    brain = scans["t1"] > 0
    moved = found["t1"].values > 0.02 * found["t1"].values.max()
    assert 2 * (brain & moved).sum() / (brain.sum() + moved.sum()) > 0.95
    lesion = found["seg"].values > 0.5
    both = lesion & (mask > 0)
    assert 2 * both.sum() / (lesion.sum() + (mask > 0).sum()) > 0.85
    inner = brain & moved
    inner[:, :, [0, 1, -2, -1]] = False
    likeness = np.corrcoef(found["flair"].values[inner], scans["flair"][inner])[0, 1]
    assert likeness > 0.8, likeness
    preparation = read_preparation(output / "A")
    assert preparation.files["flair"].path == str(root / "A_flair.nii.gz")
    back = np.array(preparation.registration.to_template) @ AWAY  # the identity, were it exact
    corners = np.array([[x, y, z, 1.0] for x in (-60, 60) for y in (-70, 70) for z in (20, 130)])
    assert np.abs(corners @ back.T - corners)[:, :3].max() < 2
    marker = json.loads((output / "dataset.json").read_text())
    assert marker["recipe"]["registered to"]
    sheet = output / "report" / "contact-sheet-01.png"
    assert f"contact sheet, to be looked at: {sheet}" in answer.out
    assert imread(sheet).shape[0] > 100


@pytest.mark.slow
def test_a_real_patient_by_its_names_reaches_the_icbm_template(cli, tmp_path, patients):
    folder = patients / "ljubljana" / "dev_in"
    (tmp_path / "scans.csv").write_text(
        "subject,t1,flair,mask\n"
        + "".join(
            f"P{n},t1/{n}_T1_isovox.nii.gz,flair/{n}_FLAIR_isovox.nii.gz,gt/{n}_gt_isovox.nii.gz\n"
            for n in (7, 19)
        )
    )
    output = tmp_path / "prepared"
    answer = cli(
        *("prepare", "folder", folder, "--csv", tmp_path / "scans.csv", "--output", output),
        "--register",
    )
    assert answer.code == 0, answer.err
    for n in (7, 19):
        assert read_preparation(output / f"P{n}").registration.dice_after > 0.9
        image = nib.load(output / f"P{n}" / f"P{n}_flair.nii.gz")
        assert image.shape == (240, 240, 155)
