"""The columns in named groups: none lost, none twice, each with the number of subjects it is over."""

from __future__ import annotations

from support.synthetic_records import Size, write_benchmark

from leaderboard.compare import compare
from leaderboard.tables.cells import DASH
from leaderboard.tables.columns import columns_of
from leaderboard.tables.parts import (
    LESION_FREE,
    NAMING,
    PARTS,
    RANKED,
    THRESHOLDS,
    parts_of,
    size_of,
    size_of_column,
    volumes_of,
)


def test_every_column_that_tells_something_stands_in_one_group_in_a_fixed_order(tmp_path):
    write_benchmark(tmp_path, Size(methods=3, subjects=27, seeds=2, validation=4, voxels=600))
    (table,) = compare(tmp_path).tables
    parts = parts_of(table)
    names = [name for name, _ in parts]
    assert names == [name for name in PARTS if name in names]
    assert all(tuple(one.header for one in own[:3]) == NAMING for _, own in parts)
    heads = [one.header for _, own in parts for one in own[3:]]
    assert len(set(heads)) == len(heads)
    silent = {one.header for one in columns_of(table)} - set(heads) - set(NAMING)
    for column in columns_of(table):
        if column.header in silent:
            assert all(column.cell(row).text == DASH for row in table.shown)
    found = {name: [one.header for one in own[3:]] for name, own in parts}
    assert "Dice@val-dice" in found[RANKED]
    assert "Dice@yen" in found[THRESHOLDS]
    assert "(oracle, gap)" in found[THRESHOLDS]
    assert all("lesion-free" in head for head in found[LESION_FREE])


def test_the_size_is_the_number_of_subjects_that_a_figure_is_over(tmp_path):
    write_benchmark(tmp_path, Size(methods=2, subjects=27, seeds=1, validation=4, voxels=600))
    (table,) = compare(tmp_path).tables
    ill = sum(volume > 0 for volume in volumes_of(table).values())
    assert ill == 24
    assert size_of(table, "dice@val-dice") == "n = 24"
    assert size_of(table, "any_detection_lesion_free@val-dice") == "n = 3"
    assert size_of(table, "pooled_ap") == "n = 27"
    assert size_of(table, "scan_auroc") == "n = 24 + 3"
    sizes = {one.header: size_of_column(table, one) for one in columns_of(table)}
    assert sizes["Median Dice"] == "n = 24"
    assert sizes["Method"] == sizes["s/volume"] == ""


def test_rows_that_lack_some_subjects_give_a_range(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", {"raw": [0.5, 0.6, 0.7], "median5": [0.5, 0.6, 0.7]})
    (table,) = compare(records_dir).tables
    assert size_of(table, "dice@val-dice") == "n = 3 to 4"
