"""Small scans in folders, written once: what data, scoring and whole runs are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_scans import write_splits, write_subject

from datasets.adapters.catalogue import open_dataset

PARTS = {"train": ["A"], "val": ["B"], "test": ["C", "D"]}


@pytest.fixture(scope="session")
def four_scans(tmp_path_factory) -> Path:
    """Four subjects in the BraTS21 layout, split; D has no lesion. Not to be changed."""
    root = tmp_path_factory.mktemp("four") / "scans"
    for seed, name in enumerate("ABCD"):
        write_subject(root, name, seed, lesion=name != "D")
    write_splits(root / "splits", PARTS)
    return root


@pytest.fixture(scope="session")
def adapter(four_scans, tmp_path_factory):
    """The four subjects as a data set."""
    opened = open_dataset("folder", four_scans, tmp_path_factory.mktemp("adapter"))
    opened.prepare(lambda title, done, total: None, 1)
    return opened
