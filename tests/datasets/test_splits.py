from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andi_bench.errors import UserError
from datasets.splits import (
    PARTS,
    Split,
    SplitRow,
    find_split,
    hash_split,
    read_split,
    write_split,
)

NAMES = ["a", "b", "c", "d"]


def csv_files(folder: Path, **texts: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / f"scans_{name}.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_published_csvs_drop_in_unchanged(tmp_path: Path) -> None:
    folder = csv_files(
        tmp_path, train="Subject_ID\na\nb\n", val="Subject_ID\nc\n", test="Subject_ID\nd\n"
    )
    split = read_split(folder, NAMES)
    assert (split.ids("train"), split.ids("val"), split.ids("test")) == (["a", "b"], ["c"], ["d"])


@pytest.mark.parametrize(
    "text",
    [
        "patient,site,age\na,Oslo,50\nb,,7\n",
        "\ufeffSubject_ID,site,age\r\na,Oslo,50\r\nb,,7\r\n",
        "\n Subject_ID , site,age\n\n a , Oslo, 50 \n,,\nb\n".replace("b\n", "b,,7\n"),
        ",site,age\na,Oslo,50\nb,,7",
    ],
)
def test_further_columns_are_kept_whatever_the_header_of_the_first(
    tmp_path: Path, text: str
) -> None:
    split = read_split(csv_files(tmp_path, test=text), NAMES)
    assert split.test == (
        SplitRow("a", {"site": "Oslo", "age": "50"}),
        SplitRow("b", {"site": "", "age": "7"}),
    )
    assert split.train == split.val == ()


def test_a_file_without_header_loses_no_subject(tmp_path: Path) -> None:
    split = read_split(csv_files(tmp_path, test="a\nb\n"), NAMES)
    assert split.ids("test") == ["a", "b"]


def test_a_header_alone_is_an_empty_part(tmp_path: Path) -> None:
    split = read_split(csv_files(tmp_path, val="Subject_ID\n", train="x\na\n"), NAMES)
    assert (split.test, split.val, split.ids("train")) == ((), (), ["a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id\na\nb\na\n", "line 4: subject a stands there twice"),
        ("id,age\na,1\n,2\n", "line 3: the first column is empty"),
        ("id\na,5\n", "line 2: 2 columns, 1 wanted"),
        (b"id\n\x81\x8d\n", "cannot be read as CSV"),
        (b"PK\x03\x04", "an Excel workbook or a zip: CSV wanted"),
        ("", "empty: a header and a line for each subject wanted"),
        ("\n , \n", "'Subject_ID' alone where nobody is in the test split"),
    ],
)
def test_a_bad_csv_is_refused_naming_file_and_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_split(csv_files(tmp_path, test=text), NAMES)
    assert "scans_test.csv" in str(caught.value)
    assert said in str(caught.value)


def test_subjects_that_the_data_lacks_are_named_and_counted(tmp_path: Path) -> None:
    folder = csv_files(tmp_path, test="id\na\nzeta\neta\n")
    with pytest.raises(
        UserError, match=r"scans_test.csv: subject zeta .* \(2 of 3 subjects are missing"
    ):
        find_split("folder", NAMES, tmp_path, folder)


def test_lists_that_were_written_and_are_gone_are_not_taken_for_none(tmp_path: Path) -> None:
    csv_files(tmp_path / "splits", train="id\na\n", test="id\nb\n")
    wanted = [f"scans_{part}.csv" for part in PARTS]
    with pytest.raises(UserError, match=r"splits/scans_val.csv: gone, and dataset.json says"):
        find_split("folder", NAMES, tmp_path, written=wanted)
    assert find_split("folder", NAMES, tmp_path, tmp_path / "splits", written=wanted).val == ()
    (tmp_path / "splits" / "validation.csv").write_text("id\nc\n")
    with pytest.raises(UserError, match=r"validation.csv: scans_val.csv wanted .* rename it"):
        find_split("folder", NAMES, tmp_path, written=wanted)
    shutil.rmtree(tmp_path / "splits")
    with pytest.raises(UserError, match="gone, and dataset.json says"):
        find_split("folder", NAMES, tmp_path, written=wanted)
    with pytest.raises(UserError, match="its preparation has not come to its end"):
        find_split("folder", NAMES, tmp_path, written=())
    (tmp_path / "splits").touch()
    with pytest.raises(UserError, match="splits: a file: a folder with the lists"):
        find_split("folder", NAMES, tmp_path)


