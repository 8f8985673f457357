"""Trials without what takes most of a small one's time, and is tried elsewhere: exact peaks of memory."""

import pytest

from benchmark.scoring import subjects


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(subjects, "reset_peak_memory", lambda device: None)
