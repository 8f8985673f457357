"""Own scans brought to a template: one modality is registered, all else goes along."""

import nibabel as nib
import numpy as np
import pytest
from support.known_affines import affine_about

from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.prepare.register.own_scans_to_template import register_own_scans, template_at
from datasets.prepare.sidecar import read_preparation
from datasets.scans.lesion_mask import LesionRule

RULE = LesionRule(lesion_labels=(1,))


@pytest.fixture(scope="module")
def template(coarse):
    return template_at(coarse)


@pytest.fixture
def scans(template, tmp_path):
    """The template itself somewhere else in the world, as T1 and FLAIR, with a lesion and a brain mask."""
    brain = template.brain
    middle = template.affine[:3, :3] @ np.argwhere(brain).mean(axis=0) + template.affine[:3, 3]
    affine = affine_about(middle, (4, -6, 8)) @ template.affine
    affine[:3, 3] += (6, -4, 8)
    lesion = np.zeros(brain.shape, np.uint8)
    x, y, z = (int(v) for v in np.argwhere(brain).mean(axis=0))
    lesion[x - 3 : x + 3, y : y + 5, z : z + 5] = 1
    t1 = np.where(brain, template.values, 0).astype(np.float32)
    images = {
        "t1": t1,
        "flair": np.where(brain, t1.max() * 1.2 - t1, 0).astype(np.float32),
        "mask": lesion,
        "brain": brain.astype(np.uint8),
    }
    for kind, values in images.items():
        nib.save(nib.Nifti1Image(values, affine), tmp_path / f"own_{kind}.nii.gz")
    return {kind: tmp_path / f"own_{kind}.nii.gz" for kind in images}


def test_everything_lands_on_the_templates_grid(scans, template, tmp_path):
    done = register_own_scans("A", tmp_path, scans, RULE, template)
    assert done.problems == []
    assert done.record.moving == "t1"
    assert done.record.dice_after > 0.9 > done.record.dice_before
    assert done.record.metric_after > done.record.metric_before
    assert set(done.files) == set(scans)
    for kind, file in done.files.items():
        image = nib.load(tmp_path / file.file)
        assert image.shape == template.values.shape
        np.testing.assert_allclose(image.affine, template.affine, atol=1e-4)
        assert file.original is not None
        assert not scans[kind].exists()
    lesion = nib.load(tmp_path / done.files["mask"].file).get_fdata() > 0.5
    middle = np.argwhere(template.brain).mean(axis=0)
    assert np.abs(np.argwhere(lesion).mean(axis=0) - middle - (0, 2, 2)).max() < 2


def test_files_at_fault_are_all_named_and_nothing_is_registered(scans, template, tmp_path):
    scans["flair"].write_bytes(b"x")
    mask = nib.load(scans["mask"])
    nib.save(nib.Nifti1Image(mask.get_fdata().astype(np.uint8) * 7, mask.affine), scans["mask"])
    done = register_own_scans("A", tmp_path, scans, RULE, template)
    assert len(done.problems) == 2
    assert done.record is None
    assert all(path.exists() for path in scans.values())


def test_a_brain_mask_of_another_place_is_refused(scans, template, tmp_path):
    brain = nib.load(scans["brain"])
    far = np.array(brain.affine)
    far[0, 3] += 900
    nib.save(nib.Nifti1Image(np.asarray(brain.dataobj), far), scans["brain"])
    with pytest.raises(UserError, match="nothing of this brain mask lies in own_t1.nii.gz"):
        register_own_scans("A", tmp_path, scans, RULE, template)


def test_modalities_that_lie_apart_are_said(scans, template, tmp_path):
    del scans["brain"]
    flair = nib.load(scans["flair"])
    moved = np.array(flair.affine)
    moved[2, 3] += 60
    nib.save(nib.Nifti1Image(np.asarray(flair.dataobj), moved), scans["flair"])
    done = register_own_scans("A", tmp_path, scans, RULE, template)
    assert any(
        "the brains of flair and t1 overlap with a Dice of" in line for line in done.warnings
    )


def test_a_brain_mask_tells_the_background_where_nothing_else_does(scans, template, tmp_path):
    t1 = nib.load(scans["t1"])
    brain = np.asarray(nib.load(scans["brain"]).dataobj) > 0
    values = np.asarray(t1.dataobj)
    plain = register_own_scans(
        "A", _copied(scans, tmp_path / "plain"), _at(scans, tmp_path / "plain"), RULE, template
    )
    scored = (values - values[brain].mean()) / values[brain].std()
    noise = np.random.default_rng(0).normal(size=values.shape)  # fills the border with no value
    nib.save(
        nib.Nifti1Image(np.where(brain, scored, noise).astype(np.float32), t1.affine), scans["t1"]
    )
    alone = {kind: path for kind, path in scans.items() if kind != "brain"}
    bare = register_own_scans("A", tmp_path, alone, RULE, template)
    assert any("its background cannot be told" in line for line in bare.problems)
    done = register_own_scans("A", tmp_path, scans, RULE, template)
    assert done.problems == []
    assert done.record.dice_after == pytest.approx(plain.record.dice_after, abs=0.02)
    out = np.asarray(nib.load(tmp_path / done.files["t1"].file).dataobj)
    inside = np.asarray(nib.load(tmp_path / done.files["brain"].file).dataobj) > 0
    assert out.min() >= 0
    assert not out[~inside].any()
    assert (out[inside] > 0).mean() > 0.95  # z-scores below 0 are brain too


def test_ignored_labels_go_along_and_the_sidecar_says_what_they_mean(scans, coarse, tmp_path, cli):
    image = nib.load(scans["mask"])
    values = np.asarray(image.dataobj).copy()
    x, y, z = (int(v) for v in np.argwhere(values).mean(axis=0))
    values[values > 0] = 5
    values[x - 12 : x - 6, y - 3 : y + 3, z - 3 : z + 3] = 9
    nib.save(nib.Nifti1Image(values, image.affine), scans["mask"])
    table = tmp_path / "scans.csv"
    table.write_text(
        "subject,t1,flair,mask,brain\nA,own_t1.nii.gz,own_flair.nii.gz,own_mask.nii.gz,own_brain.nii.gz\n"
    )
    out = tmp_path / "out"
    answer = cli(
        *("prepare", "folder", "--csv", table, "--output", out, "--register", "--template", coarse),
        *("--lesion-labels", "5", "--ignore-labels", "9", "--workers", "1"),
    )
    assert answer.code == 0, answer.err
    adapter = FolderAdapter("folder", out)
    scan = adapter.read_scan(adapter.subjects()[0], ("t1", "flair"))
    edge = abs(np.linalg.det(scan.affine[:3, :3]) / np.linalg.det(image.affine[:3, :3]))
    for found, label in ((scan.lesion, 5), (scan.ignore, 9)):
        assert found.sum() * edge == pytest.approx((values == label).sum(), rel=0.2)
    assert not (scan.lesion & scan.ignore).any()
    said = read_preparation(out / "A").labels
    assert (said.lesion_labels, said.ignore_labels) == ((1,), (2,))


def _copied(scans, folder):
    folder.mkdir()
    for path in scans.values():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def _at(scans, folder):
    return {kind: folder / path.name for kind, path in scans.items()}
