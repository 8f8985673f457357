"""The tables by sub-group: the same estimates, on fewer subjects."""

import pytest
from support.small_evaluation import TEST, record_of

from andi_bench.errors import UserError
from andi_bench.metrics.points import RANKING
from andi_bench.records.store import read_record, read_subjects
from leaderboard.compare import compare
from leaderboard.tables.subgroups import group_tables


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for method, skill in (("good", 4.0), ("poor", 1.0)):
        record_of(folder, method, skill)
    return folder


@pytest.fixture(scope="module")
def tables(records):
    return compare(records).tables


def test_every_group_has_every_row_in_the_tables_order(tables):
    (found,) = group_tables(tables, "site")
    assert found.by == "site"
    order = [(row.label, row.chain) for row in tables[0].rows]
    for group in ("A", "B"):
        mine = [row for row in found.rows if row.group == group]
        assert [(row.label, row.chain) for row in mine] == order
        assert {row.subjects for row in mine} == {2}


def test_a_mean_is_that_of_the_groups_subjects(tables, records):
    (found,) = group_tables(tables, "site")
    members = {"A": {"t0", "t2"}, "B": {"t1", "t3"}}
    for row in found.rows:
        (folder,) = records.glob(f"{row.label}*")
        lines = read_subjects(folder)
        mine = lines[
            (lines["chain"] == row.chain)
            & (lines["point"] == "val-dice")
            & lines["subject"].isin(members[row.group])
        ]
        assert row.figures[RANKING].value == pytest.approx(mine["dice"].mean())


def test_two_subjects_have_no_interval_and_the_whole_table_has_one(tables):
    (found,) = group_tables(tables, "site")
    assert {row.figures[RANKING].low for row in found.rows} == {None}
    assert all(row.figures[RANKING].low is not None for row in tables[0].rows)


def test_pooled_figures_are_those_of_the_groups_voxels(tables, records):
    (found,) = group_tables(tables, "site")
    for row in found.rows:
        record = read_record(next(records.glob(f"{row.label}*")))
        group = next(g for g in record.groups["site"] if g.name == row.group)
        assert set(group.subjects) < set(TEST)
        assert row.figures["pooled_ap"].value == group.results[row.chain].pooled.ap


def test_a_grouping_that_no_record_has_is_refused_with_the_nearest(tables):
    with pytest.raises(UserError, match="sub-group among the records 'sites'.*did you mean 'site'"):
        group_tables(tables, "sites")
