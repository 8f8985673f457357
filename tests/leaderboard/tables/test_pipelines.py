"""One row a method: validation chooses the pipeline, the test split has no say, and a method's two rows never meet."""

from __future__ import annotations

import json

import pytest
from support.small_evaluation import record_of

from andi_bench.errors import UserError
from andi_bench.records.search import find_records
from leaderboard.compare import compare
from leaderboard.exports.plain_rows import flat
from leaderboard.tables.pipelines import chosen_pipeline
from leaderboard.words.notes import heading_of, notes_of
from leaderboard.words.pipeline_text import pipeline_cells, pipeline_heads, title_in_words


def shown(records_dir, **options):
    """Return rank, method and pipeline of every row of the only table."""
    (table,) = compare(records_dir, **options).tables
    return [(row.rank, row.method, row.chain) for row in table.rows]


def test_the_higher_validation_dice_decides_though_the_test_split_says_otherwise(
    make_run, records_dir
):
    make_run(
        "a",
        {"raw": [0.2, 0.3], "median5": [0.8, 0.9]},
        validation={"raw": 0.61, "median5": 0.6},
    )
    make_run(
        "b",
        {"raw": [0.9, 0.8], "median5": [0.4, 0.5]},
        validation={"raw": 0.1, "median5": 0.2},
    )
    assert shown(records_dir) == [(1, "b", "median5"), (2, "a", "raw")]
    assert shown(records_dir, pipeline="raw") == [(1, "b", "raw"), (2, "a", "raw")]
    assert shown(records_dir, pipeline="filtered") == [(1, "a", "median5"), (2, "b", "median5")]


def test_several_seeds_have_one_pipeline_that_of_the_higher_mean(make_run, records_dir):
    for seed, (raw, filtered) in enumerate([(0.5, 0.4), (0.5, 0.4), (0.1, 0.5)]):
        make_run("a", 0.5, seed=seed, validation={"raw": raw, "median5": filtered})
    (table,) = compare(records_dir).tables
    (row,) = table.rows
    assert (row.chain, row.choice.why, row.seeds) == ("median5", "dice", (0, 1, 2))
    assert row.choice.values == pytest.approx({"raw": 1.1 / 3, "median5": 1.3 / 3})


def test_a_tie_goes_to_raw_and_is_said(make_run, records_dir):
    for seed, (raw, filtered) in enumerate([(0.1, 0.2), (0.3, 0.2)]):
        make_run("a", 0.5, seed=seed, validation={"raw": raw, "median5": filtered})
    (table,) = compare(records_dir).tables
    assert table.rows[0].chain == "raw"
    assert any(note.startswith("a: both pipelines have the same Dice") for note in notes_of(table))


def test_without_a_validation_dice_of_every_seed_the_filtered_row_stands_and_that_is_said(
    make_run, records_dir
):
    make_run("a", 0.5, seed=0, validation={"raw": 0.9, "median5": 0.1})
    make_run("a", 0.6, seed=1)
    make_run("b", 0.4, validation={"raw": 0.9, "median5": 0.1})
    (table,) = compare(records_dir).tables
    assert [(row.method, row.chain) for row in table.rows] == [("a", "median5"), ("b", "raw")]
    (said,) = [note for note in notes_of(table) if "no validation Dice is recorded" in note]
    assert said.startswith("a: ")


def test_a_record_from_before_the_figure_was_kept_is_chosen_by_its_histograms(tmp_path):
    for method, skill in (("good", 4.0), ("poor", 1.0)):
        record_of(tmp_path, method, skill)
    (table,) = compare(tmp_path).tables
    for record in find_records(tmp_path).records:
        content = json.loads((record.folder / "record.json").read_text(encoding="utf-8"))
        for points in content["operating_points"].values():
            for point in points.values():
                del point["reached"]
        old = type(record).model_validate({**content, "schema": 4})
        old = old.model_copy(update={"folder": record.folder})
        found = chosen_pipeline([old], old.protocol.chains)
        (row,) = [row for row in table.rows if row.method == record.run.method]
        assert (found.chain, found.why) == (row.chain, "dice")
        assert found.values == pytest.approx(row.choice.values, abs=1e-3)


