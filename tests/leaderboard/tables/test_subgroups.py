"""The tables by sub-group: the same estimates, on fewer subjects."""

import numpy as np
import pytest
from support.small_evaluation import record_of

from andi_bench.errors import UserError
from andi_bench.metrics.mean_intervals import share_interval
from andi_bench.metrics.points import RANKING
from andi_bench.records.store import Group, read_record, read_subjects
from leaderboard.compare import compare
from leaderboard.tables.subgroups import group_tables
from leaderboard.tables.table import build_tables

TEST = tuple(f"t{k}" for k in range(12))
MEMBERS = {"A": {f"t{k}" for k in range(0, 12, 2)}, "B": {f"t{k}" for k in range(1, 12, 2)}}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for method, skill in (("good", 4.0), ("poor", 1.0)):
        record_of(folder, method, skill, test=TEST)
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
        assert {row.subjects for row in mine} == {6}


def test_a_mean_is_that_of_the_groups_subjects(tables, records):
    (found,) = group_tables(tables, "site")
    for row in found.rows:
        (folder,) = records.glob(f"{row.label}*")
        lines = read_subjects(folder)
        mine = lines[
            (lines["chain"] == row.chain)
            & (lines["point"] == "val-dice")
            & lines["subject"].isin(MEMBERS[row.group])
        ]
        mine = mine[mine["lesion_ml"] > 0]
        assert row.figures[RANKING].value == pytest.approx(mine["dice"].mean())
        assert row.counts[RANKING] == len(mine)


def test_the_interval_is_that_of_the_groups_subjects(tables, records):
    (found,) = group_tables(tables, "site")
    by_key = {(row.label, row.chain): row for row in tables[0].rows}
    for row in found.rows:
        values = by_key[row.label, row.chain].values[RANKING]
        own = np.array([[v] for name, v in values.items() if name in MEMBERS[row.group]])
        figure = row.figures[RANKING]
        assert (figure.low, figure.high) == pytest.approx(share_interval(own))


def test_no_figure_rests_on_fewer_than_five_subjects(tables):
    (found,) = group_tables(tables, "lesion-size")
    for row in found.rows:
        for key, figure in row.figures.items():
            assert figure.value is None or row.counts[key] >= 5
    healthy = [row for row in found.rows if row.group == "no lesion"]
    assert healthy
    assert all(figure.value is None for row in healthy for figure in row.figures.values())
    assert found.members.keys() == {row.group for row in found.rows}


def test_figures_of_small_groups_in_older_records_are_not_shown(tables):
    def older(run):
        groups = [
            Group(name=name, subjects=tuple(sorted(names)), results=run.summary)
            for name, names in (("few", list(MEMBERS["A"])[:4]), ("many", MEMBERS["B"]))
        ]
        return run.model_copy(update={"groups": {"old": tuple(groups)}})

    records = [older(run) for run in tables[0].runs]
    (found,) = group_tables(build_tables(records), "old")
    for row in found.rows:
        values = [figure.value for figure in row.figures.values()]
        assert any(value is not None for value in values) == (row.group == "many")


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
