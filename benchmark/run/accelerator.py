"""The accelerator of a run: device, processes, precision, tracker."""

from __future__ import annotations

import importlib.util
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs

from andi_bench.arithmetic.denormals import start_threads
from andi_bench.config import RunConfig
from andi_bench.errors import UserError
from benchmark.run.allocator import keep_freed_memory
from benchmark.scoring.network_form import precision_on, require_compiler

_PRECISIONS = {"float32": "no", "bf16": "bf16", "fp16": "fp16"}


def default_preset(device: str) -> str:
    """Return the preset that is used where none is named: ``paper`` on an accelerator, ``quick`` on a CPU."""
    return "quick" if _on_cpu(device) else "paper"


def check_device(device: str, precision: str, tracker: str | None) -> None:
    """Find out before any work whether the device and the tracker are there.

    Raises
    ------
    UserError
        When the device is not there, cannot compute in the precision, or the tracker's package is not installed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is visible; 'cpu' or 'auto' wanted")
    if _on_cpu(device) and precision == "fp16":
        raise UserError("training.precision = fp16: needs an accelerator; float32 or bf16 wanted")
    if tracker is not None and importlib.util.find_spec(tracker) is None:
        # accelerate would drop a tracker that is not installed, and say nothing
        raise UserError(f"--track {tracker}: not installed; pip install {tracker}")


def check_run(device: str, config: RunConfig, tracker: str | None) -> None:
    """Find out before any work whether a run's device, precisions, compiler and tracker are there.

    Raises
    ------
    UserError
        As :func:`check_device`; when the network cannot be scored in ``scoring.precision``, or not be compiled.
    """
    check_device(device, config.training.precision, tracker)
    chosen = torch.device("cpu" if _on_cpu(device) else "cuda")
    precision_on(config.scoring.precision, chosen)
    for setting, asked in (
        ("scoring.compile", config.scoring.compile),
        ("training.compile", config.training.compile),
    ):
        if asked:
            require_compiler(setting, chosen, asked)


def make_accelerator(device: str, precision: str, tracker: str | None, folder: Path) -> Accelerator:
    """Build the accelerator: device, processes, precision and, if asked for, a tracker.

    Parameters
    ----------
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    precision : str
        ``training.precision`` of the configuration.
    tracker : str or None
        A tracker that accelerate knows.
    folder : Path
        Where the tracker writes.

    Raises
    ------
    UserError
        As :func:`check_device`.
    """
    check_device(device, precision, tracker)
    on_cpu = _on_cpu(device)
    if on_cpu:
        keep_freed_memory()
        start_threads()
    if precision == "auto":
        chosen = "bf16" if not on_cpu and torch.cuda.is_bf16_supported() else "no"
    else:
        chosen = _PRECISIONS[precision]
    # Methods that run one after the other may differ in precision; accelerate keeps one state a process.
    AcceleratorState._reset_state()
    # Others wait while the first process reads, cuts slices and measures: of hours of that the default, 10 minutes, knows nothing.
    patient = InitProcessGroupKwargs(timeout=timedelta(days=7))
    return Accelerator(
        cpu=on_cpu,
        mixed_precision=chosen,
        log_with=tracker,
        project_dir=str(folder),
        kwargs_handlers=[patient],
    )


def _on_cpu(device: str) -> bool:
    return device == "cpu" or not torch.cuda.is_available()
