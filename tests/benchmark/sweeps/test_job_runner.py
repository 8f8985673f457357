"""A job's process is run, asked to stop, and leaves word of how it ended; what it does is written in its folder."""

import os
import signal
import sys
import threading
import time

import pytest
from support.small_runs import request_of

from andi_bench.arithmetic.waiting import POLICY, SPIN_COUNT, wait_briefly
from andi_bench.errors import UserError
from benchmark.run.request import Outcome
from benchmark.sweeps import job_process, job_runner
from benchmark.sweeps.executors import LocalExecutor, SlurmExecutor, killed_by, make_executor
from benchmark.sweeps.job_files import (
    ENDED,
    JOB,
    OUTCOME,
    Task,
    read_outcome,
    read_said,
    write_outcome,
)
from benchmark.sweeps.job_runner import JobRunner, command, environment


@pytest.fixture
def folder(four_scans, tmp_path):
    place = tmp_path / "job"
    place.mkdir()
    Task("run", request_of(four_scans, tmp_path, export=tmp_path / "maps")).write(place)
    return place


def does(monkeypatch, code):
    monkeypatch.setattr(
        job_runner, "command", lambda task, folder: [sys.executable, "-S", "-c", code]
    )


def test_a_task_is_read_as_it_was_written_with_whole_paths(four_scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plugin = tmp_path / "plugin.py"
    request = request_of(four_scans, tmp_path, subjects=("A",), splits=four_scans / "splits")
    Task("training", request, (plugin,), 2, 8).write(tmp_path)
    assert Task.read(tmp_path) == Task("training", request, (plugin,), 2, 8)
    (tmp_path / JOB).write_text("{}")
    with pytest.raises(UserError, match="damaged"):
        Task.read(tmp_path)


@pytest.mark.parametrize(("code", "ended"), [("", 0), ("raise SystemExit(2)", 2)])
def test_the_exit_code_is_left(folder, monkeypatch, code, ended):
    (folder / OUTCOME).write_text("{}")  # of an earlier job
    does(monkeypatch, code)
    assert JobRunner(folder)() == ended
    assert read_said(folder / ENDED)["code"] == ended
    assert not (folder / OUTCOME).exists()


def test_a_process_that_is_killed_says_by_what(folder, monkeypatch):
    does(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert killed_by(JobRunner(folder)()) == "killed (SIGKILL, for lack of memory perhaps)"


def test_a_process_hears_nothing_of_the_signal_that_its_runner_answers(folder, monkeypatch):
    does(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)")
    assert JobRunner(folder)() == 0


def test_a_job_that_nobody_waits_for_is_asked_to_stop(folder, monkeypatch):
    saves = (
        "import signal, sys, time; signal.signal(15, lambda n, f: sys.exit(130)); time.sleep(60)"
    )
    does(monkeypatch, saves)
    begun = time.monotonic()
    assert JobRunner(folder)(lambda: time.monotonic() - begun > 1.0) in (130, -15)


def test_what_does_not_stop_is_killed(folder, monkeypatch):
    monkeypatch.setattr(job_runner, "PATIENCE", 0.3)
    does(monkeypatch, "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    runner = JobRunner(folder)
    threading.Timer(1.0, runner.stop).start()
    assert runner() == -signal.SIGKILL


def test_before_its_time_is_up_a_job_stops_and_is_put_back(folder, monkeypatch):
    helpers = pytest.importorskip("submitit.helpers")
    does(monkeypatch, "import time; time.sleep(60)")
    runner, again = JobRunner(folder), []
    previous = signal.signal(
        signal.SIGUSR2, lambda number, frame: again.append(runner.checkpoint())
    )
    try:
        threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGUSR2)).start()
        assert runner() == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGUSR2, previous)
    assert isinstance(again[0], helpers.DelayedSubmission)
    assert again[0].function.folder == folder


def test_several_accelerators_get_a_process_each(folder):
    task = Task.read(folder)
    assert command(task, folder)[1:] == ["-m", "benchmark.sweeps.job_process", str(folder)]
    several = Task(task.stage, task.request, processes=2, threads=8)
    line = command(several, folder)
    assert line[line.index("--num_processes") + 1] == "2"
    assert line[-3:] == ["-m", "benchmark.sweeps.job_process", str(folder)]
    assert environment(several).get("OMP_NUM_THREADS") in ("4", os.environ.get("OMP_NUM_THREADS"))


def test_a_job_waits_for_its_threads_as_the_command_line_does(folder, monkeypatch):
    for name in (POLICY, SPIN_COUNT):
        monkeypatch.delenv(name, raising=False)
    wanted: dict[str, str] = {}
    wait_briefly(wanted)
    job = environment(Task.read(folder))
    assert {name: job.get(name) for name in (POLICY, SPIN_COUNT)} == wanted


def test_what_a_run_left_is_read_again(tmp_path):
    assert read_outcome(tmp_path) is None
    left = Outcome(tmp_path / "record", None, reused=True)
    write_outcome(tmp_path, left)
    assert read_outcome(tmp_path) == left


def test_a_job_makes_data_ready_learns_or_runs(four_scans, tmp_path):
    half = {
        "training": {"precision": "fp16"}
    }  # what a processor cannot do is not asked of the data
    plain = {"preprocessing": {"bias": "none"}}
    place = request_of(four_scans, tmp_path).workspace
    for stage, layers in (("data", [half]), ("training", []), ("run", [])):
        folder = tmp_path / stage
        folder.mkdir()
        asked = request_of(four_scans, tmp_path, "voxel-statistics", plain, *layers)
        Task(stage, asked).write(folder)
        job_process.do(folder)
        assert any(place.slices.glob("*/manifest.json"))
        assert any(place.trainings.glob("*")) == (stage != "data")
        assert any(place.records.glob("*")) == (stage == "run")
    assert read_outcome(tmp_path / "run").record.parent == place.records


def test_a_mistake_is_the_last_line_of_the_log(folder, monkeypatch, capsys):
    def wrong(folder):
        raise UserError("nothing of the kind")

    monkeypatch.setattr(sys, "argv", ["job", str(folder)])
    monkeypatch.setattr(job_process, "do", wrong)
    with pytest.raises(SystemExit) as ended:
        job_process.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "andi-bench: nothing of the kind\n"


def tool(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_slurm_is_asked_what_is_there_and_why_it_is_not(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    tools = tmp_path / "tools"
    for name in ("sbatch", "sacct"):
        tool(tools, name, "exit 1")
    tool(tools, "squeue", "echo '12|PENDING|Dependency'; echo '13|RUNNING|None'")
    tool(tools, "scontrol", "echo 'JobId=14 JobState=OUT_OF_MEMORY Reason=x'")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    slurm = make_executor("slurm", {})
    assert slurm.alive() == {"12": "pending (Dependency)", "13": "running"}
    assert slurm.why("14") == "Slurm: OUT_OF_MEMORY (more --memory wanted)"
    tool(tools, "scontrol", "exit 1")
    assert slurm.why("14") == ""
    tool(tools, "sacct", "echo TIMEOUT")
    assert slurm.why("14") == "Slurm: TIMEOUT (more --time wanted)"
    tool(tools, "squeue", "exit 1")
    assert slurm.alive() is None


def test_without_slurm_or_submitit_it_is_said_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no sbatch on this machine"):
        SlurmExecutor({})
    for name in ("sbatch", "squeue", "scontrol"):
        tool(tmp_path, name, "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"andi-bench\[cluster\]"):
        SlurmExecutor({})
    assert isinstance(make_executor("local", {}), LocalExecutor)
