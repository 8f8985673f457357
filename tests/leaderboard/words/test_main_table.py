"""The first screen: figures with their intervals, differences as the tests have them, and in words how that was measured."""

from __future__ import annotations

import math
import re

import pytest
from support.synthetic_records import Size, write_benchmark

from leaderboard.compare import compare
from leaderboard.tables.cells import signed
from leaderboard.words.citing.papers import address_of
from leaderboard.words.main_table import FALSE_ML, main_columns
from leaderboard.words.methods_text import dated, methods_paragraph
from leaderboard.words.notes import first_notes
from leaderboard.words.provenance import origins_of

SIZE = Size(methods=4, subjects=27, seeds=2, validation=4, voxels=600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("records")
    write_benchmark(made, SIZE)
    return made


def columns_by_kind(found):
    (table,), (statistics,) = found.tables, found.statistics
    return table, statistics, main_columns(table, statistics)


def test_the_columns_stand_in_their_fixed_order_whatever_ranks(folder):
    _, _, columns = columns_by_kind(compare(folder))
    kinds = [column.kind for column in columns]
    assert kinds == ["group", "method", "figure", "difference", "figure", "healthy", "seconds"]
    assert [column.head for column in columns if column.ranks] == ["Dice@val-dice"]
    _, _, columns = columns_by_kind(compare(folder, metric="ap"))
    heads = [column.head for column in columns]
    assert heads[2:5] == ["AP per subject", "Difference to the best", "Dice@val-dice"]
    _, statistics, columns = columns_by_kind(compare(folder, metric="pooled_ap"))
    heads = [column.head for column in columns]
    assert heads[2:4] == ["Pooled AP", "Difference to the best, AP per subject"]
    assert statistics.family.metric == "ap"


@pytest.mark.parametrize("metric", ["dice@val-dice", "hd95_penalised@val-dice"])
def test_a_difference_is_that_of_the_test_seen_from_the_row_and_lies_in_its_interval(
    folder, metric
):
    table, statistics, columns = columns_by_kind(compare(folder, metric=metric))
    (column,) = [one for one in columns if one.kind == "difference"]
    assert column.size == f"n = {len(statistics.family.subjects)}"
    worst = table.rows[0].figures[metric].value
    for row, (cell,) in zip(table.rows, column.cells, strict=True):
        if row.key == table.rows[0].key:
            assert cell.text == "best"
            continue
        own = float(cell.text)
        assert own == pytest.approx(row.figures[metric].value - worst, abs=0.06)
        low, high = map(float, re.fullmatch(r"\[(.*), (.*)\]", cell.limits).groups())
        assert low <= own + 0.006
        assert own - 0.006 <= high


def test_clean_is_what_any_detection_is_not_with_its_interval_turned_round(folder):
    table, _, columns = columns_by_kind(compare(folder))
    (column,) = [one for one in columns if one.kind == "healthy"]
    assert column.size == "n = 3"
    for row, (clean, volume) in zip(table.rows, column.cells, strict=True):
        found = row.figures["any_detection_lesion_free@val-dice"]
        assert math.isclose(float(clean.text), 1 - found.value, abs_tol=0.005)
        low, high = map(float, re.fullmatch(r"\[(.*), (.*)\]", clean.limits).groups())
        assert math.isclose(low, 1 - found.high, abs_tol=0.005)
        assert math.isclose(high, 1 - found.low, abs_tol=0.005)
        assert float(volume.text) == round(row.figures[FALSE_ML].value, 2)


def test_signs_are_kept_and_only_a_leading_nought_goes():
    assert signed(0.1234) == "+.123"
    assert signed(-0.5, 2) == "-.50"
    assert signed(10.25, 2) == "+10.25"
    assert signed(-100.001) == "-100.001"


def test_the_paragraph_names_subjects_filter_threshold_tests_and_what_is_not_said(folder):
    table, statistics, _ = columns_by_kind(compare(folder))
    text = methods_paragraph(table, statistics)
    for words in (
        "24 subjects with a lesion and 3 without",
        "3-D median over 9.375x9.375x5 mm",
        "frozen on those of 4 validation subjects who have a lesion",
        "over subjects and seeds",
        "corrected over 6 pairs",
        "nothing is detected",
        "cpu, 2 threads",
    ):
        assert words in text
    assert "median" not in methods_paragraph(*columns_by_kind(compare(folder, pipeline="raw"))[:2])
    assert dated(table).startswith(
        "made-up; split test; protocol standard, version 2; runs of 2026"
    )


def test_one_seed_is_said_to_be_about_one_training(make_run, records_dir):
    for method in ("a", "b"):
        make_run(method, {"raw": [0.5, 0.6, 0.8], "median5": [0.5, 0.6, 0.7]})
    table, statistics, _ = columns_by_kind(compare(records_dir))
    assert "the one training that each method has" in methods_paragraph(table, statistics)


def test_what_all_runs_say_is_said_once_and_names_go_with_their_seeds(make_run, records_dir):
    for method in ("a", "b"):
        for seed in (0, 1):
            own = ("all say this: 1",) + (("one says: 2",) if (method, seed) == ("a", 1) else ())
            make_run(method, 0.5 + seed / 10, seed=seed, notes=own)
    for method in ("c", "d"):
        make_run(method, 0.3, unranked="shown only", notes=("all say this: 1",))
    (table,) = compare(records_dir).tables
    notes = first_notes(table)
    assert "Every run: all say this." in notes
    assert "a (seed 1): one says." in notes
    assert "c, d have no rank: shown only." in notes


def test_a_method_has_one_line_of_origin_with_all_its_records(folder):
    (table,) = compare(folder).tables
    lines = origins_of(table)
    assert [name for name, _, _ in lines] == [f"{row.label}, seeds 0, 1" for row in table.rows]
    kept = sorted(name for _, _, folders in lines for name in folders)
    assert kept == sorted(path.name for path in folder.iterdir())
    assert all("preset quick; created 2026-01-" in facts for _, facts, _ in lines)
    assert all(address_of(row) == "" for row in table.rows)