def test_a_folder_of_a_lists_name_is_not_taken_for_none(tmp_path: Path) -> None:
    folder = csv_files(tmp_path, train="id\na\n", test="id\nb\n")
    (folder / "scans_val.csv").mkdir()
    with pytest.raises(UserError, match=r"scans_val.csv: no file: a table wanted"):
        read_split(folder, NAMES)


def test_the_users_split_goes_before_the_datas_and_that_before_the_hash(tmp_path: Path) -> None:
    own = csv_files(tmp_path / "own", test="id\na\n")
    csv_files(tmp_path / "data" / "splits", test="id\nb\n")
    assert find_split("folder", NAMES, tmp_path / "data", own).ids("test") == ["a"]
    assert find_split("folder", NAMES, tmp_path / "data").ids("test") == ["b"]
    assert find_split("folder", NAMES, tmp_path / "none") == hash_split(NAMES)
    with pytest.raises(UserError, match=r"none of scans_train.csv"):
        find_split("folder", NAMES, tmp_path / "data", tmp_path / "none")


def test_the_packaged_split_is_used_where_the_data_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv_files(tmp_path / "packaged" / "mine", test="id\nc\n")
    monkeypatch.setattr("datasets.splits.package_data", lambda kind: tmp_path / "packaged")
    assert find_split("mine", NAMES, tmp_path / "data").ids("test") == ["c"]
    assert find_split("other", NAMES, tmp_path / "data").source == "hash of the subject id"


@given(
    ids=st.sets(st.text(min_size=1, max_size=12), max_size=60),
    others=st.sets(st.text(min_size=1, max_size=12), max_size=60),
)
def test_a_subject_keeps_its_part_when_others_come_or_go(ids: set[str], others: set[str]) -> None:
    alone, together = hash_split(sorted(ids)), hash_split([*others, *ids])
    moved = {
        note.split(", so ", 1)[1].removesuffix(" was moved there")
        for note in alone.notes + together.notes
    }
    for name in ("train", "val", "test"):
        assert set(alone.ids(name)) - moved == set(together.ids(name)) & ids - moved
    assert sum(len(alone.part(name)) for name in ("train", "val", "test")) == len(ids)


@given(ids=st.sets(st.text(min_size=1, max_size=12), min_size=3, max_size=30))
def test_no_part_is_left_empty_but_one_without_a_share(ids: set[str]) -> None:
    split = hash_split(sorted(ids))
    assert all(split.part(name) for name in ("train", "val", "test"))
    assert len(split.notes) < 3
    few = hash_split(sorted(ids), (0.0, 0.2, 0.8))
    assert (not few.train, bool(few.val), bool(few.test)) == (True, True, True)


def test_the_hash_split_holds_its_shares() -> None:
    ids = [f"BraTS2021_{number:05d}" for number in range(4000)]
    split = hash_split(ids)
    shares = [len(split.part(name)) / 4000 for name in ("train", "val", "test")]
    assert shares == pytest.approx([0.75, 0.05, 0.20], abs=0.015)
    assert hash_split(ids, (0.0, 0.2, 0.8)).train == ()
    assert "BraTS2021_00000" in split.ids("train")  # fixed for good: published results rest on it


def test_a_subject_in_two_parts_is_named() -> None:
    split = Split((SplitRow("a"), SplitRow("b")), (), (SplitRow("b"),), "here")
    with pytest.raises(UserError, match=r"subject b is in train and in test"):
        split.check_disjoint()


def test_one_scan_under_two_names_is_found_by_content() -> None:
    split = Split((SplitRow("a"),), (SplitRow("c"),), (SplitRow("b"),), "here")
    split.check_disjoint({"a": "1", "b": "2", "c": "3"})
    with pytest.raises(UserError, match=r"a \(train\) and b \(test\) are the same scan"):
        split.check_disjoint({"a": "1", "b": "1", "c": "3"})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    split = Split(
        (SplitRow("a", {"site": 'x "y", z', "age": "3"}), SplitRow("b", {"site": "", "age": ""})),
        (),
        (SplitRow("c", {"sex": "f"}),),
    )
    write_split(split, tmp_path / "out")
    back = read_split(tmp_path / "out", NAMES)
    assert (back.train, back.val, back.test) == (split.train, split.val, split.test)
    assert back.fingerprint() == split.fingerprint()
    assert back.fingerprint("test") == Split(test=(SplitRow("c"),)).fingerprint("test")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "scans_test.csv",
        "scans_train.csv",
        "scans_val.csv",
    ]


def test_an_unknown_part_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'test'"):
        Split().part("tset")
