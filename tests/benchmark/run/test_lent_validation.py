"""A data set without validation subjects is scored with what was settled on those of the training data set."""

import csv
import shutil

import pytest
from support.small_runs import QUIET, request_of
from support.small_scans import write_splits, write_subject

from andi_bench.errors import UserError
from andi_bench.records.search import find_records
from benchmark.run.data import DataSets

SMALL = (
    *("--method", "itermask", "--alone", "--device", "cpu", "--workers", "1"),
    *("--set", "preprocessing.size=32", "--set", "training.steps=2"),
    *("--set", "evaluation.bootstraps=10", "--set", "evaluation.previews=0"),
)


@pytest.fixture
def lender(tmp_path):
    root = tmp_path / "other"
    for seed, name in enumerate("TUVW", start=30):
        write_subject(root, name, seed, lesion=name != "T")
    write_splits(root / "splits", {"train": ["T"], "val": ["U", "V"], "test": ["W"]})
    return root


@pytest.fixture
def bare(four_scans, tmp_path):
    root = shutil.copytree(four_scans, tmp_path / "bare")
    write_splits(root / "splits", {"train": [], "val": [], "test": ["C", "D"]})
    return root


def opened(root, lender, tmp_path, *, settles=True):
    asked = request_of(root, tmp_path, train_on="brats21", train_root=lender)
    found = DataSets.find(asked, learns=True)
    return found.open(QUIET, method="m", modalities=("flair",), settles=settles)


def names(subjects):
    return [subject.id for subject in subjects]


def test_they_are_lent_where_there_are_none_and_are_guarded(bare, lender, tmp_path):
    data = opened(bare, lender, tmp_path)
    assert names(data.settled_on.subjects) == ["U", "V"]
    assert data.settled_on.lender == "brats21"
    assert set(data.settled_on.fingerprints) == {"U", "V"}
    assert {"U", "V"}.isdisjoint(data.fingerprints)
    assert [guard.name for guard in data.guards[-3:]] == [
        "splits of brats21 disjoint (train, val)",
        "calibration data and evaluated data disjoint",
        "calibration data and evaluated data disjoint by person",
    ]
    assert "calibrated on 2 labelled validation subjects of 'brats21'" in data.notes[-1]


def test_a_data_set_with_its_own_and_a_run_that_settles_nothing_are_left_alone(
    four_scans, bare, lender, tmp_path
):
    own = opened(four_scans, lender, tmp_path)
    assert (names(own.settled_on.subjects), own.settled_on.lender) == (["B"], "")
    assert own.settled_on.adapter is own.adapter
    plain = opened(bare, lender, tmp_path, settles=False)
    assert plain.settled_on.subjects == []
    assert not [guard for guard in plain.guards if "calibration" in guard.name]
    assert plain.notes == ()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("bare", "C"), "calibration data and evaluated data disjoint: U .* and C .* same scan"),
        (("other", "T"), r"splits of brats21 disjoint \(train, val\): T .* and U .* same scan"),
    ],
)
def test_a_scan_may_not_be_lent_and_scored_or_lent_and_learnt(
    bare, lender, tmp_path, target, words
):
    folder, name = target
    shutil.copyfile(
        lender / "U" / "U_flair.nii.gz", tmp_path / folder / name / f"{name}_flair.nii.gz"
    )
    with pytest.raises(UserError, match=words):
        opened(bare, lender, tmp_path)


def run(cli, *more):
    return cli("run", *SMALL, *more)


def test_a_run_finds_the_threshold_that_the_training_data_set_finds(cli, bare, lender, tmp_path):
    there = run(cli, "--dataset", "brats21", "--data-root", lender)
    assert there.code == 0, there.err
    scored = ("--dataset", "folder", "--data-root", bare)
    here = run(cli, *scored, "--train-on", "brats21", "--train-root", lender)
    assert here.code == 0, here.err
    assert "calibrated on 2 labelled validation subjects of 'brats21'" in here.err
    found = find_records(tmp_path / "workspace" / "records").records
    records = {record.run.dataset: record for record in found}
    assert records["folder"].method.calibration == records["brats21"].method.calibration != {}
    assert any("of 'brats21', for 'folder' has none" in note for note in records["folder"].notes)


def test_other_lent_subjects_are_another_run(cli, bare, lender, tmp_path):
    lent = ("--dataset", "folder", "--data-root", bare, "--train-on", "brats21")
    assert run(cli, *lent, "--train-root", lender).code == 0
    with (lender / "splits" / "scans_val.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Subject_ID"], ["U"]])
    again = run(cli, *lent, "--train-root", lender)
    assert again.code == 0, again.err
    found = find_records(tmp_path / "workspace" / "records").records
    assert len({record.run.identity for record in found}) == 2
    assert len({record.run.maps for record in found}) == 2
