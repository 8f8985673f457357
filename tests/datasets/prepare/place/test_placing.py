"""From a found subject to its folder: whole, checked, or not at all."""

import dataclasses
import gzip

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import AFFINE, SHAPE, save, write_subject

from andi_bench.errors import UserError
from datasets.prepare.find.sources import file_at
from datasets.prepare.found import Gathered, Incoming
from datasets.prepare.place.currency import is_done
from datasets.prepare.place.data_folder import ScansRequest, prepare_subjects, prepared_in
from datasets.prepare.place.subject_folder import Recipe, Task, place_subject
from datasets.prepare.sidecar import read_whole
from datasets.scans.lesion_mask import LesionRule

RECIPE = Recipe(rule=LesionRule(lesion_labels=(4,)))
KINDS = {"flair": "flair", "t1": "t1", "t1ce": "t1ce", "t2": "t2", "mask": "seg"}


@pytest.fixture
def incoming(tmp_path):
    """Return a function that writes a subject and says where its files are."""

    def made(name="A", seed=0, lesion=True, kinds=tuple(KINDS), **changes):
        folder = write_subject(tmp_path / "source", name, seed, lesion=lesion)
        files = {}
        for kind in kinds:
            path = folder / f"{name}_{KINDS[kind]}.nii.gz"
            files[kind] = file_at(path, path.name)
        return Incoming(name, files, **changes)

    return made


def placed(subject, tmp_path, recipe=RECIPE):
    output = tmp_path / "out"
    output.mkdir(exist_ok=True)
    return place_subject(Task(subject, output, recipe)), output / subject.id


@pytest.mark.parametrize("copy", [False, True])
def test_a_subject_is_linked_or_copied_with_its_facts_beside(incoming, tmp_path, copy):
    subject = incoming(person="P", attributes={"age": "3"}, part="test")
    done, folder = placed(subject, tmp_path, dataclasses.replace(RECIPE, copy=copy))
    assert done.problems == ()
    found = read_whole(folder)
    assert (found.person, found.part, found.attributes) == ("P", "test", {"age": "3"})
    assert {file.how for file in found.files.values()} == {"copy" if copy else "link"}
    for kind, file in found.files.items():
        path = folder / file.file
        assert path.is_symlink() == (not copy)
        assert path.read_bytes() == subject.files[kind].container.read_bytes()
    lesion = nib.load(subject.files["mask"].container).get_fdata() > 0
    assert found.measured.lesion_ml == pytest.approx(lesion.sum() * 0.064)
    assert found.measured.shape == SHAPE
    assert is_done(subject, found)
    later = dataclasses.replace(subject.files["t1"], stamp="later")
    assert not is_done(dataclasses.replace(subject, files={**subject.files, "t1": later}), found)


def test_a_modality_that_is_wanted_must_be_there(incoming, tmp_path):
    subject = incoming(kinds=("t1", "mask"), warnings=("look at X.mha",))
    done, folder = placed(subject, tmp_path, dataclasses.replace(RECIPE, wanted=("t1", "flair")))
    assert done.problems == ("flair missing (t1, mask found); look at X.mha",)
    assert not folder.exists()


def test_who_is_known_to_be_healthy_gets_an_empty_mask(incoming, tmp_path):
    subject = incoming(kinds=("t1",), healthy=True)
    _, folder = placed(subject, tmp_path)
    found = read_whole(folder)
    assert found.files["mask"].how == "written: no lesion"
    assert not nib.load(folder / found.files["mask"].file).get_fdata().any()
    assert found.measured.lesion_ml == 0


def test_an_ending_that_is_not_true_is_mended_and_said(incoming, tmp_path):
    subject = incoming(kinds=("t1",))
    path = subject.files["t1"].container
    path.write_bytes(gzip.decompress(path.read_bytes()))
    _, folder = placed(subject, tmp_path)
    assert (folder / "A_t1.nii").is_symlink()
    assert "is not compressed, whatever its ending says" in read_whole(folder).warnings[0]


def damaged(path):
    path.write_bytes(path.read_bytes()[:200])


def empty(path):
    save(path, np.zeros(SHAPE, np.int16))


def elsewhere(path):
    image = nib.load(path)
    save(path, np.asarray(image.dataobj), AFFINE + np.eye(4, k=3) * 50)


@pytest.mark.parametrize("fault", [damaged, empty, elsewhere])
def test_files_at_fault_are_named_as_the_user_has_them_and_leave_nothing(incoming, tmp_path, fault):
    subject = incoming()
    fault(subject.files["t2"].container)
    done, folder = placed(subject, tmp_path)
    assert any("A_t2.nii.gz" in line for line in done.problems)
    assert not any("partial" in line or str(tmp_path / "out") in line for line in done.problems)
    assert not done.full
    assert list(folder.parent.iterdir()) == []


def request(tmp_path, *subjects, problems=(), **changes):
    gathered = Gathered(list(subjects), list(problems))
    return ScansRequest(
        "folder", tmp_path / "out", RECIPE, lambda _: gathered, workers=1, **changes
    )


def test_subjects_fail_alone_and_what_is_done_is_not_done_again(incoming, tmp_path):
    subjects = [incoming(name, seed) for seed, name in enumerate("ABC")]
    content = subjects[1].files["t1"].container.read_bytes()
    damaged(subjects[1].files["t1"].container)
    seen = []
    first = prepare_subjects(
        request(tmp_path, *subjects, problems=["x.nii: refused"]), lambda *step: seen.append(step)
    )
    assert [s.subject for s in first.prepared] == ["A", "C"]
    assert (list(first.failed), first.reused, first.sound) == (["B"], 0, False)
    assert first.failures[0] == "x.nii: refused"
    assert first.failures[1].startswith("B: ")
    assert seen[-1] == ("preparing subjects", 3, 3)
    subjects[1].files["t1"].container.write_bytes(content)
    mended = [*subjects[:1], incoming_again(subjects[1]), *subjects[2:]]
    again = prepare_subjects(request(tmp_path, *mended), lambda *step: None)
    assert ([s.subject for s in again.prepared], again.reused) == (["A", "B", "C"], 2)
    assert again.sound
    assert [s.subject for s in prepared_in(tmp_path / "out")] == ["A", "B", "C"]
    assert (tmp_path / "out" / "splits" / "scans_test.csv").is_file()


def incoming_again(subject):
    files = {k: file_at(f.container, f.name) for k, f in subject.files.items()}
    return dataclasses.replace(subject, files=files)


def test_one_scan_under_two_names_is_in_no_split(incoming, tmp_path):
    one = incoming("A")
    twin = dataclasses.replace(one, id="B")
    done = prepare_subjects(request(tmp_path, one, twin, incoming("C", 5)), lambda *step: None)
    listed = {name for part in ("train", "val", "test") for name in done.split.ids(part)}
    assert "C" in listed
    assert not {"A", "B"} <= listed
    assert len(done.problems) == 1


def test_sources_without_a_scan_are_refused(tmp_path):
    with pytest.raises(UserError, match="prepare folder: no scan found in the sources"):
        prepare_subjects(request(tmp_path), lambda *step: None)


def test_a_source_that_cannot_be_read_is_one_line(tmp_path):
    def broken(unpacked):
        raise OSError(5, "Input/output error", "/dev/old")

    asked = ScansRequest("folder", tmp_path / "out", RECIPE, broken)
    with pytest.raises(UserError, match="^/dev/old: Input/output error$"):
        prepare_subjects(asked, lambda *step: None)
