"""The statistics of a table, from records: families, significance, warnings, and who takes part."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support.histogram_file import read_histograms
from support.synthetic_records import Size, write_benchmark

from andi_bench.errors import UserError
from andi_bench.metrics.mean_intervals import two_way
from andi_bench.records.store import read_subjects
from leaderboard.compare import compare
from leaderboard.statistics.families import table_statistics
from leaderboard.statistics.sign_flips import mean_tests
from leaderboard.words.verdicts import bold_keys


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Three methods, 18 subjects, two seeds."""
    directory = tmp_path_factory.mktemp("board") / "records"
    write_benchmark(directory, Size(3, 18, 2, 2, 3_000), gap=0.06)
    return directory


@pytest.fixture(scope="module")
def comparison(board):
    return compare(board)


@pytest.fixture(scope="module")
def raw(board):
    return compare(board, pipeline="raw")


def test_a_table_has_one_family_all_pairs_of_its_rows(comparison, board):
    (statistics,) = comparison.statistics
    rows = comparison.tables[0].rows
    assert statistics.family.keys == tuple(row.key for row in rows)
    assert {row.chain for row in rows} == {"raw", "median5"}  # validation chose both kinds
    pairs = {frozenset((test.first[0], test.second[0])) for test in statistics.family.tests}
    assert pairs == set(
        map(frozenset, itertools.combinations(("method A", "method B", "method C"), 2))
    )
    every = compare(board, pipeline="all")
    for table, found in zip(every.tables, every.statistics, strict=True):
        assert found.family.view == table.view
        assert len(found.family.tests) == 3
        assert [row.group for row in table.rows] == list(found.family.letters)


def test_the_statistics_of_a_table_are_found_without_the_rest_of_a_comparison(comparison):
    found = table_statistics(comparison.tables[0])
    kept = comparison.statistics[0]
    assert found.family.letters == kept.family.letters
    assert found.pooled_intervals.keys() == kept.pooled_intervals.keys()


def test_a_test_is_of_the_subjects_and_seeds_of_the_records(board, raw):
    tables = {
        letter: np.stack(
            [
                read_subjects(folder).query(
                    "chain == 'raw' and point == 'val-dice' and lesion_ml > 0"
                )["dice"]
                for folder in sorted(board.glob(f"method-{letter}__*"))
            ],
            axis=1,
        )
        for letter in "ab"
    }
    family = raw.statistics[0].family
    test = family.test(("method A", "raw"), ("method B", "raw"))
    difference = (tables["a"] - tables["b"]).mean(axis=1)
    assert tables["a"].shape == (16, 2)
    assert test.difference == pytest.approx(difference.mean())
    assert test.subjects == 16
    own = mean_tests([tables["a"], tables["b"]], [(0, 1)])
    assert test.error == pytest.approx(own.errors[0])
    assert test.low < test.difference < test.high
    assert test.p <= test.adjusted
    place = family.keys.index(("method A", "raw"))
    assert family.spread[place] == two_way(tables["a"])


def test_the_difference_of_pooled_average_precision_is_paired(raw):
    family = raw.statistics[0].family
    for test in family.pooled:
        assert test.how.startswith("swaps")
        assert test.low <= test.difference <= test.high
        assert test.floor <= test.p <= test.adjusted <= 1
    own = raw.statistics[0].pooled_intervals
    first, second = ("method A", "raw"), ("method B", "raw")
    apart = [own[key][1] - own[key][0] for key in (first, second)]
    test = family.test(first, second, pooled=True)
    assert test.high - test.low < 0.6 * min(apart)  # unpaired it would be wider than either


def test_a_pooled_interval_over_seeds_stands_in_the_table(comparison):
    for row in comparison.tables[0].rows:
        figure = row.figures["pooled_ap"]
        assert figure.low < figure.value < figure.high


