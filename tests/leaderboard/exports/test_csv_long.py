"""The long form: every value of every subject once, and the table's means are its means."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from support.synthetic_records import Size, write_benchmark

from andi_bench.metrics.compared import compared_per_subject
from leaderboard.compare import compare
from leaderboard.exports.csv_long import HEADS, to_long_csv


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    write_benchmark(folder, Size(methods=3, subjects=27, seeds=2, validation=4, voxels=600))
    comparison = compare(folder)
    return comparison, pd.read_csv(io.StringIO(to_long_csv(comparison)))


def test_each_value_stands_once_under_the_heads(made):
    _, table = made
    assert tuple(table.columns) == HEADS
    keys = ["dataset", "method", "pipeline", "seed", "subject", "metric"]
    assert not table.duplicated(keys).any()
    assert table["value"].notna().all()
    assert set(table["pipeline"]) == {"raw", "median5"}
    assert set(table["seed"]) == {0, 1}
    assert table.query("metric == 'lesion_ml'")["subject"].nunique() == 27


def test_the_means_of_the_table_are_the_means_of_the_lines(made):
    comparison, table = made
    (board,) = comparison.tables
    chosen = table[table["chosen"]]
    for row in board.rows:
        own = chosen[(chosen["method"] == row.label) & (chosen["pipeline"] == row.chain)]
        for found in compared_per_subject():
            lines = own.loc[own["metric"] == found.key, "value"]
            figure = row.figures[found.key].value
            if figure is None:
                assert lines.empty
            else:
                assert lines.mean() == pytest.approx(figure)
                assert len(lines) == 2 * len(row.values[found.key])


def test_what_validation_chose_is_marked_and_views_change_nothing(made, tmp_path):
    comparison, table = made
    marked = table[table["chosen"]].groupby("method")["pipeline"].unique()
    assert {label: list(own) for label, own in marked.items()} == {
        row.label: [row.chain] for row in comparison.tables[0].rows
    }
    assert to_long_csv(comparison.with_every_view) == to_long_csv(comparison)


def test_incomplete_runs_are_left_out_and_tables_that_differ_say_in_what(make_run, records_dir):
    make_run("whole", 0.5)
    make_run("part", 0.6, protocol={"subjects": {"val": 6, "test": 9}})
    make_run("whole", 0.4, protocol={"grid": "native"})
    table = pd.read_csv(io.StringIO(to_long_csv(compare(records_dir))))
    assert set(table["method"]) == {"whole"}
    assert sorted(table["differs"].fillna("").unique()) == ["", "grid: native instead of working"]
