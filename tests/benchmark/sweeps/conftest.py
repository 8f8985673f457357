"""Runs without what takes most of a small one's time, and is tried elsewhere: figures, and exact peaks of memory."""

import pytest
from support.small_runs import without_figures


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    without_figures(monkeypatch)
