"""What a method costs: seconds, memory, network calls, parameters."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from andi_bench.names import counted

_CLEAR_PEAK = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement; where the system cannot, the peak stays that of the whole process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    # What an earlier method freed may still be held by the allocator: hand it back first.
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        _CLEAR_PEAK.write_text("5", encoding="ascii")


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak since :func:`reset_peak_memory`, MiB: of the accelerator, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def device_name(device: torch.device) -> str:
    """Return the accelerator's name, or the number of CPU threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {counted(torch.get_num_threads(), 'thread')}"


def parameter_count(module: nn.Module | None) -> int:
    """Return the number of learnt parameters; 0 without a network."""
    return sum(p.numel() for p in module.parameters()) if module is not None else 0


def rows_given(inputs: Sequence[Any], named: Mapping[str, Any]) -> int:
    """Return how many slices a call of a network was given: the rows of its first tensor, by place or by name; 1 without one.

    A network may have inputs that it is not given each time, so that the first place may be empty.
    """
    tensors = (x for x in (*inputs, *named.values()) if isinstance(x, torch.Tensor) and x.ndim)
    return next((int(x.shape[0]) for x in tensors), 1)


class CallCounter:
    """Counts how many slices a network has been given, and the most at once."""

    def __init__(self) -> None:
        self.slices = 0
        self.largest = 0

    @contextlib.contextmanager
    def counting(self, module: nn.Module | None) -> Iterator[CallCounter]:
        """Count the forward calls of a network while the block runs, a batch of N as N."""
        if module is None:
            yield self
            return

        def count(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            rows = rows_given(inputs, named)
            self.slices += rows
            self.largest = max(self.largest, rows)

        handle = module.register_forward_pre_hook(count, with_kwargs=True)
        try:
            yield self
        finally:
            handle.remove()
