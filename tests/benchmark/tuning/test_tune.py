"""``tune`` through the command line: on validation subjects alone, resumed, with the preset as it stands as trial 0."""

import json
import sys

import pytest
import yaml

from andi_bench.errors import UserError
from benchmark.tuning import search
from benchmark.tuning.study import require_optuna

METHOD = """
from methods.base import DetectorConfig, Field, SliceDetector, register, scoring_field


@register("mixed")
class Mixed(SliceDetector):
    '''FLAIR, on which lesions are bright, mixed with T1, on which they are dark.'''

    class Config(DetectorConfig):
        dark: float = scoring_field(0.5, ge=0, le=1, description="share of T1")
        rank: int = Field(1, ge=1, le=4, description="a training's own number")

    def fit(self, slices, context):
        if self.config.rank == 4:
            raise RuntimeError("too much\\nmemory")
        self.learnt = slices.mean()

    def score_slices(self, batch, generator):
        return batch[:, :1] * (1 - self.config.dark) + batch[:, 1:2] * self.config.dark
"""
SMALL = ("--set", "preprocessing.size=16", "--set", "evaluation.median=3", "--device", "cpu")


@pytest.fixture
def tune(cli, scans, tmp_path):
    """Return a function that runs ``tune`` on scans of which those of the test split cannot be read."""
    (tmp_path / "mixed.py").write_text(METHOD)
    for name in ("S06", "S07", "S08"):
        for path in (scans / name).iterdir():
            path.write_bytes(b"not to be opened")

    def run(space, *more):
        (tmp_path / "space.yaml").write_text(space)
        data = ("--dataset", "folder", "--data-root", scans, "--workers", "1", *SMALL)
        plugin = ("--method", "mixed", "--plugin", tmp_path / "mixed.py")
        return cli("tune", *plugin, *data, "--space", tmp_path / "space.yaml", *more)

    return run


def log_of(tmp_path, workspace="workspace"):
    (path,) = (tmp_path / workspace / "tuning").glob("*/search.json")
    return json.loads(path.read_text())


def numbers(log):
    return [(one["number"], one["settings"], one["value"]) for one in log["attempts"]]


def test_test_scans_are_not_read_and_the_best_setting_is_found(tune, cli, scans, tmp_path):
    done = tune("detector.dark: [0, 0.25, 1]", "--trials", "3", "--sampler", "grid", "--json")
    assert done.code == 0, done.err
    log = json.loads(done.out)
    assert log == log_of(tmp_path)
    first, *others = log["attempts"]
    assert (first["number"], first["settings"]) == (0, {"detector.dark": 0.5})
    assert {one["settings"]["detector.dark"] for one in others} == {0, 0.25, 1}
    best = next(one for one in log["attempts"] if one["number"] == log["best"])
    assert best["settings"]["detector.dark"] == 0
    assert best["value"] > first["value"]
    assert log["measured_on"] == {"subjects": ["S04", "S05"], "persons": 2, "test": 3}
    assert log["split"] == [{"train": ["S00", "S01", "S02", "S03"], "val": ["S04", "S05"]}]
    assert set(best["parts"][0]["subjects"]) == {"S04", "S05"}
    # what only scoring reads trains nothing: all trials share one training, which run finds
    assert len({part["training"] for one in log["attempts"] for part in one["parts"]}) == 1
    assert len(list((tmp_path / "workspace" / "trainings").glob("*__*"))) == 1
    # and the scans are unreadable indeed: a run on the test split does not get far
    data = ("--dataset", "folder", "--data-root", scans, *SMALL, "--plugin", tmp_path / "mixed.py")
    assert cli("run", *data).code == 2


def test_a_second_call_goes_on_and_a_stopped_one_loses_its_last_trial_alone(
    tune, tmp_path, monkeypatch
):
    space = "detector.dark: {low: 0, high: 1}"
    assert tune(space, "--trials", "4", "--workspace", tmp_path / "whole").code == 0
    ran, run = [], search.Trials.run

    def stopped(self, settings):
        if len(ran) == 3:
            raise KeyboardInterrupt
        ran.append(settings)
        return run(self, settings)

    monkeypatch.setattr(search.Trials, "run", stopped)
    assert tune(space, "--trials", "4").code == 130
    assert len(log_of(tmp_path)["attempts"]) == 3
    monkeypatch.setattr(search.Trials, "run", run)
    done = tune(space, "--trials", "4")
    assert done.code == 0
    assert "trial 2" not in done.err
    assert numbers(log_of(tmp_path)) == numbers(log_of(tmp_path, "whole"))
    again = tune(space, "--trials", "4")
    assert "trial 4" not in again.err
    assert "4 trials are done" in again.err


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(tune, tmp_path):
    done = tune("detector.rank: [2, 3, 4]", "--sampler", "grid", "--budget", "1m")
    assert done.code == 0, done.err
    assert "all settings of the space were tried" in done.err
    (failed,) = [one for one in log_of(tmp_path)["attempts"] if one["state"] == "failed"]
    assert (failed["settings"]["detector.rank"], failed["reason"]) == (4, "RuntimeError: too much")
    assert "4 trials, 1 failed" in done.out
    assert "RuntimeError: too much" in next(tmp_path.glob("**/search.md")).read_text()


