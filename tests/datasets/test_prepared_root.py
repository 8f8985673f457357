"""``dataset.json`` of a data set's folder: whole, another program's, or damaged."""

import json

import pytest

from andi_bench.errors import UserError
from datasets.prepared_root import FORMAT, MARKER, read_marker, written_lists

WHOLE = {"format": FORMAT, "dataset": "folder", "recipe": {}, "splits": {"scans_val.csv": ["a"]}}


def test_a_whole_marker_tells_which_lists_were_written(tmp_path):
    assert (read_marker(tmp_path), written_lists(tmp_path)) == (None, None)
    (tmp_path / MARKER).write_text(json.dumps(WHOLE))
    assert read_marker(tmp_path) == WHOLE
    assert written_lists(tmp_path) == ("scans_val.csv",)


@pytest.mark.parametrize("text", ["[]", "{}", '{"channel_names": {"0": "FLAIR"}}'])
def test_a_marker_of_another_program_says_nothing(tmp_path, text):
    (tmp_path / MARKER).write_text(text)
    assert read_marker(tmp_path) is None


def _without(key):
    return json.dumps({name: value for name, value in WHOLE.items() if name != key})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (json.dumps(WHOLE).encode()[:-9], "line 1 column"),
        (b"\xff\x00\x81", "can't decode"),
        (_without("splits").encode(), "splits: null found"),
        (_without("format").encode(), "format: null found"),
        (json.dumps({**WHOLE, "dataset": 3}).encode(), "dataset: 3 found"),
    ],
)
def test_a_damaged_marker_is_one_line_that_names_it(tmp_path, content, reason):
    (tmp_path / MARKER).write_bytes(content)
    with pytest.raises(UserError, match="dataset.json: damaged") as caught:
        read_marker(tmp_path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_link_to_nothing_and_a_folder_are_damaged_too(tmp_path):
    (tmp_path / MARKER).symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="No such file"):
        read_marker(tmp_path)
    (tmp_path / MARKER).unlink()
    (tmp_path / MARKER).mkdir()
    with pytest.raises(UserError, match="Is a directory"):
        read_marker(tmp_path)
