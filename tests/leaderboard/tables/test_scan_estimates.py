"""Figures of scans, of FROC and of lesion-free subjects in tables: their values, and intervals with one seed and with several."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from support.mixed_records import TEST, mixed, mixed_record

from andi_bench.metrics.compared import metric_at
from andi_bench.metrics.froc import RATES
from leaderboard.compare import compare
from leaderboard.exports.markdown_details import to_details
from leaderboard.exports.page.content import page_content
from leaderboard.tables.seeds import subject_estimates
from leaderboard.tables.subject_values import subject_tables
from leaderboard.words.group_text import FREE_HEADS, free_cells

VOLUME = "false_positive_ml_lesion_free@val-dice"
RATE = "false_positive_rate_lesion_free@val-dice"
ANY = "any_detection_lesion_free@val-dice"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    mixed_record(folder, "once", 2.0)
    for seed in (1, 2):
        mixed_record(folder, "twice", 2.0, seed)
    return folder


@pytest.fixture(scope="module")
def rows(records):
    (table,) = compare(records, pipeline="raw").tables
    return {row.label: row for row in table.rows if row.chain == "raw"}


def test_the_auroc_of_scans_is_that_of_their_highest_scores(rows):
    ill = [int(name[1:]) % 2 == 0 for name in TEST]

    def area(seed):
        # a voxel is .08 ml: twelve of them are about one
        cases = [mixed(name, 2.0, seed) for name in TEST]
        scores = [np.sort(case.map[case.brain])[-12:].mean() for case in cases]
        return roc_auc_score(ill, scores)

    once, twice = (rows[name].figures["scan_auroc"] for name in ("once", "twice"))
    assert once.value == pytest.approx(area(0))
    areas = [area(seed) for seed in (1, 2)]
    assert twice.value == pytest.approx(np.mean(areas))
    assert twice.seed_sd == pytest.approx(np.std(areas, ddof=1))
    for found in (once, twice):
        assert found.low <= found.value <= found.high


def test_the_froc_of_a_row_is_the_records_and_several_seeds_have_an_interval_of_their_own(rows):
    for rate in RATES:
        key = f"froc_{rate:g}"
        (run,) = rows["once"].runs
        (point,) = [at for at in run.summary["raw"].froc.at if at.rate == rate]
        found = rows["once"].figures[key]
        assert (found.value, found.low, found.high) == (point.sensitivity, point.low, point.high)
        several = [
            at.sensitivity
            for run in rows["twice"].runs
            for at in run.summary["raw"].froc.at
            if at.rate == rate
        ]
        found = rows["twice"].figures[key]
        assert found.value == pytest.approx(np.mean(several))
        if 0 < found.value < 1 and found.low is not None:
            assert found.low < found.value < found.high
    # sensitivity never falls with more false positives
    values = [rows["twice"].figures[f"froc_{rate:g}"].value for rate in RATES]
    assert values == sorted(values)
    assert any(rows["twice"].figures[f"froc_{rate:g}"].low is not None for rate in RATES)


def test_false_positives_of_lesion_free_subjects_have_an_interval_with_one_seed_and_with_several(
    rows,
):
    for row in rows.values():
        for key in (VOLUME, RATE):
            found = row.figures[key]
            assert found.low < found.value < found.high
        found = row.figures[ANY]
        assert found.low <= found.value <= found.high


def test_subjects_with_a_lesion_change_no_interval_of_those_without(rows):
    """Each kind is resampled from its own: leaving out subjects of the other kind leaves the interval alone."""
    tables = subject_tables(rows["once"].runs)
    fewer = [table.only([name for name in TEST if name not in ("t0", "t4")]) for table in tables]
    metric = metric_at(VOLUME)
    every, few = (
        subject_estimates(rows["once"].runs, part, "raw", [metric])[VOLUME]
        for part in (tables, fewer)
    )
    assert (few.low, few.high) == pytest.approx((every.low, every.high))
    both = [metric_at(key) for key in ("hd95_penalised@val-dice", VOLUME)]
    again = subject_estimates(rows["once"].runs, tables, "raw", both)[VOLUME]
    assert (again.low, again.high) == pytest.approx((every.low, every.high))


def test_lesion_free_subjects_are_told_by_age_sex_and_site(records):
    comparison = compare(records, by="age")
    (part,) = comparison.groups
    cells = free_cells(part)
    assert all(len(line) == len(FREE_HEADS) for line in cells)
    counts = [int(line[1]) for line in cells if line[1]]
    assert sum(counts) == sum(int(name[1:]) % 2 for name in TEST)
    assert "by age: subjects without a lesion" in to_details(comparison)
    names = [group["by"] for group in page_content(comparison)["tables"][0]["groups"]]
    assert names == ["age", "age, subjects without a lesion"]
    for by in ("sex", "site"):
        (part,) = compare(records, pipeline="raw", by=by).groups
        assert sum(int(line[1]) for line in free_cells(part) if line[1]) == 6
    # all of site B have no lesion, none of site A
    figures = [row.figures[VOLUME] for row in part.rows if (row.group, row.chain) == ("B", "raw")]
    assert all(found.low < found.value < found.high for found in figures)
