"""What the page's figures are drawn from is what the records hold, and nothing where they hold nothing."""

import numpy as np
import pytest
from support.page_records import CHAINS, SHARES, write_run

from andi_bench.metrics.froc import RATES
from andi_bench.metrics.points import RANKING
from leaderboard.compare import compare
from leaderboard.exports.page.figure_content import crossed_content, froc_content, shares_content


@pytest.fixture
def rows(tmp_path):
    for seed, skill in enumerate((0.6, 0.4)):
        write_run(tmp_path, "andi", seed=seed, skill=skill)
    write_run(tmp_path, "older", operating_points={})
    (table,) = compare(tmp_path).tables
    return {row.label: row for row in table.rows}


def test_a_curve_is_the_mean_over_seeds_where_it_rises(rows):
    found = froc_content(rows["andi"])
    assert found["counts"] == [[36, 12, 12]] * 2
    paid, reached = np.array(found["false_positives"]), np.array(found["sensitivity"])
    assert len(paid) == 1 + 6 + 1  # both ends and six steps
    for rate in RATES:
        below = reached[paid <= rate * 1.03].max()  # as near as the curve is read
        assert below == pytest.approx(rows["andi"].figures[f"froc_{rate:g}"].value, abs=1e-3)
    for run in rows["older"].runs:
        for chain in CHAINS:
            run.summary[chain] = run.summary[chain].model_copy(update={"froc": None})
    assert froc_content(rows["older"]) is None


def test_shares_are_percent_of_the_lesion_free_voxels(rows):
    expected = {"val-dice": 1.0, **{name: 100 * share for name, share in SHARES.items()}}
    assert shares_content(rows["andi"]) == pytest.approx(expected)
    assert shares_content(rows["older"]) == {}


def test_what_was_tested_on_two_data_sets_has_a_cell_for_each(tmp_path):
    for dataset in ("one", "two"):
        write_run(tmp_path, "andi", dataset=dataset)
    write_run(tmp_path, "alone", dataset="two")
    comparison = compare(tmp_path)
    (found,) = crossed_content(comparison)
    assert (found["datasets"], found["subjects"]) == (["one", "two"], [12, 12])
    (line,) = found["lines"]
    means = [
        row.figures[RANKING].value
        for table in comparison.tables
        for row in table.rows
        if row.label == "andi"
    ]
    assert [cell[0] for cell in line["cells"]] == pytest.approx(means, rel=1e-3)
