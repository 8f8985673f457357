"""Trained on one data set, tested on another, with thresholds of either: against the maps themselves."""

import json
import shutil

import numpy as np
import pytest
from support.small_evaluation import record_of, scored

from andi_bench.metrics.mean_intervals import share_interval
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.records.search import find_records
from andi_bench.records.store import MethodInfo, read_record
from leaderboard.compare import compare
from leaderboard.statistics.family import Extra
from leaderboard.tables.crossing import by_method, cross_tables
from leaderboard.tables.table import build_tables
from leaderboard.words.across_text import agreement_sentence, cross_notes

HERE = {"val": ("v0", "v1", "v2"), "test": ("t0", "t1", "t2", "t3")}
THERE = {"val": ("w0", "w1"), "test": ("u0", "u1", "u2", "u4", "u5"), "scale": 1.6}
CARRIED = Extra(carry_thresholds=True)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for seed in (0, 1):
        training = {"trained_on": "here", "training": {"identity": f"trained {seed}"}}
        record_of(folder, "learner", 3.0, dataset="here", seed=seed, **HERE, **training)
        record_of(folder, "learner", 3.0, dataset="there", seed=seed, **THERE, **training)
    own = {"trained_on": "there", "training": {"identity": "trained there"}}
    record_of(folder, "learner", 2.0, dataset="there", **THERE, **own)
    return folder


def line_of(comparison, trained_on, threshold_from, key="dice@val-dice", chain="raw"):
    view = "raw" if chain == "raw" else "filtered"
    (table,) = (one for one in comparison.crossed if one.view == view)
    (line,) = (
        line
        for line in table.lines
        if (line.trained_on, line.threshold_from, line.key) == (trained_on, threshold_from, key)
    )
    return dict(zip(table.datasets, line.cells, strict=True))


def test_trainings_on_two_data_sets_are_two_rows_and_no_seeds_of_one(records):
    (table,) = compare(records, dataset="there").tables
    assert {row.label: row.seeds for row in table.rows} == {
        "learner (trained on=here)": (0, 1),
        "learner (trained on=there)": (0,),
    }


def test_every_training_stands_under_every_data_set_it_was_tested_on(records):
    comparison = compare(records, pipeline="raw")
    rows = {
        (table.dataset, row.costs["trained_on"]): row
        for table in comparison.tables
        for row in table.rows
    }
    for trained_on in ("here", "there"):
        for key in ("dice@val-dice", "ap"):
            found = line_of(comparison, trained_on, "", key)
            for dataset, cell in found.items():
                row = rows.get((dataset, trained_on))
                assert cell.value == (None if row is None else row.figures[key].value)
    assert not any(line.threshold_from for table in comparison.crossed for line in table.lines)


@pytest.mark.parametrize(("origin", "target"), [("here", "there"), ("there", "here")])
@pytest.mark.parametrize("chain", ["raw", "median3"])
def test_a_carried_threshold_gives_the_dice_of_the_maps_there(records, origin, target, chain):
    part = {"here": HERE, "there": THERE}[target]
    found = line_of(compare(records, pipeline="all", extra=CARRIED), "here", origin, chain=chain)
    values = []
    for seed in (0, 1):
        (source,) = (
            run
            for run in map(read_record, sorted(records.glob(f"learner__{origin}__seed{seed}*")))
            if run.data.trained_on == "here"
        )
        threshold = source.operating_points[chain]["val-dice"].threshold
        column = []
        for name in part["test"]:
            subject = scored(name, 3.0, seed, part.get("scale", 1.0))
            scores = PostProcessing(median=3 if chain != "raw" else 1).apply(
                subject.map, subject.brain, subject.spacing
            )
            lesion, above = subject.lesion & subject.brain, (scores > threshold) & subject.brain
            if lesion.any():
                column.append(2 * (lesion & above).sum() / (lesion.sum() + above.sum()))
        values.append(column)
    values = np.array(values).T
    assert found[target].value == pytest.approx(values.mean(), abs=2e-3)
    assert (found[target].low, found[target].high) == pytest.approx(
        share_interval(values), abs=4e-3
    )
    own = line_of(compare(records, pipeline="all"), "here", "", chain=chain)
    assert found[origin].value == own[origin].value