def test_where_all_trials_fail_the_command_does(tune, tmp_path):
    broken = ("--set", "detector.rank=4", "--write", tmp_path / "best.yaml")
    done = tune("detector.dark: {low: 0, high: 1}", "--trials", "20", *broken)
    assert done.code == 2
    assert "all 5 trials failed; trial 0: RuntimeError: too much" in done.err
    assert not (tmp_path / "best.yaml").exists()


def test_the_winner_is_a_file_that_run_takes(tune, cli, scans, tmp_path):
    best = tmp_path / "best.yaml"
    done = tune("detector.dark: [0, 1]", "--trials", "2", "--write", best, "--folds", "2")
    assert done.code == 0, done.err
    assert "each held out in one of 2 folds" in done.out
    log = log_of(tmp_path)
    held = [fold["val"] for fold in log["split"]]
    assert sorted(held[0] + held[1]) == ["S00", "S01", "S02", "S03", "S04", "S05"]
    assert best.read_text().startswith(f"# Written by tune: search {log['name']}, trial ")
    assert yaml.safe_load(best.read_text())["detector"] == {"dark": 0.0, "rank": 1}
    data = ("--dataset", "folder", "--data-root", scans, "--device", "cpu", "--workers", "1")
    plugin = ("--method", "mixed", "--plugin", tmp_path / "mixed.py", "--split", "val")
    # the test scans are unreadable, so the run is on lists without them
    lists = next((tmp_path / "workspace" / "tuning").glob("*/splits/fold0"))
    ran = cli("run", *plugin, *data, "--alone", "--config", best, "--splits", lists, "--json")
    assert ran.code == 0, ran.err
    record = next(iter(json.loads(ran.out).values()))["record"]
    config = yaml.safe_load((tmp_path / record / "config.yaml").read_text())
    assert config == yaml.safe_load(best.read_text())


def test_what_is_known_to_be_wrong_is_said_before_anything_starts(tune, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("training: {}\n")
    good = "detector.dark: [0, 1]"
    for space, more, message in [
        ("detector.darkk: [0]", ("--trials", "1"), "did you mean 'detector.dark'"),
        ("detector.dark: [0, 2]", ("--trials", "1"), "detector.dark = 2"),
        (good, (), "--budget, such as 2h, or --trials"),
        (good, ("--budget", "2"), "a time wanted"),
        (good, ("--trials", "1", "--metric", "dise@val-dice"), "did you mean 'dice@val-dice'"),
        (good, ("--trials", "1", "--metric", "pooled_auroc"), "never ranks"),
        (good, ("--trials", "1", "--write", mine), "no search has written it"),
        (good, ("--trials", "1", "--write", tmp_path / "no" / "best.yaml"), "is no folder"),
        (good, ("--trials", "1", "--folds", "9"), "2 to 6 wanted"),
    ]:
        done = tune(space, *more)
        assert (done.code, message in done.err) == (2, True), done.err
        assert len(done.err.strip().splitlines()) == 1
    assert mine.read_text() == "training: {}\n"
    assert not (tmp_path / "workspace" / "trainings").exists()


def test_a_search_depends_on_what_it_is_asked(tune, tmp_path):
    for space, more in [
        ("detector.dark: [0, 1]", ()),
        ("detector.dark: [0, 1]", ("--seed", "1")),
        ("detector.dark: [0, 1]", ("--metric", "ap", "--pipeline", "raw")),
    ]:
        assert tune(space, "--trials", "1", *more).code == 0
    assert len(list((tmp_path / "workspace" / "tuning").iterdir())) == 3


def test_a_missing_optuna_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'andi-bench\[tune\]'"):
        require_optuna()
