"""Sweeps on a real Slurm of one node, started here: made, killed and taken up again, failures named.

Debian's slurm-wlm and munge, as root; submitit. tests/cluster/slurm.sh starts and stops it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.places import ROOT

from andi_bench.records.search import find_records

pytest.importorskip(
    "submitit", reason="submitit is not installed: pip install 'andi-bench[cluster]'"
)

LACKING = [tool for tool in ("slurmctld", "slurmd", "munged") if shutil.which(tool) is None]
if os.geteuid() != 0:
    LACKING.append("the rights of root")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"a Slurm cannot be started here: {LACKING} missing"),
]

SETTINGS = (
    *("--set", "preprocessing.size=16", "--set", "preprocessing.bias=none"),
    *("--set", "evaluation.median=3", "--set", "evaluation.bootstraps=10"),
    *("--set", "training.batch_size=4", "--set", "training.checkpoint_minutes=0.02"),
    *("--preset", "quick", "--device", "cpu"),
)
FEW, MANY = ("--set", "training.steps=4"), ("--set", "training.steps=1200")
SMALL = ("--executor", "slurm", "--cpus", "1", "--memory", "2G", "--time", "20m")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    script = ROOT / "tests" / "cluster" / "slurm.sh"
    subprocess.run([script, "start", folder], check=True, timeout=120)
    environment = {
        **os.environ,
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    yield environment
    subprocess.run([script, "stop", folder], check=True, timeout=120)


class Place:
    """A workspace, and the command that sweeps in it."""

    def __init__(self, scans, folder, environment):
        self.workspace, self.environment = folder / "workspace", environment
        self._data = ("--dataset", "folder", "--data-root", str(scans), "--alone")

    def command(self, *options):
        start = (sys.executable, "-m", "benchmark", "run", *self._data, *SETTINGS)
        return [*start, "--workspace", str(self.workspace), *options]

    def run(self, *options):
        return subprocess.run(
            self.command(*options, *SMALL),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def begin(self, *options):
        return subprocess.Popen(
            self.command(*options, *SMALL),
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def slurm(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def methods(self):
        return sorted(run.run.method for run in find_records(self.workspace / "records").records)

    def job(self, pattern):
        (folder,) = self.workspace.glob(f"jobs/{pattern}")
        return folder, json.loads((folder / "submitted.json").read_text())

    def learning(self, pattern, seconds=300):
        """Wait until a job's training has saved its state; return the job's folder and number."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if list(self.workspace.glob(f"trainings/{pattern}*/progress.safetensors")):
                folder, said = self.job(f"run__{pattern}*")
                return folder, said["job"]
            time.sleep(0.2)
        raise AssertionError(f"no training of {pattern} began")


@pytest.fixture
def place(scans, tmp_path, slurm):
    return Place(scans, tmp_path, slurm)


def test_a_sweep_is_planned_made_in_order_and_never_made_again(place):
    asked = ("-m", "anoddpm", "-m", "autoddpm", "-m", "thresholding", "-m", "random", *FEW)
    asked += ("--set", "scoring.batch_size=64")
    plan = place.run(*asked, "--plan")
    assert "training of anoddpm, seed 0, for 2 runs" in plan.stdout, plan.stderr
    assert not place.workspace.exists()
    done = place.run(*asked)
    assert done.returncode == 0, done.stderr
    assert place.methods() == ["anoddpm", "autoddpm", "random", "thresholding"]
    assert len(list(place.workspace.glob("trainings/*/training.json"))) == 1
    # Nobody waited for another's lock in a job of its own.
    logs = [path.read_text() for path in place.workspace.glob("jobs/*/*_log.out")]
    assert len(logs) == 6
    assert not [log for log in logs if "in use by another run" in log]
    again = place.run(*asked)
    assert again.returncode == 0
    assert again.stderr.count("finished ") == 4
    assert "submitted" not in again.stderr


def test_a_cancelled_job_is_named_and_goes_on_where_it_was_stopped(place):
    command = place.begin("-m", "ae", *MANY)
    _, number = place.learning("ae")
    place.slurm("scancel", number)
    said = command.communicate(timeout=120)[1]
    assert command.returncode == 1
    assert f"failed        ae, seed 0 (job {number})" in said
    assert "CANCELLED" in said
    again = place.run("-m", "ae", *MANY)
    assert again.returncode == 0, again.stderr
    _, handed = place.job("run__ae*")
    assert "training goes on from step" in Path(handed["log"]).read_text()
    assert place.methods() == ["ae"]


def test_a_killed_process_and_a_killed_command_lose_nothing(place):
    command = place.begin("-m", "ae", *MANY)
    folder, number = place.learning("ae")
    command.send_signal(signal.SIGKILL)  # the command alone: the job stays with Slurm
    command.communicate(timeout=60)
    ours = f"benchmark.sweeps.job_process {folder}"
    found = subprocess.run(["pgrep", "-f", ours], capture_output=True, text=True).stdout.split()
    assert found
    for pid in found:
        os.kill(int(pid), signal.SIGSTOP)  # until the second command has found it
    follows = place.begin("-m", "ae", *MANY)
    first = follows.stderr.readline()
    while first and "there already" not in first:
        first = follows.stderr.readline()
    assert f"there already ae, seed 0: job {number}" in first
    for pid in found:
        os.kill(int(pid), signal.SIGKILL)
    said = follows.communicate(timeout=180)[1]
    assert "killed (SIGKILL" in said
    assert f"log: {folder}" in said
    again = place.run("-m", "ae", *MANY)
    assert again.returncode == 0, again.stderr
    assert "training goes on from step" in Path(place.job("run__ae*")[1]["log"]).read_text()


def test_a_wrong_setting_is_named_and_the_others_are_made(place):
    wrong = ("--set", "training.learning_rate=1e30", "--set", "training.warmup=0")
    done = place.run("-m", "ae", "-m", "thresholding", *FEW, *wrong)
    assert done.returncode == 1
    assert "failed        ae, seed 0 (job " in done.stderr
    assert "a mistake in what was asked for" in done.stderr
    assert "| andi-bench: training: the loss is not finite" in done.stderr
    assert place.methods() == ["thresholding"]


def test_what_slurm_does_not_take_is_said_in_its_words(place):
    done = place.run("-m", "thresholding", "--slurm", "partition=nowhere")
    assert done.returncode == 1
    assert "invalid partition specified: nowhere" in done.stderr
