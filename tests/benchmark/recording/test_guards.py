"""The protocol's guards, each one tripped."""

from pathlib import Path

import numpy as np
import pytest
from support.small_scans import save

from andi_bench.errors import UserError
from andi_bench.place import package_data
from benchmark.recording.guards import (
    each_scan_once,
    no_image_of_two,
    no_overlap,
    other_persons,
    persons_apart,
    unseen_in_training,
)
from datasets.persons import person_of
from datasets.splits import PARTS, read_split


def test_a_subject_in_two_splits_is_named():
    with pytest.raises(UserError, match="subject B is in train and in test"):
        no_overlap("splits", {"A": "1", "B": "2"}, {"B": "3"}, ("train", "test"))


def test_one_scan_under_two_names_is_found_by_its_content():
    with pytest.raises(UserError, match="A .train. and C .test. are the same scan"):
        no_overlap("splits", {"A": "1"}, {"C": "1"}, ("train", "test"))


def test_disjoint_splits_pass_with_their_counts():
    guard = no_overlap("splits", {"A": "1"}, {"C": "2", "D": "3"}, ("train", "test"))
    assert guard.passed
    assert "1 in train, 2 in test" in guard.detail


def test_a_test_subject_among_the_training_slices_stops_the_run():
    with pytest.raises(UserError, match="subject B"):
        unseen_in_training(["A", "B"], ["B", "C"], same_dataset=True)


def test_equal_names_in_different_data_sets_are_no_overlap():
    assert unseen_in_training(["1"], ["1"], same_dataset=False).passed


def test_weights_from_elsewhere_are_not_known_to_be_clean():
    assert unseen_in_training(None, ["1"], same_dataset=True).passed is None


def test_one_scan_under_two_names_in_one_part_is_refused() -> None:
    with pytest.raises(UserError, match=r"a and b \(both test\) are the same scan under two names"):
        each_scan_once("d", {"train": {"c": "1"}, "test": {"a": "2", "b": "2"}})
    guard = each_scan_once("d", {"train": {"c": "1"}, "test": {"a": "2"}})
    assert (guard.passed, guard.detail) == (True, "2 subjects, 2 splits")
    assert each_scan_once("d", {"test": {"a": "2"}}).detail == "1 subject, 1 split"


def test_a_person_of_another_data_set_is_refused_where_the_name_means_the_same_everywhere() -> None:
    evaluated = {"UCSF-PDGM-0004": "BraTS2021_00097", "x": "sub-01"}
    with pytest.raises(
        UserError, match=r"BraTS2021_00097 \(brats21, training\) and UCSF-PDGM-0004"
    ):
        other_persons({"BraTS2021_00097": "BraTS2021_00097"}, evaluated, ("brats21", "folder"))
    assert other_persons({"y": "sub-01"}, evaluated, ("brats21", "folder")).passed


def test_no_other_scan_of_an_evaluated_person_is_trained_on() -> None:
    persons = {"s1": "p", "s2": "p", "s3": "q"}
    with pytest.raises(UserError, match=r"s1 \(training\) and s2 are scans of one person"):
        unseen_in_training(["s1"], ["s2", "s3"], True, persons)
    guard = unseen_in_training(["s1"], ["s3"], True, persons)
    assert (guard.passed, guard.detail) == (True, "1 training subject")


def test_the_published_lists_are_named_and_not_refused() -> None:
    split = read_split(package_data("splits") / "brats21")
    persons = {id_: person_of(id_) for part in PARTS for id_ in split.ids(part)}
    guard, notes = persons_apart("brats21", split, persons)
    assert guard.passed is None
    assert "BraTS2021_00639" in guard.detail
    assert notes == (guard.detail,)
    seen = unseen_in_training(split.ids("train"), split.ids("test"), True, persons, split)
    assert seen.passed is None
    assert "BraTS2021_00557" in seen.detail


@pytest.fixture
def images(tmp_path):
    """Two subjects of two images each, as their files and what these hold."""
    found = {}
    for name in "AB":
        found[name] = {}
        for kind in ("flair", "t1"):
            path = tmp_path / f"{name}_{kind}.nii.gz"
            save(path, np.arange(64, dtype=np.int16).reshape(4, 4, 4))
            found[name][path] = f"{name} {kind}"
    return found


def place(images, subject, kind):
    return next(path for path in images[subject] if path.name == f"{subject}_{kind}.nii.gz")


@pytest.mark.parametrize("kind", ["flair", "t1"])
def test_an_image_of_two_subjects_is_named_with_both_files(images, kind):
    no_image_of_two(images)
    images["B"][place(images, "B", kind)] = "A t1"
    with pytest.raises(UserError, match=rf"A_t1.nii.gz \(A\) and .*B_{kind}.nii.gz \(B\)"):
        no_image_of_two(images)


def test_one_image_twice_in_a_subject_is_not_of_two(images):
    images["A"][place(images, "A", "t1")] = "A flair"
    no_image_of_two(images)


def test_an_image_of_another_data_set_is_named(images):
    others = {f"other/{name}": {Path("x"): f"X {name}"} for name in "AB"}
    no_image_of_two(images, others)
    others["other/B"] = {Path("x"): "A t1"}
    with pytest.raises(UserError, match=r"x \(other/B\) and .*A_t1.nii.gz \(A\)"):
        no_image_of_two(images, others)
    twice = {**others, "other/A": {Path("x"): "A t1"}}
    with pytest.raises(UserError, match=r"\(other/A\) and .*A_t1.nii.gz \(A\)"):
        no_image_of_two(images, twice)


def test_masks_in_the_place_of_a_scan_may_be_equal(images):
    path = place(images, "B", "t1")
    images["B"][path] = "A t1"
    save(path, (np.arange(64).reshape(4, 4, 4) % 3).astype(np.uint8))
    no_image_of_two(images)
