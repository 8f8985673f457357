"""Runs a job's process and leaves word of how it ended: the same under every executor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from andi_bench.arithmetic.waiting import wait_briefly
from andi_bench.place import rooms
from benchmark.sweeps.job_files import ENDED, OUTCOME, Task, write_said

MODULE = "benchmark.sweeps.job_process"
PATIENCE = 60.0
"""Seconds that a process has to save its state when it is asked to stop."""
_BEAT = 0.2


@dataclass
class JobRunner:
    """A job, as an executor calls it.

    Parameters
    ----------
    folder : Path
        The job's folder.
    """

    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __call__(self, orphaned: Callable[[], bool] = lambda: False) -> int:
        """Run the process to its end, and return its exit code; negative: the signal that killed it.

        Parameters
        ----------
        orphaned : callable
            Whether nobody waits for the job any more: its process is then asked to stop.
        """
        task = Task.read(self.folder)
        for left in (ENDED, OUTCOME):
            (self.folder / left).unlink(missing_ok=True)
        begun = time.monotonic()
        self._process = subprocess.Popen(
            command(task, self.folder), env=environment(task), preexec_fn=_deaf
        )
        while (code := self._process.poll()) is None:
            if orphaned():
                self.stop()
            time.sleep(_BEAT)
        took = time.monotonic() - begun
        write_said(self.folder / ENDED, {"code": code, "seconds": round(took, 1)})
        return code

    def stop(self) -> None:
        """Ask the process to save its state and end; kill it where it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            until = time.monotonic() + PATIENCE
            # Not process.wait(): this may be called within a signal's handler, while poll() holds its lock.
            while not _gone(process.pid):
                if time.monotonic() > until:
                    process.kill()
                    break
                time.sleep(_BEAT)

    def checkpoint(self) -> Any:
        """Stop, and say what is to be run when the cluster gives the job time again; submitit calls it before time is up."""
        from submitit.helpers import DelayedSubmission

        self.stop()
        return DelayedSubmission(JobRunner(self.folder))


def command(task: Task, folder: Path) -> list[str]:
    """Return the command line of a job's process; on several accelerators, of one process each."""
    if task.processes == 1:
        return [sys.executable, "-m", MODULE, str(folder)]
    launch = ["-m", "accelerate.commands.launch", "--num_processes", str(task.processes)]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    # Port 0: any that is free. Two jobs may share a machine.
    launch += ["--multi_gpu", "--main_process_port", "0"]
    return [sys.executable, *launch, "-m", MODULE, str(folder)]


def environment(task: Task) -> dict[str, str]:
    """Return the environment of a job's process: our packages on its path, and no more threads than cores are given."""
    out = environment_of_runner()
    out.setdefault("OMP_NUM_THREADS", str(max(1, task.threads // task.processes)))
    wait_briefly(out)
    return out


def environment_of_runner() -> dict[str, str]:
    """Return the environment in which a runner is found."""
    return {**os.environ, "PYTHONPATH": python_path()}


def python_path() -> str:
    """Return the path on which a process finds our packages, before whatever else it has."""
    return os.pathsep.join(filter(None, [str(rooms()), os.environ.get("PYTHONPATH", "")]))


def _deaf() -> None:
    """Ignore the signal that a cluster sends to all processes of a job before its time is up: the runner alone answers it."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _gone(pid: int) -> bool:
    """Whether a child has ended; its exit code is left for whoever waits for it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def main() -> None:
    """Run a job on this machine; it ends with the command that started it."""
    runner, parent = JobRunner(Path(sys.argv[1])), os.getppid()
    # Ctrl-C reaches the job's process too, which saves its state; how that ended is still to be written.
    # A handler, not SIG_IGN, which the job's process would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.signal(signal.SIGTERM, lambda number, frame: runner.stop())
    raise SystemExit(runner(lambda: os.getppid() != parent) != 0)


if __name__ == "__main__":
    main()
