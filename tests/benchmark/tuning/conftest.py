"""Trials without what takes most of a small one's time, and is tried elsewhere: exact peaks of memory, figures."""

import pytest

from benchmark.recording import record_folder
from benchmark.scoring import subjects


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(subjects, "reset_peak_memory", lambda device: None)
    for name in ("montage", "pr_curve", "dice_curves", "loss_curve"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)
