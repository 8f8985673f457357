"""What separates tables is said where the field is."""

from __future__ import annotations

import pytest

from andi_bench.config import EvaluationConfig, RunConfig
from andi_bench.records.settings import LATER_OPTIONS
from leaderboard.compare import compare


def test_every_evaluation_field_says_whether_it_separates_tables():
    for name, found in EvaluationConfig.model_fields.items():
        declared = found.json_schema_extra
        assert isinstance(declared, dict), name
        assert isinstance(declared["separates_tables"], bool), name


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, 7) for name in sorted(EvaluationConfig.model_fields)],
)
def test_a_setting_that_separates_nothing_makes_two_runs_seeds_of_one_row(
    make_run, records_dir, name, value
):
    make_run("a", 0.5, seed=0, config={"evaluation": {name: 1}})
    make_run("a", 0.5, seed=1, config={"evaluation": {name: value}})
    rows = [row for table in compare(records_dir).tables for row in table.rows]
    declared = EvaluationConfig.model_fields[name].json_schema_extra
    seeds = {row.seeds for row in rows}
    assert seeds == ({(0,), (1,)} if declared["separates_tables"] else {(0, 1)})


def test_maps_that_reach_beyond_the_brain_stand_in_a_table_of_their_own(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", 0.6, config={"scoring": {"published_outside": True}})
    first, second = compare(records_dir).tables
    assert not first.differs
    assert second.differs == ("region: brain, of maps scored beyond it instead of brain",)


def test_a_setting_that_a_record_leaves_out_is_not_named(make_run, records_dir):
    make_run("a", 0.5, config={"detector": {"bins": 256, "published_order": True}})
    make_run("a", 0.6, config={"detector": {"bins": 256}})
    (table,) = compare(records_dir).tables
    assert {row.label for row in table.rows} == {"a (published_order=true)", "a"}


def test_a_seed_of_before_and_one_whose_record_says_every_field_are_one_row(make_run, records_dir):
    old = {**RunConfig().model_dump(mode="json"), "detector": {"bins": 256}}
    new = RunConfig().described({"bins": 256, "published_order": False})
    make_run("a", 0.5, seed=0, config=old)
    make_run("a", 0.6, seed=1, config=new, provenance={LATER_OPTIONS: ["published_order"]})
    (table,) = compare(records_dir).tables
    assert [(row.label, row.seeds) for row in table.rows] == [("a", (0, 1))]
