"""The leaderboard on a terminal of any width: seven columns where there is room, and a word where there is none."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from support.synthetic_records import Size, write_benchmark

from leaderboard.compare import compare
from leaderboard.exports.terminal import print_comparison
from leaderboard.tables.parts import parts_of

HEADS = ("Group", "Method", "Dice", "Difference", "AP", "clean", "FP ml", "s/")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_benchmark(folder, Size(methods=12, subjects=27, seeds=2, validation=4, voxels=600))
    return compare(folder)


def shown(comparison, monkeypatch, width, term="dumb", **options):
    """Return the lines on a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    print_comparison(comparison, out, **options)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal_and_what_is_left_out_is_named(
    comparison, monkeypatch, width
):
    lines = shown(comparison, monkeypatch, width)
    assert max(map(cell_len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    left = re.search(r"Left out to fit (\d+) columns: (.*?)\.", text)
    assert (left is None) is (width >= 100)
    if left:
        assert left[1] == str(width)
        heads = text.partition("Left out")[0]
        assert "Dice@val-dice" not in left[2]
        assert all(head in left[2] or head in heads for head in HEADS)
    for method in "ABCDEFGHIJKL":
        assert f"method {method}" in text


def test_a_wide_terminal_has_a_line_a_row_and_a_narrow_one_the_interval_below(
    comparison, monkeypatch
):
    (table,) = comparison.tables
    for width, kept in ((160, 1), (100, 2)):
        lines = shown(comparison, monkeypatch, width)
        start = next(k for k, line in enumerate(lines) if line.startswith("Group"))
        rows = lines[start + 1 : start + 1 + kept * len(table.rows)]
        for place, row in enumerate(table.rows):
            own = " ".join(rows[kept * place : kept * (place + 1)])
            assert row.label in own
            assert f"{row.figures['dice@val-dice'].value:.3f}" in own
            assert own.count("[") == (4 if row.rank == 1 else 5)


def test_a_bar_stands_where_there_is_colour_and_room_alone(comparison, monkeypatch):
    assert not any("█" in line for line in shown(comparison, monkeypatch, 160))
    drawn = shown(comparison, monkeypatch, 160, term="xterm-256color")
    bars = [line.count("█") for line in drawn if "█" in line]
    assert bars == sorted(bars, reverse=True)
    assert bars
    assert not any("█" in line for line in shown(comparison, monkeypatch, 80, "xterm-256color"))


def test_off_a_terminal_there_are_a_hundred_columns_and_no_codes(comparison):
    out = io.StringIO()
    print_comparison(comparison, out)
    assert max(map(cell_len, out.getvalue().splitlines())) <= 100
    assert "\x1b" not in out.getvalue()


def test_names_that_differ_at_their_ends_stay_apart(make_run, records_dir):
    for end in ("mean", "max"):
        make_run("m", {"raw": [0.5, 0.6, 0.7], "median5": [0.5, 0.6, 0.7]}, label="x" * 40 + end)
    out = io.StringIO()
    print_comparison(compare(records_dir), out)
    text = re.sub(r"\s", "", out.getvalue())
    assert {"xmean", "xmax"} <= set(re.findall(r"x(?:mean|max)", text))


def test_each_warning_stands_once(make_run, records_dir):
    for dataset in ("one", "two"):
        for method in ("a", "b"):
            make_run(method, {"raw": [0.5, 0.6, 0.7], "median5": [0.5, 0.6, 0.7]}, dataset=dataset)
    out = io.StringIO()
    found = compare(records_dir)
    print_comparison(found, out)
    text = " ".join(out.getvalue().split())
    assert len(found.tables) == 2
    assert text.count("3 subjects are few") == 1
    assert text.count("one seed of all rows") == 1


def test_details_have_every_column_of_every_group_and_fit(comparison, monkeypatch):
    lines = shown(comparison, monkeypatch, 100, details=True)
    assert max(map(cell_len, lines)) <= 100
    (table,) = comparison.tables
    text = " ".join(" ".join(lines).split())
    for name, columns in parts_of(table):
        assert name in lines
        for column in columns:
            for word in (column.narrow or column.header).split():
                assert word in text
    assert "Significantly better than" in text
