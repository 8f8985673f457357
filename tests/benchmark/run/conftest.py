"""Runs without what takes most of a small one's time, and is tried elsewhere: figures, and exact peaks of memory."""

import pytest

from benchmark.recording import record_folder
from benchmark.scoring import subjects


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(record_folder, "FIGURE_SUBJECTS", 0)
    for name in ("pr_curve", "dice_curves", "loss_curve"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)
    monkeypatch.setattr(subjects, "reset_peak_memory", lambda device: None)
