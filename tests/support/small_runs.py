"""Requests and consoles for runs that take a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from andi_bench.console import Console
from andi_bench.workspace import Workspace
from benchmark.run.request import RunRequest

QUIET = Console(quiet=True)
SETTINGS: dict[str, Any] = {
    "preprocessing": {"size": 16},
    "evaluation": {"median": 3, "bootstraps": 10, "previews": 1},
}


def request_of(
    scans: Path, folder: Path, method: str = "thresholding", *layers: dict[str, Any], **changes: Any
) -> RunRequest:
    """Return a request for one method on scans in a folder, on the CPU, in a workspace of its own.

    Parameters
    ----------
    scans : Path
        Folder of the data set.
    folder : Path
        The workspace lies in it.
    method : str
        Its name.
    layers : dict
        Layers of configuration above :data:`SETTINGS`.
    changes : Any
        Further fields of the request.
    """
    asked: dict[str, Any] = {
        "dataset": "folder",
        "data_root": scans,
        "workspace": Workspace(folder / "workspace"),
        "overrides": [SETTINGS, *layers],
        "device": "cpu",
        "workers": 1,
        **changes,
    }
    return RunRequest(method=method, **asked)
