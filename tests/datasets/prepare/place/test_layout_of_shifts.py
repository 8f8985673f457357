"""Shifts-MS as it is unpacked, laid out as one folder a patient; no image is opened for that."""

import os

import pytest

from andi_bench.errors import UserError
from datasets.prepare.place.shifts_layout import find_raw, organise, organised_subjects

WORDS = {"flair": "FLAIR", "t1": "T1", "gt": "gt"}


@pytest.fixture
def raw(tmp_path):
    """Two patients of two hospitals."""
    root = tmp_path / "shifts"
    for hospital, split, number in (("best", "train", "1"), ("ljubljana", "dev_in", "7")):
        for kind, word in WORDS.items():
            path = root / hospital / split / kind / f"{number}_{word}_isovox.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number} {kind}")
    return root


IDS = ["best_train_1", "ljubljana_dev_in_7"]


def test_patients_are_found_and_what_is_not_theirs_is_passed_over(raw):
    (raw / "best" / "unsupervised" / "t1").mkdir(parents=True)
    (raw / "best" / "unsupervised" / "t1" / "9_T1_isovox.nii.gz").touch()
    (raw / "best" / "train" / "gt" / "1_gt_indiv_isovox.nii.gz").touch()
    (raw / "best" / "train" / "t1" / "notes.txt").touch()
    found = find_raw(raw)
    assert [s.id for s in found.subjects] == IDS
    assert [list(s.files) for s in found.subjects] == [["flair", "t1", "mask"]] * 2
    assert sorted(path.name for path in found.unknown) == ["1_gt_indiv_isovox.nii.gz", "notes.txt"]
    assert [s.id for s in find_raw(raw.parent).subjects] == IDS


def test_two_files_of_a_kind_leave_the_patient_out(raw):
    (raw / "best" / "train" / "t1" / "1_T1_isovox.nii").touch()
    found = find_raw(raw)
    assert [s.id for s in found.subjects] == IDS[1:]
    assert [(f.subject, f.reason.endswith("one of them wanted")) for f in found.failures] == [
        (IDS[0], True)
    ]


def test_a_folder_without_patients_is_refused(tmp_path):
    with pytest.raises(UserError, match="no patient of Shifts-MS as it is unpacked"):
        find_raw(tmp_path)
    with pytest.raises(UserError, match="nowhere: cannot be read"):
        find_raw(tmp_path / "nowhere")
    with pytest.raises(UserError, match="the step organise wanted first"):
        organised_subjects(tmp_path)


@pytest.mark.parametrize("copy", [False, True])
def test_patients_are_laid_out_once_and_again_where_a_file_has_changed(raw, tmp_path, copy):
    output = tmp_path / "out"
    output.mkdir()
    steps = []
    done = organise(find_raw(raw), output, copy=copy, progress=lambda *step: steps.append(step))
    assert (done.made, done.kept, done.failures) == (tuple(IDS), (), ())
    assert steps[-1] == ("organising", 2, 2)
    for subject in organised_subjects(output):
        for path in subject.files.values():
            assert path.is_symlink() == (not copy)
    assert [s.id for s in organised_subjects(output)] == IDS
    assert organise(find_raw(raw), output, copy=copy).kept == tuple(IDS)
    changed = raw / "best" / "train" / "t1" / "1_T1_isovox.nii.gz"
    changed.write_text("another")
    os.utime(changed, (1, 1))
    again = organise(find_raw(raw), output, copy=copy)
    assert again.made == (tuple(IDS[:1]) if copy else ())
    assert (output / IDS[0] / changed.name).read_text() == "another"


def test_links_become_copies_where_these_are_asked_for(raw, tmp_path):
    (tmp_path / "out").mkdir()
    organise(find_raw(raw), tmp_path / "out")
    assert organise(find_raw(raw), tmp_path / "out", copy=True).made == tuple(IDS)
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_a_folder_with_anything_else_in_it_stays_as_it_is(raw, tmp_path):
    mine = tmp_path / "out" / IDS[0] / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = organise(find_raw(raw), tmp_path / "out")
    assert done.made == (IDS[1],)
    assert "holds 'notes.txt', which is no file of Shifts-MS: left alone" in done.failures[0].reason
    assert mine.read_text() == "mine"
