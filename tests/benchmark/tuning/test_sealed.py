"""The lists of a search: no test subject in them, all scans of a person in one fold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_runs import QUIET, request_of

from andi_bench.errors import UserError
from benchmark.tuning.sealed import deal, seal
from datasets.splits import Split, SplitRow, read_split


def rows(names):
    return tuple(SplitRow(name, {"site": name.lower()}) for name in names)


def test_the_lists_hold_training_and_validation_subjects_alone(four_scans, tmp_path):
    found = seal(request_of(four_scans, tmp_path), learns=True, folds=None, console=QUIET)
    (folder,) = found.write(tmp_path / "lists")
    split = read_split(folder, "ABCD")
    assert (split.ids("train"), split.ids("val"), split.ids("test")) == (["A"], ["B"], [])
    assert (found.subjects, found.persons, found.tested) == (("B",), 1, 2)
    assert set(found.files) == {"A", "B"}


def test_more_folds_than_persons_are_refused(four_scans, tmp_path):
    with pytest.raises(UserError, match="--folds 3: 2 to 2 wanted"):
        seal(request_of(four_scans, tmp_path), learns=True, folds=3, console=QUIET)


@given(st.integers(2, 4), st.lists(st.integers(0, 8), min_size=12, max_size=12), st.integers(0, 11))
def test_folds_keep_persons_together_and_measure_on_every_known_one_once(folds, owners, unknown):
    names = [f"S{k}" for k in range(12)]
    persons = {name: f"p{owner}" for name, owner in zip(names, owners, strict=True)}
    known = set(names) - {names[unknown]}
    split = Split(train=rows(names[:9]), val=rows(names[9:]), test=rows(["T"]))
    if len({persons[name] for name in known}) < folds:
        with pytest.raises(UserError, match="--folds"):
            deal(split, persons, known, folds)
        return
    dealt = deal(split, persons, known, folds)
    for one in dealt:
        assert sorted([*one.ids("train"), *one.ids("val")]) == sorted(names)
        assert one.ids("test") == []
        held = {persons[name] for name in one.ids("val")}
        assert held
        assert held.isdisjoint(persons[name] for name in one.ids("train"))
        assert all(row.attributes["site"] for row in one.train)
    measured = [name for one in dealt for name in one.ids("val")]
    assert len(measured) == len(set(measured))
    assert known <= set(measured)


def test_a_split_without_known_lesions_leaves_nothing_to_search_by(four_scans, tmp_path):
    from support.small_scans import write_splits

    write_splits(tmp_path / "lists", {"train": ["A"], "val": [], "test": ["B", "C", "D"]})
    request = request_of(four_scans, tmp_path, splits=tmp_path / "lists")
    with pytest.raises(UserError, match="nothing to search by"):
        seal(request, learns=True, folds=None, console=QUIET)


def test_what_a_mask_means_is_part_of_what_a_search_depends_on(four_scans, tmp_path, monkeypatch):
    from datasets.adapters.brats21 import Brats21Adapter
    from datasets.adapters.folder import FolderAdapter

    def files():
        return seal(request_of(four_scans, tmp_path), learns=True, folds=None, console=QUIET).files

    before = files()
    for adapter in (FolderAdapter, Brats21Adapter):
        monkeypatch.setattr(
            adapter, "revision", lambda self: {"adapter_options": {"mask_threshold": 0.4}}
        )
    assert all(files()[name] != found for name, found in before.items())
