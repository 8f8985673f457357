"""A run's own page: one file that fetches nothing, subjects by Dice, the three montages by rule, safe against names."""

import re

import pytest
from support.page_records import write_run

from andi_bench.records.store import read_record, read_subjects
from leaderboard.exports.report.run_report import REPORT, write_report
from leaderboard.words.one_run.run_results import (
    baselines_beside,
    chain_of_run,
    spark_line,
    subject_lines,
)

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture
def folder(tmp_path):
    folder = write_run(
        tmp_path / "records",
        "mine",
        label="<script>alert(1)</script>",
        subjects=[f"S{k}" for k in range(7)],
        guards=({"name": "splits disjoint", "passed": False, "detail": "S1 in both"},),
        notes=("a note & more",),
    )
    figures = folder / "figures"
    figures.mkdir()
    chain = chain_of_run(read_record(folder))
    for name in ("loss", "dice-threshold", *(f"S{k}_{chain}" for k in range(7))):
        (figures / f"{name}.png").write_bytes(PIXEL)
    return folder


def test_a_report_is_one_file_that_asks_for_nothing(folder):
    text = write_report(folder).read_text(encoding="utf-8")
    assert (folder / REPORT).is_file()
    assert "default-src 'none'" in text
    assert set(re.findall(r'(?:src|href)="([^"]{0,22})', text)) == {"data:image/png;base64,"}
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert (
        text.count("<img") == 2 + 3
    )  # curves, and the subjects of the highest, median and lowest Dice
    read_record(folder)  # a report is no part of what digests are of


def test_subjects_stand_by_their_dice(folder):
    run = read_record(folder)
    chain = chain_of_run(run)
    table = read_subjects(folder)
    own = table[(table["chain"] == chain) & (table["point"] == "val-dice")].set_index("subject")
    wanted = own["dice"].dropna().sort_values(ascending=False).index.tolist()
    lines = subject_lines(run, chain)
    assert [line.subject for line in lines if line.dice is not None] == wanted
    text = write_report(folder).read_text(encoding="utf-8")
    assert re.findall(r'<td class="name">(\w+)</td>', text)[: len(wanted)] == wanted
    highest, lowest = wanted[0], wanted[-1]
    assert f"{highest}: highest Dice" in text
    assert f"{lowest}: lowest Dice" in text


def test_what_makes_a_run_doubtful_is_said_and_a_neighbour_is_found(folder, tmp_path):
    write_run(
        tmp_path / "records", "voxel-statistics", skill=0.95, subjects=[f"S{k}" for k in range(7)]
    )
    write_run(tmp_path / "records", "thresholding", dataset="other", skill=0.95)
    # of another working grid: no neighbour, as in tables
    coarse = {"shape": (20, 20, 10), "subjects": [f"S{k}" for k in range(7)]}
    write_run(tmp_path / "records", "thresholding", skill=0.95, **coarse)
    (beside,) = baselines_beside(read_record(folder), tmp_path / "records")
    assert beside.run.method == "voxel-statistics"
    text = write_report(folder).read_text(encoding="utf-8")
    assert "Guard failed: splits disjoint (S1 in both)" in text
    assert "Behind a simple method." in text
    assert "a note &amp; more" in text
    (beside.folder / "record.json").write_text("{")  # a damaged neighbour is none
    assert baselines_beside(read_record(folder), tmp_path / "records") == []


def test_a_course_of_values_is_a_line_of_bars():
    assert spark_line([3, 2, 1], 10) == "█▅▁" or spark_line([3, 2, 1], 10) == "█▄▁"
    assert len(spark_line(list(range(1000)), 40)) == 40
    assert spark_line([1, 1], 5) == "▁▁"