def test_the_best_is_bold_only_if_it_is_significantly_best(
    comparison, board, make_run, records_dir
):
    by_metric, by_pooled = bold_keys(comparison.statistics[0])
    assert by_metric == {("method A", "median5")}
    assert by_pooled <= {("method A", "median5")}
    make_run("a", {"raw": [0.5, 0.6, 0.7], "median5": [0.5, 0.6, 0.7]})
    make_run("b", {"raw": [0.4, 0.5, 0.6], "median5": [0.4, 0.5, 0.6]})
    assert bold_keys(compare(records_dir).statistics[0]) == (set(), set())


def test_ten_subjects_can_show_a_difference_among_eight_methods(make_run, records_dir):
    """Version 1 said of this table that no difference could be significant, however large."""
    own = np.random.default_rng(0).uniform(0.2, 0.4, 10)
    for place, method in enumerate("abcdefgh"):
        noise = np.random.default_rng(place + 1).normal(0, 0.01, 10)
        values = (own + place / 20 + noise).tolist()
        make_run(method, {"raw": values, "median5": values})
    (statistics,) = compare(records_dir).statistics
    family = statistics.family
    assert family.warnings[0].startswith("10 subjects are few: only large")
    assert not any("no difference can be" in text for text in family.warnings)
    best, worst = ("h", "median5"), ("a", "median5")
    assert family.test(best, worst).better == best
    assert not set(family.letters[0]) & set(family.letters[-1])


def test_one_method_trained_twice_is_not_two_methods(make_run, records_dir):
    """Trainings differ by as much as their mean does: with one seed each nobody could know."""
    rng = np.random.default_rng(5)
    own = rng.uniform(0.3, 0.7, 60)
    shifts = {"once": (0.05, -0.01, 0.02), "again": (-0.03, -0.05, 0.03)}
    for method, moves in shifts.items():
        for seed, move in enumerate(moves):
            values = (own + move + rng.normal(0, 0.005, 60)).tolist()
            make_run(method, {"raw": values, "median5": values}, seed=seed)
    family = compare(records_dir).statistics[0].family
    assert family.tests[0].better is None
    assert family.letters == ("a", "a")
    alone = compare(records_dir, seeds=[0]).statistics[0]
    assert alone.family.tests[0].better is not None
    assert "one seed of all rows: intervals and tests are about that training" in alone.warnings[0]


