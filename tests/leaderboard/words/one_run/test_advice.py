"""Every rule of what to try next fires on figures that call for it, and is silent on others."""

import numpy as np
import pandas as pd
import pytest
from support.page_records import write_run

from andi_bench.records.schema import ChainSummary, SubjectSummary, ThresholdSpread
from andi_bench.records.store import read_record
from leaderboard.words.one_run.advice import Evidence, advice_of

CHAINS = ("raw", "median5")
SOUND = {
    "dice@val-dice": 0.6,
    "dice@oracle": 0.61,
    "sensitivity@val-dice": 0.7,
    "precision@val-dice": 0.6,
}


@pytest.fixture
def run(tmp_path):
    return read_record(write_run(tmp_path / "records", "mine"))


def with_means(run, **means):
    summary = ChainSummary(
        subjects={
            key: SubjectSummary(mean=value, n=12) for key, value in {**SOUND, **means}.items()
        }
    )
    return run.model_copy(update={"summary": dict.fromkeys(CHAINS, summary)})


def with_point(run, name, **changes):
    points = {
        chain: {**found, name: found[name].model_copy(update=changes)}
        for chain, found in run.operating_points.items()
    }
    return run.model_copy(update={"operating_points": points})


def rules(run, **more):
    return [one.rule for one in advice_of(Evidence(run, **more))]


def test_a_sound_run_gets_no_advice_and_an_older_record_none_at_all(run):
    sound = with_point(with_means(run), "val-fpr5", test_fpr=0.05)
    assert rules(sound) == []
    worse = with_means(run, **{"dice@val-dice": 0.2})
    assert "threshold far from the best" in rules(worse)
    old = worse.model_copy(update={"protocol": run.protocol.model_copy(update={"version": 1})})
    assert rules(old) == []


def test_a_threshold_far_from_the_best_says_on_which_side_it_lies(run):
    run = with_means(run, **{"dice@val-dice": 0.4, "dice@oracle": 0.55})
    for best, word in ((0.08, "too high"), (0.002, "too low")):
        found = {
            one.rule: one for one in advice_of(Evidence(with_point(run, "oracle", test_fpr=best)))
        }
        one = found["threshold far from the best"]
        assert "0.400" in one.seen
        assert "0.550" in one.seen
        assert word in one.seen
    near = with_means(run, **{"dice@val-dice": 0.54, "dice@oracle": 0.55})
    assert "threshold far from the best" not in rules(near)


def test_a_rate_that_comes_out_otherwise_than_asked_for_is_named(run):
    (one,) = [
        one
        for one in advice_of(Evidence(with_point(with_means(run), "val-fpr5", test_fpr=0.2)))
        if one.rule == "scores moved between the splits"
    ]
    assert (
        "5 % of the lesion-free brain was to lie above val-fpr5, on the test split it is 20 %"
        in one.seen
    )
    assert "scores moved between the splits" not in rules(
        with_point(with_means(run), "val-fpr5", test_fpr=0.09)
    )


def test_a_run_behind_a_simple_method_on_the_same_subjects_is_told_by_how_much(run, tmp_path):
    better = read_record(write_run(tmp_path / "records", "voxel-statistics", skill=0.9))
    mine = with_means(run, **{"dice@val-dice": 0.3, "dice@oracle": 0.31})
    (one,) = [
        one for one in advice_of(Evidence(mine, [better])) if one.rule == "behind a simple method"
    ]
    assert "voxel-statistics has mean Dice" in one.seen
    assert "of 12 subjects" in one.seen
    poor = with_means(better, **{"dice@val-dice": 0.1})
    assert "behind a simple method" not in rules(mine, baselines=[poor])


def test_false_positives_are_placed_where_somebody_counted_them(run):
    wasteful = with_means(run, **{"sensitivity@val-dice": 0.8, "precision@val-dice": 0.2})
    first, second = (
        {one.rule: one.tried for one in advice_of(Evidence(wasteful, regions=regions))}
        for regions in ({}, {"rim": 30.0, "ventricles": 10.0})
    )
    assert "--false-positives" in first["mostly false positives"]
    assert "75 % of it lies in: rim" in second["mostly false positives"]


@pytest.mark.parametrize(("fall", "told"), [(0.01, True), (0.0, False)])
def test_a_loss_that_still_falls_asks_for_more_steps(run, fall, told):
    rng = np.random.default_rng(0)
    losses = 2 - fall * np.arange(100) + rng.normal(scale=0.001, size=100)
    pd.DataFrame({"step": np.arange(100) * 7, "loss": losses}).to_csv(run.folder / "loss.csv")
    found = {one.rule: one.tried for one in advice_of(Evidence(with_means(run)))}
    assert ("loss still falling" in found) is told
    if told:
        assert "training.steps=1400" in found["loss still falling"]


def test_a_threshold_that_hangs_on_few_subjects_or_lies_at_an_end_is_told(run):
    loose = ThresholdSpread(subjects=3, resamples=100, dice_low=0.3, dice_high=0.5)
    assert "threshold hangs on few subjects" in rules(
        with_point(with_means(run), "val-dice", spread=loose)
    )
    tight = loose.model_copy(update={"dice_low": 0.45})
    assert "threshold hangs on few subjects" not in rules(
        with_point(with_means(run), "val-dice", spread=tight)
    )
    assert "threshold at an end" in rules(with_point(with_means(run), "val-dice", edge=True))


def test_what_does_not_beat_the_whole_brain_is_told_first(run):
    everything = ChainSummary(subjects={"dice@val-dice": SubjectSummary(mean=0.65, n=12)})
    poor = with_means(run).model_copy(update={"references": {"everything": everything}})
    assert rules(poor)[0] == "no better than everything"


def test_small_lesions_that_are_missed_are_counted(tmp_path):
    def found(share):
        folder = write_run(tmp_path / f"{share}" / "records", "mine")
        run = read_record(folder)  # its digests do not fit the table below
        table = pd.read_csv(folder / "subjects.csv")
        for stratum, count, hit in (("0.1-1 ml", 2, share), ("1-10 ml", 2, 2)):
            table[f"lesions {stratum}"], table[f"lesions_found {stratum}"] = count, hit
        table.to_csv(folder / "subjects.csv", index=False)
        return Evidence(with_means(run))

    told = {one.rule: one.seen for one in advice_of(found(0))}
    assert (
        "Of 24 lesions below 1 ml 0 % are found, of 24 larger ones 100 %"
        in told["small lesions are missed"]
    )
    assert "small lesions are missed" not in {one.rule for one in advice_of(found(2))}
