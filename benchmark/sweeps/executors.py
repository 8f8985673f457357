"""Who does the jobs: processes of this machine, or Slurm by way of submitit. Both run the same :class:`JobRunner`."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from andi_bench.errors import UserError
from benchmark.sweeps.job_files import Submitted
from benchmark.sweeps.job_list import Job
from benchmark.sweeps.job_runner import JobRunner, environment_of_runner, python_path

TIMES = 100
"""How often a job that ran out of time is given time again."""
_WARNING = 90
"""Seconds before its time is up that a job is told so, at most; of short jobs a quarter of their time."""


class Executor(Protocol):
    """Takes jobs, and tells which are still there.

    Attributes
    ----------
    name : str
        As ``--executor`` says it.
    chains : bool
        Whether it holds a job back itself until others have ended.
    beat : float
        Seconds between two questions.
    grace : float
        Seconds after a job's end in which its last files may not be seen yet.
    left : str
        What becomes of jobs when the command is stopped, in words.
    """

    name: str
    chains: bool
    beat: float
    grace: float
    left: str

    def submit(
        self, job: Job, folder: Path, after: Sequence[str], behind: Sequence[str]
    ) -> Submitted:
        """Hand a job over; ``after``: jobs that must end well before, ``behind``: jobs that must end."""
        ...

    def alive(self) -> Mapping[str, str] | None:
        """Return the jobs that wait or run, with the state in words; None where that cannot be told now."""
        ...

    def why(self, job: str) -> str:
        """Return in words why a job is there no more; "" where nobody knows."""
        ...

    def stop(self) -> None:
        """End what ends with the command."""
        ...


class LocalExecutor:
    """Processes of this machine; they end with the command."""

    name, chains, beat, grace = "local", False, 0.2, 0.5
    left = "jobs are asked to save their state and end"

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def submit(
        self, job: Job, folder: Path, after: Sequence[str], behind: Sequence[str]
    ) -> Submitted:
        """Start a process; nothing that it waits for is left."""
        log = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        runner = [sys.executable, "-m", "benchmark.sweeps.job_runner", str(folder)]
        with log.open("ab") as file:
            process = subprocess.Popen(
                runner, stdout=file, stderr=file, env=environment_of_runner()
            )
        self._processes[str(process.pid)] = process
        return Submitted(self.name, str(process.pid), str(log))

    def alive(self) -> dict[str, str]:
        """Return the processes that run."""
        return {
            job: "running" for job, process in self._processes.items() if process.poll() is None
        }

    def why(self, job: str) -> str:
        """Return what a process was killed by."""
        process = self._processes.get(job)
        code = process.returncode if process is not None else None
        return killed_by(code) if code is not None and code < 0 else ""

    def stop(self) -> None:
        """Ask all processes to save their state and end."""
        for process in self._processes.values():
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait()


class SlurmExecutor:
    """Slurm, by way of submitit; jobs go on when the command ends.

    Parameters
    ----------
    options : mapping of str to str
        Further options of ``sbatch``, without the dashes.

    Raises
    ------
    UserError
        When there is no Slurm on this machine, or submitit is not installed.
    """

    name, chains, beat, grace = "slurm", True, 2.0, 10.0
    left = "jobs stay with Slurm (squeue --me, scancel)"

    def __init__(self, options: Mapping[str, str]) -> None:
        missing = [tool for tool in ("sbatch", "squeue", "scontrol") if not shutil.which(tool)]
        if missing:
            raise UserError(
                f"--executor slurm: no {missing[0]} on this machine; one that submits to Slurm, or --executor local wanted"
            )
        if importlib.util.find_spec("submitit") is None:
            raise UserError(
                "--executor slurm: submitit is not installed; pip install 'andi-bench[cluster]'"
            )
        self._options = dict(options)

    def submit(
        self, job: Job, folder: Path, after: Sequence[str], behind: Sequence[str]
    ) -> Submitted:
        """Submit a job; Slurm keeps the order, and drops a job whose forerunner failed."""
        import submitit
        from submitit.core.utils import FailedJobError

        seconds = job.resources.seconds
        extra: dict[str, object] = {"requeue": True, "kill-on-invalid-dep": "yes"}
        waits = [*(f"afterok:{one}" for one in after), *(f"afterany:{one}" for one in behind)]
        if waits:
            extra["dependency"] = ",".join(waits)
        if job.resources.gpus:
            extra["gpus-per-node"] = job.resources.gpus
        executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=TIMES)
        executor.update_parameters(
            job_name=f"andi-bench {job.name}",
            time=math.ceil(seconds / 60),
            cpus_per_task=job.resources.cpus,
            mem=job.resources.memory,
            stderr_to_stdout=True,
            signal_delay_s=int(min(_WARNING, seconds / 4)),
            setup=[f"export PYTHONPATH={shlex.quote(python_path())}"],
            additional_parameters={**extra, **self._options},
        )
        try:
            handed = executor.submit(JobRunner(folder))
        except FailedJobError as error:
            said = " ".join(str(error).split())
            raise UserError(f"{job.name}: Slurm does not take the job: {said}") from error
        return Submitted(self.name, handed.job_id, str(handed.paths.stdout))

    def alive(self) -> dict[str, str] | None:
        """Return this user's jobs that wait or run; None where Slurm does not answer."""
        found = _asked("squeue", "--me", "--noheader", "--format=%i|%T|%r")
        if found is None:
            return None
        rows = [line.split("|") for line in found.splitlines() if line.count("|") == 2]
        return {job.strip(): _state(state, reason) for job, state, reason in rows}

    def why(self, job: str) -> str:
        """Return the state in which Slurm has a job that ended; of older ones its accounting is asked, where there is one."""
        found = _asked("scontrol", "--oneliner", "show", "job", job) or ""
        facts = dict(word.split("=", 1) for word in found.split() if "=" in word)
        state = facts.get("JobState", "")
        if not state:
            rows = _asked("sacct", "-X", "-n", "-P", "-o", "State", "-j", job) or ""
            state = rows.strip().partition("\n")[0]
        if not state or state == "COMPLETED":
            return ""
        words = {"OUT_OF_MEMORY": " (more --memory wanted)", "TIMEOUT": " (more --time wanted)"}
        return f"Slurm: {state}{words.get(state, '')}"

    def stop(self) -> None:
        """Leave the jobs to Slurm."""


def make_executor(name: str, options: Mapping[str, str]) -> Executor:
    """Return the executor of a name.

    Raises
    ------
    UserError
        As :class:`SlurmExecutor`.
    """
    return SlurmExecutor(options) if name == "slurm" else LocalExecutor()


def killed_by(code: int) -> str:
    """Return in words what a negative exit code says."""
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    more = ", for lack of memory perhaps" if name == "SIGKILL" else ""
    return f"killed ({name}{more})"


def _state(state: str, reason: str) -> str:
    word = state.strip().lower()
    return f"{word} ({reason.strip()})" if word == "pending" and reason.strip() != "None" else word


def _asked(*command: str) -> str | None:
    """Return what a tool of Slurm says; None where it says nothing, or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
