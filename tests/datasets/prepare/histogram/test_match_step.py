"""The step that matches intensities: into a folder of its own, once, and again where anything has changed."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import write_subject

from andi_bench.errors import UserError
from datasets.prepare.histogram.brain_quantiles import QUANTILES, brain_quantiles
from datasets.prepare.histogram.match_step import (
    match_all,
    match_subject,
    read_reference,
    registered_subjects,
    write_reference,
)
from datasets.prepare.sidecar import (
    Preparation,
    PreparedFile,
    Reference,
    ReferenceFile,
    read_preparation,
)

FILES = {"flair": "flair", "t1": "t1", "mask": "seg"}


def reference(scale=2.0):
    values = tuple(float(v) for v in np.linspace(100, 1000, len(QUANTILES)) * scale)
    return Reference(
        dataset="there",
        subject="R",
        why="asked for",
        lesion_masked=False,
        quantiles=tuple(QUANTILES),
        files={"flair": ReferenceFile(path="R_flair.nii.gz", hash="0" * 32, values=values)},
    )


@pytest.fixture(scope="module")
def registered_once(tmp_path_factory):
    root = tmp_path_factory.mktemp("registered")
    for seed, name in enumerate("AB"):
        folder = write_subject(root, name, seed)
        for kind in ("t1ce", "t2"):
            (folder / f"{name}_{kind}.nii.gz").unlink()
        files = {k: PreparedFile(file=f"{name}_{word}.nii.gz") for k, word in FILES.items()}
        Preparation(subject=name, person=name, files=files).write(folder)
    return root


@pytest.fixture
def registered(registered_once, tmp_path):
    return shutil.copytree(registered_once, tmp_path / "registered")


def test_finished_subjects_are_found_and_damaged_ones_named(registered):
    (registered / "notes").mkdir()
    (registered / "B" / "preparation.json").write_text("{")
    found, failures = registered_subjects(registered)
    assert [s.id for s in found] == ["A"]
    assert found[0].files["mask"] == registered / "A" / "A_seg.nii.gz"
    assert [failure.subject for failure in failures] == ["B"]
    with pytest.raises(UserError, match="the step register wanted first"):
        registered_subjects(registered / "nowhere")


def test_a_brain_gets_the_references_quantiles_and_all_else_is_the_same_bytes(registered, tmp_path):
    subject = registered_subjects(registered)[0][0]
    target = tmp_path / "out" / "A"
    after = match_subject(subject, target, reference())
    image = np.asarray(nib.load(target / "A_flair.nii.gz").dataobj)
    brain = np.asarray(nib.load(subject.files["t1"]).dataobj) > 0
    wanted = reference().files["flair"].values
    np.testing.assert_allclose(brain_quantiles(image, brain)[1:-1], wanted[1:-1], rtol=0.02)
    for kind in ("t1", "mask"):
        copy = target / subject.files[kind].name
        assert copy.read_bytes() == subject.files[kind].read_bytes()
    assert read_preparation(target) == after
    assert list(after.matching.source) == ["flair"]
    assert read_preparation(registered / "A").matching is None


def test_without_a_reference_intensities_stay(registered, tmp_path):
    subject = registered_subjects(registered)[0][0]
    after = match_subject(subject, tmp_path / "A", None)
    assert after.matching is None
    for path in subject.files.values():
        assert (tmp_path / "A" / path.name).read_bytes() == path.read_bytes()


def test_what_is_finished_is_found_again_and_redone_where_something_has_changed(
    registered, tmp_path
):
    output = tmp_path / "out"
    output.mkdir()
    subjects, _ = registered_subjects(registered)

    def again(found):
        return match_all(subjects, output, found, workers=1)

    assert again(reference()).made == ("A", "B")
    assert again(reference()).kept == ("A", "B")
    (output / "B" / "B_t1.nii.gz").unlink()
    assert again(reference()).made == ("B",)
    before = read_preparation(registered / "A")
    changed = {**before.files, "t1": before.files["t1"].model_copy(update={"stamp": "new"})}
    before.model_copy(update={"files": changed}).write(registered / "A")
    assert again(reference()).made == ("A",)
    assert again(reference(3.0)).made == ("A", "B")
    assert again(None).made == ("A", "B")


def test_a_scan_that_cannot_be_read_fails_alone(registered, tmp_path):
    (registered / "A" / "A_flair.nii.gz").write_bytes(b"x")
    (tmp_path / "out").mkdir()
    subjects, _ = registered_subjects(registered)
    done = match_all(subjects, tmp_path / "out", reference(), workers=1)
    assert done.made == ("B",)
    assert "A_flair.nii.gz" in done.failures[0].reason
    assert not (tmp_path / "out" / "A").exists()


def test_a_reference_comes_back_and_damage_is_named(tmp_path):
    assert read_reference(tmp_path) is None
    write_reference(tmp_path, reference())
    assert read_reference(tmp_path) == reference()
    (tmp_path / "reference.json").write_text('{"format": 1}')
    with pytest.raises(UserError, match=r"reference.json: damaged .*delete it to choose"):
        read_reference(tmp_path)
