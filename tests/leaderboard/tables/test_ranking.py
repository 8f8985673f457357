"""Which runs compare, who is ahead, what seeds do, and who has no rank."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from support.synthetic_records import Size, write_benchmark

from andi_bench.errors import UserError
from andi_bench.metrics.mean_intervals import share_interval
from andi_bench.records.search import find_records
from andi_bench.records.store import GuardResult, MethodInfo, RecordedThreshold
from leaderboard.compare import compare
from leaderboard.tables.columns import all_columns
from leaderboard.tables.table import build_tables
from leaderboard.words.notes import notes_of


def rows(records_dir: Path, **options):
    (table,) = compare(records_dir, **options).tables
    return table.rows


def test_rows_stand_in_the_order_of_frozen_threshold_dice(make_run, records_dir):
    make_run("low", {"raw": [0.1, 0.3], "median5": [0.5, 0.7]})
    make_run("high", {"raw": [0.9, 0.7], "median5": [0.3, 0.4]})

    def found(pipeline):
        return [(row.rank, row.method, row.chain) for row in rows(records_dir, pipeline=pipeline)]

    assert found("raw") == [(1, "high", "raw"), (2, "low", "raw")]
    assert found("filtered") == [(1, "low", "median5"), (2, "high", "median5")]


def test_the_oracle_never_ranks(make_run, records_dir):
    make_run("frozen", 0.50)
    make_run("lucky", 0.49)  # its oracle, 0.53, lies above the other's frozen 0.50
    best = rows(records_dir, pipeline="raw")
    assert [row.method for row in best] == ["frozen", "lucky"]
    assert best[1].figures["dice@oracle"].value > best[0].figures["dice@val-dice"].value
    assert best[1].oracle_gap == pytest.approx(0.04)


def test_equal_dice_shares_the_better_rank_and_the_next_rank_is_skipped(make_run, records_dir):
    for method, dice in [("a", 0.5), ("b", 0.7), ("c", 0.5), ("d", 0.2)]:
        make_run(method, dice)
    found = [(row.rank, row.method) for row in rows(records_dir, pipeline="raw")]
    assert found == [(1, "b"), (2, "a"), (2, "c"), (4, "d")]
    values = [row.figures["dice@val-dice"].value for row in rows(records_dir, pipeline="raw")]
    independent = scipy.stats.rankdata([-value for value in values], method="min")
    assert [rank for rank, _ in found] == list(independent)


def test_the_order_of_the_records_does_not_matter(make_run, records_dir):
    for method, dice in [("a", 0.5), ("b", 0.7), ("c", 0.5)]:
        make_run(method, dice)
    make_run("b", 0.6, seed=1)
    make_run("a", 0.6, protocol={"region": "all"})
    records = find_records(records_dir).records
    first = build_tables(records)
    for order in itertools.permutations(records):
        assert build_tables(order) == first


def test_seeds_of_a_method_make_one_row_with_their_spread_apart_from_the_interval(
    make_run, records_dir
):
    rng = np.random.default_rng(3)
    dice = rng.uniform(0.2, 0.9, (3, 12))
    for seed in range(3):
        make_run("andi", {"raw": list(dice[seed]), "median5": [0.1]}, seed=seed)
    (row,) = rows(records_dir, pipeline="raw")
    figure = row.figures["dice@val-dice"]
    assert row.seeds == (0, 1, 2)
    assert figure.value == pytest.approx(dice.mean())
    assert figure.seed_sd == pytest.approx(np.std(dice.mean(axis=1), ddof=1))
    assert (figure.low, figure.high) == pytest.approx(share_interval(dice.T))
    assert row.costs["seconds_per_volume"] == 1.25  # the shortest
    assert row.costs["peak_memory_mb"] == 1002


def test_one_seed_has_the_interval_of_its_subjects_by_the_same_construction(make_run, records_dir):
    values = [0.2, 0.8, 0.5, 0.4]
    make_run("andi", {"raw": values, "median5": values[:2]})
    raw, filtered = (
        rows(records_dir, pipeline=name)[0].figures["dice@val-dice"] for name in ("raw", "filtered")
    )
    logit = np.log(np.mean(values) / (1 - np.mean(values)))
    error = scipy.stats.sem(values) / (np.mean(values) * (1 - np.mean(values)))
    wanted = scipy.special.expit(scipy.stats.t.interval(0.95, 3, logit, error))
    assert (raw.low, raw.high) == pytest.approx(tuple(wanted))
    assert raw.seed_sd is None
    assert (filtered.low, filtered.high) == (None, None)  # two subjects tell nothing


def test_a_method_that_gives_the_same_maps_for_every_seed_has_no_seed(make_run, records_dir):
    for seed in range(3):
        make_run("fixed", {"raw": [0.2, 0.5, 0.7], "median5": [0.1, 0.2, 0.4]}, seed=seed)
        noisy = [0.2, 0.5, 0.6 + seed / 50]
        make_run("trained", {"raw": noisy, "median5": [0.1, 0.2, 0.3]}, seed=seed)
    found = {row.method: row for row in rows(records_dir, pipeline="raw")}
    assert found["trained"].chance
    assert len(found["trained"].by_seed) == 3
    assert not found["fixed"].chance
    assert found["fixed"].figures["dice@val-dice"].seed_sd is None
    columns = {column.header: column for column in all_columns()}
    assert columns["Seeds"].cell(found["fixed"]).text == "no seed"
    assert columns["SD over seeds"].cell(found["fixed"]).text == "no seed"
    assert columns["Seeds"].cell(found["trained"]).text == "0, 1, 2"


def test_a_method_that_learns_nothing_and_applies_no_network_has_no_seed(make_run, records_dir):
    make_run("plain", {"raw": [0.2, 0.4, 0.3], "median5": [0.1, 0.1, 0.2]})
    (record,) = find_records(records_dir).records
    costs = record.costs.model_copy(update={"network_calls_per_slice": 0})
    for learns_from, calls, chance in (
        ("nothing", costs, False),
        ("nothing", record.costs, True),
        ("healthy slices", costs, True),
    ):
        method = MethodInfo(learns_from=learns_from)
        run = record.model_copy(update={"method": method, "costs": calls})
        assert build_tables([run])[0].rows[0].chance is chance


@pytest.mark.parametrize("chance", [True, False])
def test_what_a_methods_file_says_of_chance_counts_with_one_seed(make_run, records_dir, chance):
    make_run("plain", {"raw": [0.2, 0.4, 0.3], "median5": [0.1, 0.1, 0.2]})
    (record,) = find_records(records_dir).records
    for learns_from in ("nothing", "healthy slices"):
        method = MethodInfo(learns_from=learns_from, chance=chance)
        run = record.model_copy(update={"method": method})
        assert build_tables([run])[0].rows[0].chance is chance


def test_value_and_interval_rest_on_the_subjects_that_every_seed_has(tmp_path):
    """HD95 is undefined where nothing was detected, and that differs from seed to seed."""
    write_benchmark(tmp_path, Size(1, 20, 2, 2, 2_000))
    records = find_records(tmp_path).records
    names = ["S0000", "S0001"]
    for name, record in zip(names, records, strict=True):
        lines = pd.read_csv(record.folder / "subjects.csv")
        lines.loc[lines["subject"] == name, "hd95"] = np.nan
        lines.to_csv(record.folder / "subjects.csv", index=False)
    (table,) = build_tables(records)
    for row in table.rows:
        figure, values = row.figures["hd95@val-dice"], row.values["hd95@val-dice"]
        assert names[0] not in values
        assert names[1] not in values
        assert figure.value == pytest.approx(np.mean(list(values.values())))
        assert figure.low < figure.value < figure.high
        assert figure.undefined == 18 - len(values)  # two have no lesion, and are none of these


def test_a_seed_without_a_value_leaves_the_mean_undefined(make_run, records_dir):
    make_run("andi", 0.5, seed=0)
    make_run("andi", None, seed=1)
    make_run("other", 0.1)
    found = rows(records_dir, pipeline="raw")
    assert [(row.rank, row.method) for row in found] == [(1, "other"), (None, "andi")]
    assert found[1].figures["dice@val-dice"].value is None
    assert "undefined" in found[1].reason


def test_other_hyper_parameters_are_another_row_and_the_label_says_which(make_run, records_dir):
    make_run("andi", 0.5, config={"detector": {"stride": 4, "draws": 1}})
    make_run("andi", 0.6, config={"detector": {"stride": 1, "draws": 1}})
    make_run("andi", 0.6, config={"detector": {"stride": 1, "draws": 1}}, seed=1)
    found = {row.label: row.seeds for row in rows(records_dir, pipeline="raw")}
    assert found == {"andi (stride=1)": (0, 1), "andi (stride=4)": (0,)}


def test_the_batch_size_makes_no_other_method(make_run, records_dir):
    make_run("andi", 0.5, config={"scoring": {"batch_size": 64}})
    make_run("andi", 0.6, config={"scoring": {"batch_size": 8}}, seed=1)
    assert [row.seeds for row in rows(records_dir, pipeline="raw")] == [(0, 1)]


def test_the_same_seed_twice_is_no_second_seed(make_run, records_dir):
    make_run("andi", 0.5, salt=1)
    make_run("andi", 0.9, salt=2, created="2026-03-01T00:00:00+00:00")
    found = rows(records_dir, pipeline="raw")
    assert [len(row.runs) for row in found] == [1, 1]
    assert all(row.label == f"andi #{row.runs[0].run.identity[:8]}" for row in found)


def test_an_unranked_run_stands_below_with_its_reason(make_run, records_dir):
    make_run("mine", 0.99, unranked="no validation maps: no frozen threshold")
    make_run("andi", 0.5)
    found = rows(records_dir, pipeline="raw")
    assert [(row.rank, row.method) for row in found] == [(1, "andi"), (None, "mine")]
    (table,) = compare(records_dir).tables
    assert "mine has no rank: no validation maps: no frozen threshold." in notes_of(table)


def test_a_failed_guard_takes_the_rank(make_run, records_dir):
    make_run(
        "leaky", 0.99, guards=(GuardResult(name="splits disjoint", passed=False, detail="S1"),)
    )
    make_run("elsewhere", 0.4, guards=(GuardResult(name="splits disjoint", passed=None),))
    found = {row.method: (row.rank, row.reason) for row in rows(records_dir, pipeline="raw")}
    assert found == {"elsewhere": (1, None), "leaky": (None, "guard failed: splits disjoint")}


def test_one_bad_seed_is_named(make_run, records_dir):
    make_run("andi", 0.5, seed=0)
    make_run("andi", 0.5, seed=1, unranked="stopped early")
    assert rows(records_dir, pipeline="raw")[0].reason == "seed 1: stopped early"


def test_a_reason_that_all_seeds_share_is_told_without_a_seed(make_run, records_dir):
    for seed in (0, 1):
        make_run("andi", 0.5, seed=seed, unranked="stopped early")
    assert rows(records_dir, pipeline="raw")[0].reason == "stopped early"


DIFFERENCES = [
    ({"protocol": {"region": "all"}}, "region: all instead of brain"),
    ({"protocol": {"grid": "native"}}, "grid: native instead of working"),
    ({"protocol": {"spacing_mm": (1, 1, 1)}}, "spacing: 1x1x1 mm instead of 3.75x3.75x2.5 mm"),
    (
        {"protocol": {"split_fingerprint": "0" * 64}},
        "split fingerprint: 000000000000 instead of ffffffffffff",
    ),
    (
        {"protocol": {"chains": ("raw", "median3")}},
        "post-processing: raw, median3 instead of raw, median5",
    ),
    ({"protocol": {"erosion": 2}}, "erosion: 2 voxels instead of 0 voxels"),
    ({"protocol": {"name": "paper"}}, "protocol: paper instead of standard"),
    ({"split": "val"}, "split: val instead of test"),
    (
        {"config": {"preprocessing": {"modalities": ["flair", "t1"]}}},
        "modalities: flair, t1 instead of not recorded",
    ),
    ({"prevalence": 0.0214}, "share of lesion voxels: 0.0214 instead of 0.0213"),
]


@pytest.mark.parametrize(("change", "said"), DIFFERENCES)
def test_runs_measured_differently_stand_apart_and_the_difference_is_said(
    make_run, records_dir, change, said
):
    make_run("a", 0.5)
    make_run("b", 0.6)
    make_run("c", 0.9, created="2027-01-01T00:00:00+00:00", **change)
    main, apart = compare(records_dir).tables
    assert {row.method for row in main.rows} == {"a", "b"}
    assert main.differs == ()
    assert {row.method for row in apart.rows} == {"c"}
    assert apart.differs == (said,)


def test_a_difference_in_costs_or_training_data_keeps_runs_together(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", 0.6, preset="paper")
    assert len(compare(records_dir).tables) == 1


def test_each_dataset_has_its_table(make_run, records_dir):
    make_run("a", 0.5, dataset="shifts")
    make_run("a", 0.5, dataset="phantom")
    assert [table.dataset for table in compare(records_dir).tables] == ["phantom", "shifts"]
    assert [table.dataset for table in compare(records_dir, dataset="shifts").tables] == ["shifts"]
    with pytest.raises(UserError, match=r"did you mean 'shifts'\?"):
        compare(records_dir, dataset="shift")


def test_a_pattern_and_a_pipeline_choose_rows(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", 0.6)
    assert {row.method for row in rows(records_dir, runs="b__*")} == {"b"}
    assert {row.chain for row in rows(records_dir, pipeline="filtered")} == {"median5"}
    with pytest.raises(UserError, match=r"no run record whose name matches 'c\*'"):
        compare(records_dir, runs="c*")


def test_damaged_records_are_named_and_the_rest_is_ranked(make_run, records_dir):
    make_run("a", 0.5)
    bad = make_run("b", 0.6)
    (bad / "record.json").write_text("{")
    comparison = compare(records_dir)
    assert [row.method for row in comparison.tables[0].rows] == ["a"]
    (reason,) = comparison.skipped
    assert reason.startswith(f"{bad.name}/record.json: not valid JSON")
    make_run("a", 0.5).rename(records_dir / ".gone")
    with pytest.raises(
        UserError, match=r"no run record, at least one wanted; 1 skipped, the first: b__"
    ):
        compare(records_dir)


def test_a_best_threshold_at_the_end_of_the_scores_is_noted(make_run, records_dir):
    points = {"raw": {"val-dice": RecordedThreshold(threshold=1, edge=True)}}
    make_run("a", 0.5, operating_points=points)
    (table,) = compare(records_dir, pipeline="raw").tables
    assert any(
        "a (raw, seed 0): the best threshold lies at the end" in note for note in notes_of(table)
    )


def test_a_figure_over_lesion_free_subjects_has_limits_over_seeds_too(records_dir):
    from support.synthetic_records import Size, write_benchmark

    write_benchmark(records_dir, Size(2, 27, 2, 2, 2_000))
    for row in rows(records_dir):
        figure = row.figures["false_positive_ml_lesion_free@val-dice"]
        assert len(row.seeds) == 2
        assert figure.low < figure.value < figure.high
        assert len(row.values["false_positive_ml_lesion_free@val-dice"]) == 3