def test_histograms_that_thresholds_are_carried_to_are_held_against_their_digest(tmp_path):
    for dataset, part in (("here", HERE), ("there", THERE)):
        record_of(tmp_path, "rule", dataset=dataset, **part)
    (folder,) = tmp_path.glob("rule__there*")
    content = bytearray((folder / "histograms.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "histograms.npz").write_bytes(content)
    assert compare(tmp_path).skipped == ()
    (reason,) = compare(tmp_path, extra=CARRIED).skipped
    assert "histograms.npz: truncated or changed" in reason


def test_a_threshold_is_not_carried_from_one_training_to_another(records):
    for table in compare(records, extra=CARRIED).crossed:
        assert not [
            line for line in table.lines if line.trained_on == "there" and line.threshold_from
        ]


@pytest.mark.parametrize(
    "other",
    [
        {"training": {"identity": "another"}},
        {"config": {"scoring": {"calibration": "quantile"}}},
        {"method": MethodInfo(calibration={"gain": 2.0})},
    ],
)
def test_nor_to_other_weights_nor_to_another_scale(records, other):
    found = [
        run.model_copy(update=other) if run.run.dataset == "here" or "config" in other else run
        for run in find_records([records]).records
    ]
    for table in cross_tables(build_tables(found), carried=True):
        assert not any(line.threshold_from for line in table.lines)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Seeds 0 and 1 here, 1 alone there; a method whose trainings there are others, and one with other seeds there."""
    folder = tmp_path_factory.mktemp("uneven")

    def training(name, seed, **more):
        kept = {"identity": {"training": name, "seed": seed, "loop": {"steps": 5, **more}}}
        return {"trained_on": "here", "seed": seed, "training": kept}

    for seed in (0, 1):
        record_of(folder, "fewer", 3.0, dataset="here", **HERE, **training("a", seed))
        record_of(folder, "rule", 2.5, dataset="here", seed=seed, **HERE)
    record_of(folder, "fewer", 3.0, dataset="there", **THERE, **training("a", 1))
    record_of(folder, "rule", 2.5, dataset="there", seed=1, **THERE)
    for dataset, part, steps, seed in (("here", HERE, 5, 0), ("there", THERE, 9, 1)):
        record_of(folder, "moved", 2.0, dataset=dataset, **part, **training("a", 0, steps=steps))
        record_of(folder, "apart", 1.5, dataset=dataset, **part, **training("a", seed))
    return folder


def test_a_row_is_of_the_same_trainings_on_all_data_sets(uneven):
    both, alone = compare(uneven, pipeline="raw"), compare(uneven, pipeline="raw", seeds=(1,))
    rows = {(table.dataset, row.label): row.figures for table in alone.tables for row in table.rows}
    (table,) = both.crossed
    assert {line.method for line in table.lines} == {"fewer", "rule"}
    for line in table.lines:
        assert line.seeds == (1,)
        for dataset, cell in zip(table.datasets, line.cells, strict=True):
            assert cell.value == rows[dataset, line.method][line.key].value
            assert (cell.low, cell.high) == (
                rows[dataset, line.method][line.key].low,
                rows[dataset, line.method][line.key].high,
            )


def test_what_is_of_another_training_is_left_out_and_said_to_be(uneven):
    (table,) = compare(uneven, pipeline="raw").crossed
    left, seeds = cross_notes(table)
    assert "moved on here and there (training differs in steps)" in left
    assert "apart on here and there (no seed in common)" in left
    assert seeds == "Of the seeds alone that all data sets of a row have: fewer 1, rule 1."


def test_of_three_data_sets_the_two_with_one_training_keep_their_row(uneven, tmp_path):
    shutil.copytree(uneven, tmp_path, dirs_exist_ok=True)
    training = {"identity": {"training": "a", "seed": 0, "loop": {"steps": 9}}}
    record_of(
        tmp_path, "moved", dataset="yonder", **HERE, trained_on="here", seed=0, training=training
    )
    (table,) = compare(tmp_path, pipeline="raw").crossed
    line = next(line for line in table.lines if line.method == "moved")
    assert table.datasets == ("here", "there", "yonder")
    assert [cell.value is None for cell in line.cells] == [True, False, False]
    assert ("moved", "here") in {(one.method, one.dataset) for one in table.left_out}


def test_what_else_differs_than_the_data_is_said_of_rankings_across_data_sets(uneven):
    (found,) = compare(uneven, pipeline="raw").agreements
    said = dict(found.differing)
    assert said["training"] == ("moved",)
    assert set(said["seeds"]) == {"fewer", "rule", "apart"}
    assert "other trainings of moved; other seeds of " in agreement_sentence(found)


def test_scores_that_become_maps_otherwise_are_named(uneven):
    found = [
        run.model_copy(update={"config": {"scoring": {"deviations": kind}}})
        for run in find_records([uneven]).records
        for kind in ["both" if run.run.dataset == "here" else "brighter"]
    ]
    (table,) = (one for one in cross_tables(build_tables(found)) if one.view == "validated")
    assert cross_notes(table)[-1].endswith("in the same way on all data sets: fewer, rule.")


def test_without_validation_subjects_the_carried_threshold_is_the_only_one(tmp_path):
    record_of(tmp_path, "rule", dataset="here", **HERE)
    record_of(tmp_path, "rule", dataset="there", **{**THERE, "val": ()})
    comparison = compare(tmp_path, pipeline="raw", extra=CARRIED)
    assert line_of(comparison, "", "")["there"].value is None
    assert line_of(comparison, "", "here")["there"].value > 0


def test_rankings_across_data_sets_take_the_row_that_learnt_from_the_data_set_itself(records):
    here, there = compare(records).tables
    assert by_method(here)["learner"].costs["trained_on"] == "here"
    assert by_method(there)["learner"].costs["trained_on"] == "there"


def test_the_command_carries_thresholds_over_where_it_is_asked_to(records, cli):
    plain = cli("compare", "--records", records, "--json")
    asked = cli("compare", "--records", records, "--json", "--carry-thresholds")
    assert (plain.code, asked.code) == (0, 0)
    origins = [
        {
            line["threshold_from"]
            for table in json.loads(answer.out)["crossed"]
            for line in table["lines"]
        }
        for answer in (plain, asked)
    ]
    assert origins == [{""}, {"", "here", "there"}]
    assert "--carry-thresholds" in cli("compare", "--records", records).out
