"""A person is told by a table, by a name, by a known pair; and stands in one part of a split."""

from pathlib import Path

import pytest

from andi_bench.errors import UserError
from andi_bench.place import package_data
from datasets.persons import Owned, is_public, person_of, persons_of, require_persons_apart
from datasets.splits import (
    Split,
    SplitRow,
    find_split,
    hash_split,
    is_published,
    packaged_split,
    read_split,
)


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("BraTS-GLI-00123-001", "BraTS-GLI-00123"),
        ("UCSF-PDGM-0391_FU016d", "UCSF-PDGM-0391"),
        ("UCSF-PDGM-391", "UCSF-PDGM-0391"),
        ("0391_FU016d", "0391"),
        ("sub-01_ses-2", "sub-01"),
        ("BraTS2021_00639", "BraTS2021_00557"),
        ("BraTS2021_00758", "BraTS2021_00626"),
        ("BraTS2021_00001", "BraTS2021_00001"),
        ("P1", "P1"),
    ],
)
def test_a_name_tells_the_person(name: str, person: str) -> None:
    assert person_of(name) == person


def test_a_column_goes_before_the_name_and_known_pairs_hold_in_any_case() -> None:
    found = persons_of([Owned("sub-01_ses-1", "p1"), Owned("sub-01_ses-2", "p2"), Owned("c", "p1")])
    assert found["sub-01_ses-1"] == found["c"]
    assert found["sub-01_ses-2"] == "p2"
    pair = persons_of([Owned("BraTS2021_00557", "x"), Owned("BraTS2021_00639", "y")])
    assert len(set(pair.values())) == 1


def test_a_column_of_names_in_brats21_joins_two_data_sets_and_follow_ups() -> None:
    found = persons_of(
        [Owned("UCSF-PDGM-0391", "", {"BraTS21 ID": "00639"}), Owned("UCSF-PDGM-0391_FU016d")]
    )
    assert set(found.values()) == {"BraTS2021_00557"}
    assert is_public("BraTS2021_00557")
    assert not is_public("P1")


def split_of(**parts: list[str]) -> Split:
    return Split(**{k: tuple(map(SplitRow, v)) for k, v in parts.items()}, source="mine")


def test_one_person_in_two_parts_is_refused_naming_both_scans() -> None:
    split = split_of(train=["sub-01_ses-1"], test=["sub-01_ses-2", "sub-04_ses-1"])
    persons = {id_: person_of(id_) for id_ in ("sub-01_ses-1", "sub-01_ses-2", "sub-04_ses-1")}
    said = r"sub-01_ses-1 \(train\) and sub-01_ses-2 \(test\) are scans of one person"
    with pytest.raises(UserError, match=said):
        require_persons_apart(split, persons)
    assert require_persons_apart(split_of(test=["sub-01_ses-1", "sub-01_ses-2"]), persons) == []


def test_the_hash_keeps_the_scans_of_a_person_together() -> None:
    ids = [f"BraTS-GLI-{k:05d}-{t:03d}" for k in range(40) for t in range(2)]
    split = hash_split(ids, persons={id_: person_of(id_) for id_ in ids})
    assert require_persons_apart(split, {id_: person_of(id_) for id_ in ids}) == []
    assert all(split.ids(part) for part in ("train", "val", "test"))


def test_the_published_lists_are_shipped_and_their_pair_is_named() -> None:
    lists = read_split(package_data("splits") / "brats21")
    ids = [id_ for part in ("train", "val", "test") for id_ in lists.ids(part)]
    persons = {id_: person_of(id_) for id_ in ids}
    assert [len(lists.ids(part)) for part in ("train", "val", "test")] == [938, 62, 251]
    (note,) = require_persons_apart(lists, persons)
    assert "BraTS2021_00557 (train) and BraTS2021_00639 (test)" in note
    assert "brats21-no-pair" in note
    without = read_split(package_data("splits") / "brats21-no-pair")
    assert require_persons_apart(without, persons) == []
    assert set(ids) - {i for p in ("train", "val", "test") for i in without.ids(p)} == {
        "BraTS2021_00639"
    }
    assert is_published(lists)
    assert not is_published(split_of(test=[ids[0]]))


def test_published_lists_split_most_of_their_subjects_and_nobody_is_dropped_in_silence(
    tmp_path: Path,
) -> None:
    lists = read_split(package_data("splits") / "brats21")
    ids = [id_ for part in ("train", "val", "test") for id_ in lists.ids(part)]
    whole, notes = packaged_split("brats21", [*ids[1:], "BraTS2021_99999"])
    assert whole is not None
    assert notes == []
    assert any(ids[0] in note for note in whole.notes)
    assert any("BraTS2021_99999" in note for note in whole.notes)
    few = find_split("brats21", ids[:12], tmp_path)
    assert few.source == "hash of the subject id"
    assert "12 of the 1251" in few.notes[0]
    assert "--splits brats21" in few.notes[0]
    assert sum(len(few.ids(part)) for part in ("train", "val", "test")) == 12
    named = find_split("brats21", ids[:12], tmp_path, Path("brats21"))
    assert named.ids("train") == ids[:12]


def test_where_no_lesion_is_known_all_are_scored(tmp_path: Path) -> None:
    split = find_split("folder", ["a", "b"], tmp_path, labelled=[])
    assert (split.ids("train"), split.ids("val"), split.ids("test")) == ([], [], ["a", "b"])
