"""Tables as people and Excel write them are read, or refused by what they are."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andi_bench.errors import UserError
from datasets.splits import read_split
from datasets.tables import is_header_word, nearly, read_table, there

ROWS = [["subject", "site", "age"], ["P1", "Göttingen", "61,5"], ["P2", "Graz", ""]]


def text(separator: str, end: str = "\n") -> str:
    quoted = [[f'"{c}"' if separator in c else c for c in row] for row in ROWS]
    return end.join(separator.join(row) for row in quoted) + end


@pytest.mark.parametrize(
    "content",
    [
        text(",").encode(),
        text(";").encode("utf-8-sig"),
        text("\t").encode("utf-16"),
        text(";", "\r\n").encode("cp1252"),
        ("sep=;\r\n" + text(";", "\r\n")).encode("cp1252"),
        ("sep=;\n" + text(";")).encode("utf-16"),
        text("\t").encode("utf-16-le"),
        text(",", "\r").encode(),
    ],
)
def test_a_table_is_read_whoever_wrote_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert [cells for _, cells in read_table(path).rows] == ROWS


def test_lines_are_counted_as_the_editor_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("sep=;\nsubject;site\n\nP1;Oslo\n")
    assert [number for number, _ in read_table(path).rows] == [2, 4]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04...", "an Excel workbook or a zip"),
        (b"\xd0\xcf\x11\xe0\xa1", "an Excel workbook"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
        (b'subject,site\nP1,"Oslo\nP2,Graz\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_is_called_so(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=what):
        read_table(path)


def test_a_link_to_nothing_is_no_absent_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    assert not there(path)
    path.symlink_to("gone.csv")
    for look in (there, read_table):
        with pytest.raises(UserError, match="a link to nothing"):
            look(path)


@given(st.lists(st.text("abcXYZ019_-. ü", min_size=1).map(str.strip), min_size=2, max_size=4))
def test_any_encoding_gives_the_same_cells(tmp_path_factory, cells: list[str]) -> None:
    cells = ["x", *cells]
    path = tmp_path_factory.mktemp("table") / "t.csv"
    found = set()
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        path.write_bytes(";".join(cells).encode(encoding))
        found.add(tuple(read_table(path).rows[0][1]))
    assert found == {tuple(cells)}


def test_words_of_headers_and_words_that_are_nearly_known() -> None:
    assert all(map(is_header_word, ("Subject_ID", "BraTS21ID", "patient", "participant_id", "ID")))
    assert not any(map(is_header_word, ("S99", "BraTS2021_00000", "sub-01", "zoe")))
    assert nearly("persn", ("person", "split")) == "person"
    assert nearly("age", ("person", "split")) is None


def lists(folder: Path, **texts: str) -> Path:
    folder.mkdir()
    for name, content in texts.items():
        (folder / f"scans_{name}.csv").write_text(content)
    return folder


def test_the_first_line_of_a_list_without_header_is_a_subject_though_absent(tmp_path: Path) -> None:
    folder = lists(tmp_path / "s", train="S00\nS01\n", val="S02\n", test="S99\nS03\n")
    split = read_split(folder, ["S00", "S01", "S02", "S03"])
    assert split.ids("test") == ["S99", "S03"]
    with pytest.raises(UserError, match=r"scans_test.csv: subject S99 is not in the data \(1 of 2"):
        split.check_present(["S00", "S01", "S02", "S03"])


def test_names_without_numbers_go_by_the_other_lists(tmp_path: Path) -> None:
    bare = lists(tmp_path / "bare", train="anna\nbert\n", test="zoe\ncarl\n")
    assert read_split(bare, ["anna", "bert", "carl"]).ids("test") == ["zoe", "carl"]
    headed = lists(tmp_path / "headed", train="proband\nanna\n", test="proband\ncarl\n")
    assert read_split(headed, ["anna", "carl"]).ids("test") == ["carl"]


def test_a_strange_header_is_named(tmp_path: Path) -> None:
    split = read_split(lists(tmp_path / "s", test="Kennung\nanna\n"), ["anna"])
    assert split.ids("test") == ["anna"]
    assert "'Kennung' is taken for the header" in split.notes[0]


def test_a_list_under_another_name_is_refused_and_other_tables_are_named(tmp_path: Path) -> None:
    folder = lists(tmp_path / "s", train="id\na\n", test="id\nb\n", validation="id\nc\n")
    with pytest.raises(UserError, match=r"scans_validation.csv: scans_val.csv wanted"):
        read_split(folder, ["a", "b", "c"])
    (folder / "scans_validation.csv").rename(folder / "extra.csv")
    assert "extra.csv: passed over" in read_split(folder, ["a", "b"]).notes[0]


def test_the_column_of_subjects_need_not_be_the_first(tmp_path: Path) -> None:
    split = read_split(
        lists(tmp_path / "s", test=",subject,site\n0,a,Oslo\n1,b,Graz\n"), ["a", "b"]
    )
    assert [(row.id, row.attributes["site"]) for row in split.test] == [
        ("a", "Oslo"),
        ("b", "Graz"),
    ]