def test_where_all_maps_are_raw_they_are_the_only_table_under_every_name_but_filtered(
    make_run, records_dir
):
    make_run("a", 0.5, protocol={"chains": ("raw",)})
    for pipeline in ("validated", "raw", "all"):
        assert shown(records_dir, pipeline=pipeline) == [(1, "a", "raw")]
    (table,) = compare(records_dir).tables
    assert pipeline_cells(table) == []
    assert heading_of(table).startswith("raw maps, protocol standard")
    with pytest.raises(UserError, match=r"no filtered maps in these records, runs with evaluation"):
        compare(records_dir, pipeline="filtered")


def test_all_gives_a_table_of_each_with_ranks_of_its_own(make_run, records_dir):
    make_run("a", 0.5, validation={"raw": 0.2, "median5": 0.1})
    make_run("b", 0.6, validation={"raw": 0.1, "median5": 0.2})
    tables = compare(records_dir, pipeline="all").tables
    assert [table.view for table in tables] == ["validated", "raw", "filtered"]
    for table in tables:
        assert [row.rank for row in table.rows] == [1, 2]
        assert len({row.label for row in table.rows}) == len(table.rows)
        assert {row.rank for row in table.every} == {None}
        assert [flat(table, row)["view"] for row in table.rows] == [table.view] * 2
    titles = [title_in_words(table) for table in tables]
    assert titles[1:] == [
        "phantom title, raw maps alone",
        "phantom title, filtered maps alone (median5)",
    ]


def test_both_pipelines_are_listed_with_what_they_reached_on_either_split(make_run, records_dir):
    make_run(
        "a", {"raw": [0.2, 0.4], "median5": [0.8, 0.6]}, validation={"raw": 0.4, "median5": 0.3}
    )
    (table,) = compare(records_dir).tables
    (line,) = pipeline_cells(table)
    assert dict(zip(pipeline_heads(table), line, strict=True)) == {
        "Method": "a",
        "Pipeline": "raw",
        "raw, validation": "0.400",
        "filtered, validation": "0.300",
        "raw, test": "0.300",
        "filtered, test": "0.700",
        "Chosen by": "validation",
    }


def test_the_views_of_a_comparison_are_those_that_are_asked_for_by_name(make_run, records_dir):
    make_run("a", 0.5, validation={"raw": 0.2, "median5": 0.1})
    make_run("b", 0.6, validation={"raw": 0.1, "median5": 0.2})
    every = compare(records_dir, pipeline="raw").with_every_view
    asked = compare(records_dir, pipeline="all")
    assert every.tables == asked.tables
    assert every.statistics == asked.statistics
    assert every.with_every_view.tables == every.tables


def test_the_command_shows_the_pipeline_that_is_asked_for(cli, make_run, records_dir):
    make_run("a", 0.5, validation={"raw": 0.2, "median5": 0.1})
    make_run("b", 0.6, validation={"raw": 0.1, "median5": 0.2})

    def pipelines(*options):
        answer = cli("compare", "--records", records_dir, "--json", *options)
        assert answer.code == 0, answer.err
        tables = json.loads(answer.out)["tables"]
        return [[row["pipeline"] for row in table["rows"]] for table in tables]

    assert pipelines() == [["median5", "raw"]]
    assert pipelines("--pipeline", "filtered") == [["median5", "median5"]]
    assert len(pipelines("--pipeline", "all")) == 3
    refused = cli("compare", "--records", records_dir, "--pipeline", "median5")
    assert refused.code == 2
    content = json.loads(cli("compare", "--records", records_dir, "--json").out)["tables"][0]
    assert content["pipelines"]["b"] == {
        "chosen": "median5",
        "why": "dice",
        "validation_dice": {"raw": 0.1, "median5": 0.2},
    }
