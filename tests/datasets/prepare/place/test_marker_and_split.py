"""What makes a folder ours, and which prepared subjects train, validate and test."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_scans import write_splits

from andi_bench.errors import UserError
from datasets.prepare.place.marker import claim, write_marker
from datasets.prepare.place.prepared_split import make_split, write_own_split
from datasets.prepare.sidecar import Facts, Preparation
from datasets.prepared_root import MARKER
from datasets.splits import PARTS, Split, SplitRow, read_split


def prepared(name, person="", part="", lesion_ml=1.0, **attributes):
    facts = Facts(
        shape=(2, 2, 2),
        spacing_mm=(1, 1, 1),
        brain_ml=1,
        lesion_ml=lesion_ml,
        labels_ml={},
        brain_slices=1,
        healthy_slices=1,
        intensities={},
    )
    return Preparation(
        subject=name,
        person=person or name,
        part=part,
        attributes=attributes,
        files={},
        facts=facts,
    )


def test_a_folder_is_claimed_once_and_for_one_recipe(tmp_path):
    output = tmp_path / "out"
    first = claim(output, "folder", {"strip": False})
    write_marker(output, {**first, "splits": {"a": ["b"]}})
    assert claim(output, "folder", {"strip": False})["splits"] == {"a": ["b"]}
    with pytest.raises(UserError, match="other options .strip false, now true.: the same ones"):
        claim(output, "folder", {"strip": True})
    with pytest.raises(UserError, match="other options .folder, now brats21."):
        claim(output, "brats21", {"strip": False})


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match="holds 'mine' and no dataset.json, so it is left alone"):
        claim(tmp_path, "folder", {})
    assert not (tmp_path / MARKER).exists()
    with pytest.raises(UserError, match="mine: a file: a folder wanted"):
        claim(tmp_path / "mine", "folder", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged"),
        ('{"format": "andi-bench prepared scans"}', "damaged"),
        ("[]", "not this command's"),
        ("{}", "not this command's"),
    ],
)
def test_a_marker_that_is_damaged_or_of_somebody_else_is_not_written_over(tmp_path, text, said):
    (tmp_path / MARKER).write_text(text)
    with pytest.raises(UserError, match=said):
        claim(tmp_path, "folder", {})
    assert (tmp_path / MARKER).read_text() == text


PEOPLE = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([None, 0.0, 2.0])), min_size=1, max_size=25
)


@given(people=PEOPLE)
def test_a_persons_scans_never_stand_in_two_parts(people):
    found = [
        prepared(f"S{k:02d}", f"P{person}", lesion_ml=lesion)
        for k, (person, lesion) in enumerate(people)
    ]
    split, _ = make_split("folder", found)
    person_of = {s.subject: s.person for s in found}
    places = {part: {person_of[name] for name in split.ids(part)} for part in PARTS}
    assert not places["train"] & places["val"]
    assert not (places["train"] | places["val"]) & places["test"]
    unknown = {s.subject for s in found if not s.labelled}
    assert not unknown & ({*split.ids("train")} | {*split.ids("val")})
    assert make_split("folder", found[::-1])[0] == split


def test_subjects_say_their_part_themselves(tmp_path):
    found = [
        prepared("A", part="train", age="3"),
        prepared("B", part="test"),
        prepared("C"),
    ]
    split, notes = make_split("folder", found)
    assert {part: list(split.ids(part)) for part in PARTS} == {
        "train": ["A"],
        "val": [],
        "test": ["B"],
    }
    assert split.train[0].attributes == {"age": "3"}
    assert notes == ["1 subject names no split and is in none: C"]
    with pytest.raises(UserError, match=r"A \(train\) and B \(test\) are scans of one person"):
        make_split("folder", [prepared("A", "P", "train"), prepared("B", "P", "test")])


def test_the_users_own_files_decide(tmp_path):
    write_splits(tmp_path, {"train": ["A"], "val": ["X"], "test": ["B"]})
    split, notes = make_split("folder", [prepared(n, sex="F") for n in "ABC"], tmp_path)
    assert [list(split.ids(part)) for part in PARTS] == [["A"], [], ["B"]]
    assert split.train[0].attributes == {"sex": "F"}
    assert notes[0].startswith("1 of 3 subjects of")
    assert "is not here and left out of the split" in notes[0]
    assert notes[0].endswith("left out of the split: X")
    assert notes[1].endswith(": C")


def split_of(*train):
    return Split(tuple(SplitRow(name) for name in train), (), (), "here")


def test_files_that_a_person_has_changed_are_kept(tmp_path):
    kept = {}
    assert write_own_split(split_of("A"), tmp_path, kept, kept.update) == []
    assert list(read_split(tmp_path).ids("train")) == ["A"]
    assert write_own_split(split_of("A", "B"), tmp_path, dict(kept), kept.update) == []
    assert list(read_split(tmp_path).ids("train")) == ["A", "B"]
    (tmp_path / "scans_train.csv").write_text("Subject_ID\nB\n")
    (note,) = write_own_split(split_of("A"), tmp_path, dict(kept), kept.update)
    assert "scans_train.csv changed by hand" in note
    assert list(read_split(tmp_path).ids("train")) == ["B"]


def test_what_is_about_to_be_written_is_remembered_before(tmp_path):
    remembered = []
    write_own_split(split_of("A"), tmp_path, {"scans_train.csv": ["old"]}, remembered.append)
    before, after = remembered
    assert before["scans_train.csv"] == ["old", *after["scans_train.csv"]]
    assert json.loads(json.dumps(after)) == after
