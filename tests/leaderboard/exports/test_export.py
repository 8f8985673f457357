"""Markdown, CSV, JSON and the terminal say the same, completely, and cannot be made to say something else."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.synthetic_records import Size, write_benchmark

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from leaderboard.compare import compare
from leaderboard.exports.csv_text import to_csv
from leaderboard.exports.json_text import to_json
from leaderboard.exports.markdown import to_markdown, write_markdown
from leaderboard.exports.markdown_details import to_details
from leaderboard.exports.plain_rows import flat
from leaderboard.exports.terminal import print_comparison
from leaderboard.tables.columns import all_columns, columns_of


def lesion_free_benchmark(folder: Path) -> None:
    """Write records of three methods with two seeds; three of the 27 subjects have no lesion."""
    size = Size(methods=3, subjects=27, seeds=2, validation=4, voxels=600)
    write_benchmark(folder, size)


@pytest.fixture
def comparison(make_run, records_dir):
    for seed in range(3):
        make_run(
            "andi",
            {"raw": [0.5, 0.6 + seed / 10], "median5": [0.7, 0.8 - seed / 1000]},
            seed=seed,
            label="ANDi",
        )
    make_run("thresholding", 0.71, created="2026-02-01T00:00:00+00:00", unranked="shown only")
    make_run("voxel-statistics", 0.41)
    make_run("voxel-statistics", None, protocol={"grid": "native"})
    (records_dir / "stray").mkdir()
    return compare(records_dir)


def markdown_tables(text: str) -> list[list[dict[str, str]]]:
    """Parse GitHub tables as GitHub does: cells split at bars that no backslash precedes."""
    tables: list[list[dict[str, str]]] = []
    lines = [line for line in text.splitlines() if line.startswith("|") or not line.strip()]
    header: list[str] | None = None
    for line in lines:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            header = None
        elif header is None:
            header = cells
            tables.append([])
        elif not all(set(cell) <= set(":-") for cell in cells):
            assert len(cells) == len(header)
            tables[-1].append(dict(zip(header, cells, strict=True)))
    return tables


def leaderboards(text: str) -> list[list[dict[str, str]]]:
    """Return the tables of what ranks, heads without the number of subjects."""
    return [
        [{head.partition("<br>")[0]: cell for head, cell in line.items()} for line in lines]
        for lines in markdown_tables(text)
        if "#" in lines[0] and "Dice@val-dice" in {head.partition("<br>")[0] for head in lines[0]}
    ]


def test_the_markdown_table_parses_back_to_the_rows(comparison):
    text = to_details(comparison)
    parsed = leaderboards(text)
    assert len(parsed) == len(comparison.tables) == 2
    for table, lines in zip(comparison.tables, parsed, strict=True):
        assert len(lines) == len(table.rows)
        for row, line in zip(table.rows, lines, strict=True):
            value = row.figures["dice@val-dice"].value
            assert line["#"] == ("–" if row.rank is None else str(row.rank))
            assert line["Method"] == row.label
            assert line["Pipeline"] == row.chain
            assert line["Dice@val-dice"].split()[0] == ("–" if value is None else f"{value:.3f}")
    assert parsed[0][0]["SD over seeds"] in {"0.001", "0.000"}
    assert "SD over seeds" not in parsed[1][0]


def test_every_column_is_defined_and_every_run_and_guard_accounted_for(comparison, records_dir):
    text = to_details(comparison)
    for column in all_columns():
        if column.only is None or any(map(column.only, comparison.tables)):
            assert f"- **{column.header}**".replace("#", r"\#") in text
    for folder in records_dir.glob("*__*"):
        assert text.count(f"`{folder.name}`") == 1
    assert "splits disjoint: passed by 5 of 5 runs" in text
    assert "commit 0123456789ab with changes" in text
    assert "An upper bound" in text
    assert "thresholding has no rank: shown only." in text
    assert "grid: native instead of working" in text
    assert "stray: no record.json" in text
    assert str(records_dir) not in text


def test_csv_and_json_hold_the_rows_unrounded(comparison):
    rows = [flat(table, row) for table in comparison.tables for row in table.rows]
    content = json.loads(to_json(comparison))
    assert [row for table in content["tables"] for row in table["rows"]] == rows
    assert content["skipped"] == list(comparison.skipped)
    read = list(csv.DictReader(io.StringIO(to_csv(comparison))))
    assert len(read) == len(rows)
    for line, row in zip(read, rows, strict=True):
        assert list(line) == list(row)
        for key, value in row.items():
            if value is None:
                assert line[key] == ""
            elif isinstance(value, list):
                assert line[key] == " ".join(map(str, value))
            elif isinstance(value, str | bool):
                assert line[key] == str(value)
            else:
                assert float(line[key]) == value


def test_the_same_records_give_the_same_bytes(comparison, records_dir):
    again = compare(records_dir)
    for export in (to_markdown, to_details, to_csv, to_json):
        assert export(comparison) == export(again)


def test_a_name_with_markup_stays_a_name(make_run, records_dir):
    label = "A|B <script>x</script> [l](http://e) `c` *b*"
    make_run("evil", 0.5, label=label, notes=("# heading\n\n<b>bold</b>",))
    found = compare(records_dir)
    (lines,) = leaderboards(to_details(found))
    assert len(lines) == 1
    for text in (to_markdown(found), to_details(found)):
        assert len(markdown_tables(text)[0]) == 1
        assert "<script>" not in text
        assert "<b>" not in text
        assert "](http" not in text.replace(r"\](http", "")
        assert "\n# heading" not in text
        assert "- # heading" not in text


def test_the_terminal_is_not_steered_by_a_record(make_run, records_dir):
    make_run("evil", 0.5, label="[red]x[/red]\x1b[2J", notes=("\x1b]0;title\x07",))
    out = io.StringIO()
    print_comparison(compare(records_dir), out)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "new" / "table.md"
    write_atomically(path, "first\n")
    assert path.read_text() == "first\n"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        UserError, match=r"table\.md: cannot be written \(No space left on device\)"
    ):
        write_atomically(path, "second\n")
    assert path.read_text() == "first\n"
    assert [file.name for file in path.parent.iterdir()] == ["table.md"]


def test_an_unwritable_place_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "table.md", "x")
    with pytest.raises(UserError, match="cannot be written"):
        write_atomically(tmp_path, "x")


def test_comparing_imports_no_heavy_package(make_run, records_dir):
    make_run("andi", 0.5)
    code = (
        "import sys; from pathlib import Path\n"
        "from leaderboard.compare import compare; from leaderboard.exports.terminal import print_comparison\n"
        "from leaderboard.exports.csv_text import to_csv; from leaderboard.exports.json_text import to_json\n"
        "from leaderboard.exports.markdown import to_details, to_markdown\n"
        "c = compare(Path(sys.argv[1])); print_comparison(c); to_csv(c); to_json(c); to_markdown(c); to_details(c)\n"
        "heavy = {'torch', 'nilearn', 'matplotlib', 'scipy', 'sklearn', 'pandas'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(records_dir)], capture_output=True, text=True, check=True
    )
    assert out.stdout.splitlines()[-1] == "heavy: []"


def test_markdown_says_what_differences_are_worth_and_how_that_was_found(make_run, records_dir):
    values = [k / 20 for k in range(1, 13)]
    for method, lift in (("best", 0.3), ("b", 0.05), ("c", 0.0)):
        own = [value + lift + (k % 3) / 100 for k, value in enumerate(values)]
        make_run(method, {"raw": own, "median5": own[::-1]})
    text = to_details(compare(records_dir), [[("Every subject", "figures/phantom dice.svg")]])
    (board,) = leaderboards(text)
    best = [line["Dice@val-dice"] for line in board if line["Method"] == "best"]
    assert all(re.fullmatch(r"\*\*0\.\d{3}\*\* \[.*\]", cell) for cell in best)
    assert sum("**" in line["Dice@val-dice"] for line in board) == len(best) == 1
    ranks = [table for table in markdown_tables(text) if "Significantly better than" in table[0]]
    assert [line["Method"] for line in ranks[0]] == ["best", "b", "c"]
    assert ranks[0][0]["Significantly better than"] == "all 2"
    assert ranks[0][0]["Group"] == "a"
    pairs = [table for table in markdown_tables(text) if "p (family)" in table[0]]
    assert [len(table) for table in pairs] == [3]
    p = pairs[0][0]["p (family)"]
    assert p == "&lt;.001" or float(p.removeprefix("≤")) < 0.05
    for words in (
        "> [!WARNING]",
        "12 subjects are few",
        "Wilcoxon",
        "Power: with 12 subjects",
        "one seed of all rows: intervals and tests are about that training",
        "## How differences are tested",
        "Holm",
        "rank-biserial",
        "2,000 resamples",
        "Where the spread comes from",
        "![Every subject](figures/phantom%20dice.svg)",
    ):
        assert words in text
    assert text.count("<details>") == text.count("</details>") > 0


def test_the_first_page_has_seven_columns_each_with_its_n_and_says_what_the_tests_found(tmp_path):
    lesion_free_benchmark(tmp_path)
    found = compare(tmp_path)
    (table,) = found.tables
    (statistics,) = found.statistics
    text = to_markdown(found, details="board-details.md")
    (lines,) = markdown_tables(text)
    heads = ["Group", "Method", "Dice@val-dice", "Difference to the best", "AP per subject"]
    heads += ["Lesion-free: clean, FP ml", "s/volume"]
    assert [head.partition("<br>")[0] for head in lines[0]] == heads
    ill = f"n = {len(statistics.family.subjects)}"
    free = f"n = {sum(volume == 0 for volume in table.rows[0].values['lesion_ml'].values())}"
    assert [head.partition("<br>")[2] for head in lines[0]] == ["", "", ill, ill, ill, free, ""]
    assert len(lines) == len(table.rows)
    interval = r" \[[^\]]+, [^\]]+\]"
    for row, line in zip(table.rows, lines, strict=True):
        cells = dict(zip(heads, (cell.replace("\xa0", " ") for cell in line.values()), strict=True))
        assert cells["Group"] == row.group
        assert cells["Method"] == f"{row.label}, {'raw' if row.chain == 'raw' else 'filtered'}"
        dice, ap = row.figures["dice@val-dice"].value, row.figures["ap"].value
        assert re.fullmatch(rf"\**{dice:.3f}\**{interval}", cells["Dice@val-dice"])
        assert re.fullmatch(rf"{ap:.3f}{interval}", cells["AP per subject"])
        clean, ml = cells["Lesion-free: clean, FP ml"].split("<br>")
        any_detected = row.figures["any_detection_lesion_free@val-dice"]
        assert re.fullmatch(rf"{1 - any_detected.value:.2f}{interval}", clean)
        assert (
            f"{1 - any_detected.high:.2f}, {1 - any_detected.low:.2f}]".replace("0.", ".") in clean
        )
        volume = row.figures["false_positive_ml_lesion_free@val-dice"].value
        assert re.fullmatch(rf"{volume:.2f}{interval}", ml)
        if row.rank == 1:
            assert cells["Difference to the best"] == "best"
            continue
        test = statistics.family.test(table.rows[0].key, row.key)
        sign = 1 if test.first == row.key else -1
        behind = f"{sign * test.difference:+.3f}".replace("0.", ".")
        assert re.fullmatch(re.escape(behind) + interval, cells["Difference to the best"])
    assert "[Details](board-details.md)" in text
    assert text.count("\n") < 60


def test_a_page_and_its_details_are_written_beside_each_other(comparison, tmp_path):
    said = write_markdown(comparison, tmp_path / "board.md")
    page, details = tmp_path / "board.md", tmp_path / "board-details.md"
    assert said == f"{page}, details in {details}"
    assert "[Details](board-details.md)" in page.read_text()
    assert "Of [board.md](board.md)." in details.read_text()
    assert details.read_text() == to_details(comparison, None, ("x",), page="board.md")


def test_a_method_is_linked_to_its_paper_where_the_record_says_where_it_is(make_run, records_dir):
    papers = {
        "a": "Nobody et al., A title, arXiv 2312.01904",
        "b": "Nobody, https://example.org/a(b)?c=<d>",
        "c": "Nobody, MIDL 2022",
        "d": "Nobody, doi 10.1000/xyz_12",
    }
    for place, (method, paper) in enumerate(papers.items()):
        make_run(method, 0.5 + place / 10, publication=paper)
    text = to_markdown(compare(records_dir))
    assert "| [a](https://arxiv.org/abs/2312.01904), " in text
    assert "| [b](https://example.org/a%28b%29?c=%3Cd%3E), " in text
    assert "| c, " in text
    assert "| [d](https://doi.org/10.1000/xyz_12), " in text


def test_no_interval_of_the_details_is_left_out(tmp_path):
    lesion_free_benchmark(tmp_path)
    found = compare(tmp_path)
    (table,) = found.tables
    text = to_details(found)
    for key, figure in table.rows[0].figures.items():
        column = next((one for one in columns_of(table) if one.metric == key), None)
        if column is not None and figure.low is not None:
            assert re.search(r" \[.*\]$", column.cell(table.rows[0]).text), key
    boards = [lines for lines in markdown_tables(text) if "#" in lines[0]]
    assert len(boards) == 6  # one a group of columns
    heads = {head for lines in boards for head in lines[0]}
    assert "Pooled AP<br>n = 27" in heads
    assert "HD95 (mm)<br>n = 24" in heads


def test_a_data_set_whose_main_table_lacks_the_view_still_has_a_section(make_run, records_dir):
    for method in ("a", "b"):
        make_run(method, {"raw": [0.5, 0.6]}, protocol={"chains": ("raw",)})
    make_run("a", {"raw": [0.4, 0.5], "median5": [0.5, 0.6]}, salt=1)
    found = compare(records_dir, pipeline="filtered")
    assert [bool(table.differs) for table in found.tables] == [True]
    (lines,) = markdown_tables(to_markdown(found))
    assert [line["Method"] for line in lines] == ["a"]
    assert "Measured differently: post-processing: raw, median5 instead of raw" in to_markdown(
        found
    )
