"""The process that does a job: ``python -m benchmark.sweeps.job_process FOLDER``. Several of them where accelerate launches it."""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from pathlib import Path

from andi_bench.config import merge
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.registry import load_plugin
from benchmark.run.detector_source import DetectorSource
from benchmark.run.request import RunRequest
from benchmark.run.stages import Run
from benchmark.sweeps.job_files import Task, write_outcome
from benchmark.training.trainer import Interrupted


def do(folder: Path) -> None:
    """Do what a job's folder says.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave.
    """
    task = Task.read(folder)
    for path in task.plugins:
        load_plugin(path)
    console = Console()
    if task.stage == "data":
        DetectorSource(_without_accelerator(task.request), console, here=False).prepare()
        return
    source = DetectorSource(task.request, console)
    if task.stage == "training":
        source.train()
        return
    outcome = Run(source, console).outcome()
    if source.writes:
        write_outcome(folder, outcome)


def _without_accelerator(request: RunRequest) -> RunRequest:
    """Return a request for the data alone, which no accelerator makes: its training's precision is not asked for."""
    plain = merge(*request.overrides, {"training": {"precision": "float32"}})
    return replace(request, device="cpu", tracker=None, overrides=[plain])


def main() -> None:
    """Do a job; what goes wrong is the last line of its log."""
    try:
        do(Path(sys.argv[1]))
    except UserError as error:
        print(f"andi-bench: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error
    except Interrupted as error:
        print(f"andi-bench: {error}", file=sys.stderr, flush=True)
        raise SystemExit(130) from error
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
