"""From runs to jobs: what several runs share is made once, by a job before them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.small_runs import QUIET, request_of

from benchmark.run.plan import RunPlan
from benchmark.sweeps.job_list import jobs_in_turn, jobs_of
from benchmark.sweeps.sweep import Sweep, runs_of

LEARNT = {"training": {"steps": 2, "batch_size": 2}}
NOTHING = {"cpus": None, "gpus": None, "memory": None, "time": None}


def planned(scans, folder, methods, seeds=(0,), **more):
    request = request_of(scans, folder, methods[0], LEARNT, preset="quick")
    plan = RunPlan(methods, (), seeds, replace(request, **more))
    return [run for run, _ in runs_of(plan, QUIET, here=True)]


def copied(scans, folder):
    return Path(shutil.copytree(scans / "splits", folder / "fold"))


def by_name(jobs):
    names = {job.key: job.name for job in jobs}
    return {job.name: [names[key] for key in (*job.after, *job.behind)] for job in jobs}


def test_a_training_that_two_methods_share_is_a_job_before_both(four_scans, tmp_path):
    runs = planned(four_scans, tmp_path, ("anoddpm", "autoddpm", "ae"))
    found = by_name(jobs_of(runs, NOTHING, 2))
    training = "training of anoddpm, seed 0, for 2 runs"
    assert found == {
        "data of folder": [],
        training: ["data of folder"],
        "anoddpm, seed 0": ["data of folder", training],
        "autoddpm, seed 0": ["data of folder", training],
        "ae, seed 0": ["data of folder"],
    }


def test_a_single_run_needs_no_job_before_it_and_other_settings_share_nothing(four_scans, tmp_path):
    (job,) = jobs_of(planned(four_scans, tmp_path, ("ae",)), NOTHING, 2)
    assert (job.stage, job.after, job.behind) == ("run", (), ())
    one = planned(four_scans, tmp_path, ("anoddpm",))
    other = planned(four_scans, tmp_path, ("autoddpm",), overrides=[{"training": {"steps": 3}}])
    stages = [job.stage for job in jobs_of([*one, *other], NOTHING, 2)]
    assert "training" not in stages


def test_seeds_learn_apart_and_folds_cut_their_slices_one_after_the_other(four_scans, tmp_path):
    runs = planned(four_scans, tmp_path, ("ae",), (0, 1))
    assert "training" not in [job.stage for job in jobs_of(runs, NOTHING, 2)]
    folds = planned(four_scans, tmp_path, ("ae",), splits=copied(four_scans, tmp_path))
    jobs = jobs_of([*runs, *folds], NOTHING, 2)
    data = [job for job in jobs if job.stage == "data"]
    assert len(data) == 2
    assert data[1].behind == (data[0].key,)


def test_runs_whose_maps_lie_in_one_folder_follow_each_other(four_scans, tmp_path):
    here = planned(four_scans, tmp_path, ("thresholding",), splits=four_scans / "splits")
    there = planned(four_scans, tmp_path, ("thresholding",), splits=copied(four_scans, tmp_path))
    seeds = planned(four_scans, tmp_path, ("thresholding",), (1,))
    there = [replace(run, name="again") for run in there]
    named = by_name(jobs_of([*here, *there, *seeds], NOTHING, 2))
    assert "thresholding, seed 0" in named["again"]
    assert "thresholding, seed 0" not in named["thresholding, seed 1"]


@pytest.mark.parametrize(
    ("method", "device", "said", "gpus", "time"),
    [
        ("ae", "auto", {}, 1, "24h"),
        ("ae", "cpu", {}, 0, "24h"),
        ("ae", "auto", {"gpus": 2, "time": "2h"}, 2, "2h"),
        ("thresholding", "auto", {"gpus": 2}, 0, "4h"),
    ],
)
def test_a_network_alone_asks_for_an_accelerator(
    four_scans, tmp_path, method, device, said, gpus, time
):
    runs = planned(four_scans, tmp_path, (method,), device=device)
    (job,) = jobs_of(runs, NOTHING | said, 3)
    assert (job.resources.gpus, job.resources.cpus, job.resources.time) == (gpus, 3, time)


def test_a_job_is_the_same_on_any_device_and_another_for_other_settings(four_scans, tmp_path):
    def key(**more):
        (job,) = jobs_of(planned(four_scans, tmp_path, ("ae",), **more), NOTHING, 2)
        return job.key

    assert key() == key(device="auto", workers=7)
    assert key() != key(overrides=[{"training": {"steps": 3}}])


def test_what_one_process_makes_learns_with_the_first_of_those_that_share(four_scans, tmp_path):
    runs = planned(four_scans, tmp_path, ("anoddpm", "autoddpm"))
    runs = [replace(run, expected=10.0, training=100.0) for run in runs]
    assert [job.expected for job in jobs_in_turn(runs)] == [110.0, 10.0]
    assert [job.expected for job in jobs_of(runs, NOTHING, 2)] == [None, 100.0, 10.0, 10.0]
    (alone,) = jobs_of(runs[:1], NOTHING, 2)
    assert alone.expected == 110.0


def test_cores_of_this_machine_are_shared_among_its_jobs(four_scans, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.sweeps.sweep.default_workers", lambda: 8)
    plan = RunPlan(("ae",), (), (0,), request_of(four_scans, tmp_path))
    assert [Sweep(plan, "local", jobs).cpus for jobs in (None, 2, 16)] == [8, 4, 1]
