"""``run --executor`` and ``run --plan`` by the command line."""

import json

import pytest

from andi_bench.records.search import find_records

SETTINGS = (
    *("--set", "preprocessing.size=16", "--set", "evaluation.median=3"),
    *("--set", "preprocessing.bias=none", "--set", "evaluation.previews=0"),
    *("--set", "evaluation.bootstraps=10", "--preset", "quick", "--device", "cpu"),
)


def test_a_plan_of_jobs_makes_nothing(cli, four_scans, tmp_path):
    asked = ("run --dataset folder -m anoddpm -m autoddpm --plan", "--data-root", four_scans)
    shown = cli(*asked, *SETTINGS, "--executor", "local", "--jobs", "2")
    assert "training of anoddpm, seed 0, for 2 runs" in shown.out
    assert "4 runs in 6 jobs; how long they take is not known yet" in shown.out
    assert not (tmp_path / "workspace").exists()


@pytest.mark.slow
def test_a_plan_tells_what_is_to_be_made_and_what_is_there(cli, four_scans, tmp_path):
    asked = ("run --dataset folder --alone -m thresholding -m random", "--data-root", four_scans)
    done = cli(asked[0].replace(" -m random", ""), *asked[1:], *SETTINGS)
    assert done.code == 0, done.err
    planned = cli(asked[0], *asked[1:], *SETTINGS, "--plan", "--json", "--executor", "local")
    found = json.loads(planned.out)
    assert found["finished"] == ["thresholding, seed 0"]
    assert [job["name"] for job in found["jobs"]] == ["random, seed 0"]
    assert found["jobs"][0]["time"] == "4h"
    shown = cli(asked[0], *asked[1:], *SETTINGS, "--seed", "0", "--seed", "1", "--plan")
    assert "random, seed 1" in shown.out
    assert "3 runs, more than" in shown.out  # a run of one of the kinds is known
    assert len(find_records(tmp_path / "workspace" / "records").records) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--jobs 2", "--jobs: --executor local or slurm wanted"),
        ("--memory 3G", "--memory: --executor local or slurm wanted"),
        ("--executor local --memory much", "--memory much: such as 16G"),
        ("--executor local --slurm partition=x", "--slurm: --executor slurm wanted"),
        ("--executor slurm --slurm partition", "--slurm partition: name=value wanted"),
        ("--executor slurm", "--preset or --device wanted"),
        ("--dataset phantom --data-root .", "--data-root: belongs to one data set, 2 given"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(cli, tmp_path, options, said):
    answer = cli(f"run --dataset folder --alone -m thresholding {options}")
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "workspace").exists()


@pytest.mark.slow
def test_jobs_of_this_machine_make_the_runs_and_a_failure_leaves_the_others(
    cli, four_scans, tmp_path
):
    asked = ("run --dataset folder --alone -m thresholding -m ae", "--data-root", four_scans)
    short = ("--set", "training.steps=2", "--set", "training.batch_size=2")
    wrong = ("--set", "training.learning_rate=1e30", "--set", "training.warmup=0")
    sweep = (*SETTINGS, *short, "--executor", "local", "--jobs", "2")
    failed = cli(*asked, *sweep, *wrong)
    assert failed.code == 1
    assert "failed        ae, seed 0" in failed.err
    assert "the loss is not finite" in failed.err
    records = tmp_path / "workspace" / "records"
    assert [run.run.method for run in find_records(records).records] == ["thresholding"]
    done = cli(*asked, *sweep, "--json")
    assert done.code == 0, done.err
    places = json.loads(done.out)
    assert places["thresholding, seed 0"]["reused"]  # what it does not read was set otherwise
    assert "submitted     thresholding" not in done.err
    assert {run.run.method for run in find_records(records).records} == {"thresholding", "ae"}
    again = cli(*asked, *sweep)
    assert "submitted" not in again.err
    assert again.err.count("finished ") == 2
