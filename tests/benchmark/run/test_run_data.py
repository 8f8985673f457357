"""The data sets of a run: found, prepared, apart from each other, cut into slices."""

import dataclasses
import shutil

import numpy as np
import pytest
from support.small_runs import QUIET, request_of
from support.small_scans import SHAPE, save, write_splits, write_subject

from andi_bench import config as configuration
from andi_bench.errors import UserError
from benchmark.run.data import DataSets, build_store, contents, labelled

FLAIR = ("flair",)


def opened(request, learns=True, modalities=FLAIR, **needs):
    found = DataSets.find(request, learns=learns)
    return found.open(QUIET, method="m", modalities=modalities, **needs)


@pytest.fixture
def copied(four_scans, tmp_path):
    return shutil.copytree(four_scans, tmp_path / "scans")


def test_a_data_set_is_opened_checked_and_its_scans_are_identified(four_scans, tmp_path):
    data = opened(request_of(four_scans, tmp_path))
    assert ([s.id for s in data.val], [s.id for s in data.test]) == (["B"], ["C", "D"])
    assert data.source is data.adapter
    assert data.source_name == "folder"
    names = {guard.name for guard in data.guards}
    assert "splits of folder disjoint (train, test)" in names
    assert all(guard.passed for guard in data.guards)
    assert set(data.fingerprints) == {"B", "C", "D"}


def test_where_nothing_is_learnt_the_scored_data_set_stands_for_the_source(four_scans, tmp_path):
    found = DataSets.find(request_of(four_scans, tmp_path), learns=False)
    assert found.source is None
    data = found.open(QUIET, method="m", modalities=FLAIR)
    assert data.source is data.adapter


def test_a_part_of_a_split_may_be_chosen_by_names_that_stand_in_it(four_scans, tmp_path):
    asked = request_of(four_scans, tmp_path, subjects=("D",))
    assert [s.id for s in opened(asked).test] == ["D"]
    with pytest.raises(UserError, match="subject of folder's test split 'B'"):
        opened(dataclasses.replace(asked, subjects=("B",)))
    validated = dataclasses.replace(asked, split="val", subjects=())
    assert [s.id for s in opened(validated).test] == ["B"]


def test_an_empty_split_is_refused(copied, tmp_path):
    write_splits(copied / "splits", {"test": []})
    with pytest.raises(UserError, match="'folder': its test split is empty"):
        opened(request_of(copied, tmp_path))


def test_one_scan_under_two_names_is_found_by_its_voxels(copied, tmp_path):
    for kind in ("flair", "t1", "t1ce", "t2"):
        shutil.copyfile(copied / "A" / f"A_{kind}.nii.gz", copied / "C" / f"C_{kind}.nii.gz")
    with pytest.raises(UserError, match=r"A \(train\) and C \(test\) are the same scan"):
        opened(request_of(copied, tmp_path))


@pytest.mark.parametrize(("first", "second"), [("A", "C"), ("C", "D"), ("B", "D")])
def test_a_second_modality_of_another_subject_is_found_where_it_is_read(
    copied, tmp_path, first, second
):
    whole = opened(request_of(copied, tmp_path), modalities=("flair", "t1"))
    shutil.copyfile(copied / first / f"{first}_t1.nii.gz", copied / second / f"{second}_t1.nii.gz")
    found = opened(request_of(copied, tmp_path))  # nobody reads the T1
    assert found.fingerprints == whole.fingerprints
    assert found.guards == whole.guards
    with pytest.raises(UserError, match=f"{first}_t1.nii.gz .*{second}_t1.nii.gz .*same voxels"):
        opened(request_of(copied, tmp_path), modalities=("flair", "t1"))


def test_second_modalities_that_show_nothing_are_named_and_not_taken_for_one_scan(copied, tmp_path):
    for name in "CD":
        save(copied / name / f"{name}_t1.nii.gz", np.zeros(SHAPE, np.int16))
    with pytest.raises(UserError, match=r"C_t1.nii.gz: every voxel is zero.*\(subject C\)"):
        opened(request_of(copied, tmp_path), modalities=("flair", "t1"))
    assert opened(request_of(copied, tmp_path), modalities=("flair",))


def test_a_second_modality_of_the_training_data_is_found_among_those_evaluated(
    four_scans, tmp_path
):
    other = tmp_path / "other"
    write_subject(other, "X", 20)
    write_splits(other / "splits", {"train": ["X"], "val": [], "test": []})
    asked = request_of(four_scans, tmp_path, train_on="brats21", train_root=other)
    opened(asked, modalities=("flair", "t1"))
    shutil.copyfile(four_scans / "C" / "C_t1.nii.gz", other / "X" / "X_t1.nii.gz")
    with pytest.raises(UserError, match=r"\(brats21/X\) and .*C_t1.nii.gz \(C\)"):
        opened(asked, modalities=("flair", "t1"))


def test_scans_of_another_data_set_may_not_be_among_those_evaluated(four_scans, tmp_path):
    other = tmp_path / "other"
    for seed, name in enumerate("XY", start=20):
        write_subject(other, name, seed)
    write_splits(other / "splits", {"train": ["X"], "val": [], "test": ["Y"]})
    plugin = {"train_on": "brats21", "train_root": other}
    data = opened(request_of(four_scans, tmp_path, **plugin))
    assert data.source is not data.adapter
    assert data.guards[-1].name == "training data and evaluated data disjoint"
    shutil.copytree(four_scans / "C", other / "X", dirs_exist_ok=True)
    for kind in ("flair", "t1", "t1ce", "t2", "seg"):
        shutil.move(other / "X" / f"C_{kind}.nii.gz", other / "X" / f"X_{kind}.nii.gz")
    with pytest.raises(UserError, match="brats21/X .* and C .* are the same scan"):
        opened(request_of(four_scans, tmp_path, **plugin))


def test_slices_are_those_of_the_training_split_and_found_again(four_scans, tmp_path):
    asked = request_of(four_scans, tmp_path)
    run = configuration.load_run_config(None, "quick", asked.overrides, "m")
    data = opened(asked)
    store = build_store(data, run, asked, QUIET)
    assert set(store.subjects.tolist()) == {"A"}
    assert build_store(data, run, asked, QUIET).folder == store.folder


def test_nothing_can_be_learnt_from_an_empty_training_split(copied, tmp_path):
    write_splits(copied / "splits", {"train": []})
    asked = request_of(copied, tmp_path)
    run = configuration.load_run_config(None, "quick", asked.overrides, "m")
    with pytest.raises(UserError, match="'folder': its train split is empty"):
        build_store(opened(asked), run, asked, QUIET)


def test_lesions_are_known_by_a_mask_or_where_a_missing_one_means_none(adapter):
    subjects = adapter.subjects_in("test")
    bare = [dataclasses.replace(s, mask=None) for s in subjects]
    assert labelled(adapter, [subjects[0], bare[1]]) == [subjects[0]]
    healthy = type(
        "Healthy", (), {"options": adapter.options.model_copy(update={"missing_mask": "healthy"})}
    )
    assert labelled(healthy, bare) == bare


def test_what_identifies_subjects_changes_with_scan_and_mask(adapter):
    subjects = adapter.subjects_in("test")
    bare = [dataclasses.replace(subjects[0], mask=None), subjects[1]]
    hashes = {"C": "1", "D": "2"}
    named = contents(subjects, hashes)
    assert named == contents(subjects[::-1], hashes)
    assert named != contents(bare, hashes)
    assert named != contents(subjects, {"C": "1", "D": "3"})
