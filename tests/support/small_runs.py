"""Requests and consoles for runs that take a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from andi_bench.console import Console
from andi_bench.workspace import Workspace
from benchmark.recording import record_folder
from benchmark.run.request import RunRequest
from benchmark.scoring import subjects

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


def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes most of a small run's time, and is tried elsewhere: figures, and exact peaks of memory."""
    monkeypatch.setattr(record_folder, "FIGURE_SUBJECTS", 0)
    for name in ("pr_curve", "dice_curves", "loss_curve"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)
    monkeypatch.setattr(subjects, "reset_peak_memory", lambda device: None)