def test_records_without_histograms_have_no_pooled_tests_and_say_so(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", 0.6)
    family = compare(records_dir).statistics[0].family
    assert family.pooled == ()
    assert any(
        "no score histograms of b (median5), a (median5)" in line for line in family.warnings
    )


def test_one_subject_is_one_line_and_no_test(make_run, records_dir):
    make_run("a", {"raw": [0.5], "median5": [0.5]})
    make_run("b", {"raw": [0.6], "median5": [0.6]})
    family = compare(records_dir).statistics[0].family
    assert (family.tests, family.pooled) == ((), ())
    assert family.warnings == ("fewer than two subjects have Dice@val-dice for every row: no test",)


def test_rows_that_share_no_subject_are_shown_without_a_test(make_run, records_dir):
    make_run("a", {"raw": [0.1, 0.4, float("nan"), float("nan")]}, protocol={"chains": ("raw",)})
    make_run("b", {"raw": [float("nan"), float("nan"), 0.3, 0.2]}, protocol={"chains": ("raw",)})
    (statistics,) = compare(records_dir).statistics
    family = statistics.family
    assert family.tests == ()
    assert "fewer than two subjects" in family.warnings[0]


def test_unranked_rows_take_no_part_in_any_test(make_run, records_dir):
    make_run("a", 0.5)
    make_run("b", 0.6)
    make_run("c", 0.9, unranked="no validation maps")
    family = compare(records_dir).statistics[0].family
    assert {label for label, _ in family.keys} == {"a", "b"}


def test_an_incomplete_run_is_shown_without_figures_and_without_rank(make_run, records_dir):
    make_run("whole", 0.5)
    make_run(
        "half", 0.9, protocol={"subjects": {"val": 6, "test": 9}, "split_fingerprint": "f" * 64}
    )
    rows = {row.method: row for row in compare(records_dir).tables[0].rows}
    assert rows["half"].rank is None
    assert rows["half"].reason == "incomplete: seed 0 has 4 of 9 subjects"
    assert rows["half"].figures["dice@val-dice"].value is None
    assert rows["half"].values["dice@val-dice"] == {}
    assert rows["whole"].rank is not None


def test_rows_of_one_seed_among_rows_of_several_are_named(make_run, records_dir):
    make_run("a", 0.5, seed=0)
    make_run("a", 0.6, seed=1)
    make_run("b", 0.6)
    (statistics,) = compare(records_dir).statistics
    assert "one seed of b: intervals and tests are about that training" in statistics.warnings[0]


def test_agreement_between_data_sets_counts_the_methods_they_share(make_run, records_dir):
    for place, method in enumerate("abcd"):
        make_run(method, 0.2 + place / 10, dataset="one")
        make_run(method, 0.2 - place / 100 if method != "d" else 0.3, dataset="two")
    (found,) = compare(records_dir).agreements
    # a < b < c < d against c < b < a < d: 3 of 6 pairs concordant
    assert found.tau == pytest.approx(0)
    assert (found.first, found.second, found.methods) == ("one", "two", 4)
    views = [one.view for one in compare(records_dir, pipeline="all").agreements]
    assert sorted(views) == ["filtered", "raw", "validated"]


def test_agreement_between_raw_and_filtered_maps_is_of_the_methods_not_of_the_rows_shown(
    make_run, records_dir
):
    for place, method in enumerate("abcd"):
        dice = {"raw": [0.2 + place / 10] * 4, "median5": [0.3 - place / 20] * 4}
        make_run(method, dice, validation={"raw": 0.5, "median5": 0.4})
    for pipeline in ("validated", "raw", "filtered"):
        (found,) = compare(records_dir, pipeline=pipeline).statistics[0].agreements
        assert (found.first, found.second, found.tau) == ("raw", "median5", -1)


def test_another_metric_ranks_when_asked_for_and_the_table_says_so(make_run, records_dir):
    from leaderboard.tables.columns import columns_of
    from leaderboard.words.notes import heading_of

    make_run("a", 0.5)
    make_run("b", 0.6)
    (table,) = compare(records_dir, metric="ap").tables
    assert "RANKED BY AP per subject" in heading_of(table)
    assert columns_of(table)[0].definition.startswith("Rank by AP per subject")
    assert compare(records_dir, metric="ap").statistics[0].family.metric == "ap"
    with pytest.raises(UserError, match="metric 'dice@oracle' never ranks: its threshold"):
        compare(records_dir, metric="dice@oracle")
    with pytest.raises(UserError, match="metric 'pooled_auroc' never ranks: it saturates"):
        compare(records_dir, metric="pooled_auroc")
    with pytest.raises(UserError, match=r"unknown metric 'dice@yenn': did you mean 'dice@yen'"):
        compare(records_dir, metric="dice@yenn")


def test_where_less_is_better_less_ranks_first(board):
    comparison = compare(board, metric="hd95_penalised@val-dice")
    values = [row.figures["hd95_penalised@val-dice"].value for row in comparison.tables[0].rows]
    assert values == sorted(values)
    family = comparison.statistics[0].family
    for test in family.tests:
        if test.favoured == test.first:
            assert test.difference < 0  # the better one has the smaller distance
    assert family.left_out == 0
    assert len(family.subjects) == 18 - 2  # two have no lesion: no distance for any method


def test_only_the_seeds_asked_for_take_part(board):
    assert {row.seeds for row in compare(board, seeds=[1]).tables[0].rows} == {(1,)}
    with pytest.raises(UserError, match="seed 7: no such run, there are those of 0, 1"):
        compare(board, seeds=[7])


def test_an_older_record_without_the_short_histograms_gives_the_same(board, comparison, tmp_path):
    import shutil

    old = tmp_path / "old"
    shutil.copytree(board, old)
    for folder in old.iterdir():
        (folder / "pooled.npz").unlink()
        sums = (folder / "SHA256SUMS").read_text().splitlines()
        (folder / "SHA256SUMS").write_text("".join(f"{s}\n" for s in sums if "pooled" not in s))
    assert read_histograms(next(old.iterdir()))
    assert compare(old).statistics == comparison.statistics
