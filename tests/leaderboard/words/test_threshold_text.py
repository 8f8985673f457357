"""What is said of thresholds: with how many validation subjects, how far others would have moved them."""

import json

import pytest
from support.small_evaluation import record_of

from andi_bench.config import EvaluationConfig
from andi_bench.records.store import read_record
from leaderboard.compare import compare
from leaderboard.exports.csv_text import to_csv
from leaderboard.exports.json_text import to_json
from leaderboard.exports.markdown import to_markdown
from leaderboard.exports.markdown_details import to_details
from leaderboard.words.threshold_text import (
    THRESHOLD_HEADS,
    spread_sentences,
    threshold_cells,
    threshold_note,
)

MANY = tuple(f"v{k}" for k in range(6))


@pytest.fixture
def written(tmp_path):
    def write(val, seeds=(0,), **more):
        folders = [record_of(tmp_path / "records", "mine", val=val, seed=s, **more) for s in seeds]
        return read_record(folders[0]), compare(tmp_path / "records")

    return write


def test_many_validation_subjects_give_a_range_of_thresholds_and_of_dice(written):
    run, comparison = written(MANY, seeds=(0, 1))
    (raw, filtered) = spread_sentences(run)
    spread = run.operating_points["raw"]["val-dice"].spread
    assert spread.subjects == 6
    assert spread.resamples == 20
    assert spread.low <= spread.median <= spread.high
    assert f"{spread.low:.3g} to {spread.high:.3g}" in raw
    assert "lower bound" not in raw
    assert filtered.startswith("val-dice, median3 maps")
    (table,) = comparison.tables
    lines = threshold_cells(table)
    assert len(lines) == 2  # a line a seed
    assert all(len(line) == len(THRESHOLD_HEADS) for line in lines)
    assert {line[5] for line in lines} == {"6"}
    assert "6 validation subjects" in threshold_note(table)
    text = to_markdown(comparison)
    assert threshold_note(table) in text.replace("\\", "")
    assert "How far the thresholds hang on the validation subjects" in to_details(comparison)


def test_the_frozen_thresholds_dice_lies_among_the_resampled_ones(written):
    run, _ = written(MANY)
    for chain, points in run.operating_points.items():
        spread = points["val-dice"].spread
        mean = run.summary[chain].subjects["dice@val-dice"].mean
        assert spread.dice_low - 0.02 <= mean <= spread.dice_high + 0.02


@pytest.mark.parametrize(("count", "said"), [(2, "lower bound"), (3, "lower bound")])
def test_of_two_or_three_subjects_the_spread_is_a_lower_bound(written, count, said):
    run, comparison = written(MANY[:count])
    assert all(said in text for text in spread_sentences(run))
    assert said in threshold_note(comparison.tables[0])
    assert all(said in line[5] for line in threshold_cells(comparison.tables[0]))


def test_of_one_subject_it_cannot_be_known_and_no_range_is_printed(written):
    run, comparison = written(MANY[:1])
    spread = run.operating_points["raw"]["val-dice"].spread
    assert (spread.subjects, spread.low, spread.sd, spread.dice_low) == (1, None, None, None)
    assert all("cannot be known" in text for text in spread_sentences(run))
    assert "cannot be known" in threshold_note(comparison.tables[0])
    for line in threshold_cells(comparison.tables[0]):
        assert "[" not in line[3] + line[4]


def test_where_small_detections_are_removed_afterwards_no_dice_is_said(written):
    config = EvaluationConfig(median=3, bootstraps=20, min_component_ml=0.1)
    run, comparison = written(MANY, evaluation=config)
    spread = next(iter(run.operating_points.values()))["val-dice"].spread
    assert spread.low is not None
    assert spread.dice_low is None
    assert threshold_note(comparison.tables[0]) == ""


def test_without_resamples_and_in_older_records_nothing_is_said(written, make_run, records_dir):
    run, _ = written(MANY, evaluation=EvaluationConfig(median=3, bootstraps=0))
    assert spread_sentences(run) == []
    make_run("older", 0.5)
    (table,) = compare(records_dir, dataset="phantom").tables
    assert threshold_cells(table) == []
    assert threshold_note(table) == ""


def test_json_and_csv_hold_the_thresholds_seed_by_seed(written):
    _, comparison = written(MANY, seeds=(0, 1))
    for row in json.loads(to_json(comparison))["tables"][0]["rows"]:
        assert len(row["threshold"]) == len(row["threshold_low"]) == 2
        assert all(a <= b for a, b in zip(row["threshold_low"], row["threshold_high"], strict=True))
    assert "threshold_dice_high" in to_csv(comparison).splitlines()[0]
