"""The protocol's guards, each one tripped."""

import pytest

from andi_bench.errors import UserError
from benchmark.recording.guards import no_overlap, unseen_in_training


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
