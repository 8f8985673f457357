"""What a measurement of speed was made on."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

_CPU_INFO = Path("/proc/cpuinfo")


def machine(device: torch.device) -> dict[str, Any]:
    """Return device, threads, versions and driver; None where one does not apply or is not known.

    ``load`` is the number of processes that wanted a core in the last minute, in units of the cores: near 1 and above, something else
    was at work.
    """
    cuda = device.type == "cuda"
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)
    return {
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "kind": device.type,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": load,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "driver": _driver() if cuda else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _driver() -> str | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError, IndexError):
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return found.stdout.split()[0]
    return None


def resident_mb(device: torch.device) -> float:
    """Return what is held now, MiB: on the accelerator, or by the process."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 2**20
    with contextlib.suppress(OSError, IndexError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def wait_for(device: torch.device) -> None:
    """Wait until what was asked of an accelerator is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
