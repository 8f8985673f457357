"""The box of a training split: of its brains alone, found once, and found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.small_heads import head, write
from support.small_scans import write_splits

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.brain_box import wants_box, with_box
from datasets.adapters.folder import FolderAdapter
from datasets.scans import bias_field
from datasets.scans.crop import box_around

CONFIG = PreprocessingConfig(
    size=128, field_of_view=400, modalities=("flair",), crop="brain", bias="n4"
)


@pytest.fixture
def adapter(tmp_path: Path) -> FolderAdapter:
    root = tmp_path / "scans"
    for k, name in enumerate("abcd"):
        write(root / name / f"{name}_flair.nii.gz", head(seed=k))
    write_splits(root / "splits", {"train": ["a", "b"], "val": ["c"], "test": ["d"]})
    return FolderAdapter("folder", root, splits_dir=root / "splits")


def test_the_box_is_that_of_the_training_brains_and_no_bias_field_is_estimated_for_it(
    adapter, tmp_path, monkeypatch
):
    monkeypatch.setattr(bias_field, "log_bias_field", lambda *_: pytest.fail("a bias field"))
    found = with_box(CONFIG, adapter, tmp_path / "kept")
    plain = CONFIG.model_copy(update={"bias": "none", "crop": "none"})
    brains = [adapter.read(s, plain).brain for s in adapter.subjects_in("train")]
    assert found.crop_box == box_around(brains, 128)
    assert np.prod(found.plane) < 128**2
    assert not wants_box(found)
    assert with_box(found, adapter, tmp_path / "elsewhere") is found


def test_a_box_is_kept_until_a_training_scan_changes(adapter, tmp_path):
    kept = tmp_path / "kept"
    first = with_box(CONFIG, adapter, kept)
    (path,) = kept.glob("*.json")
    path.write_text(json.dumps([[0, 16], [0, 16]]))  # shows that it is read
    assert with_box(CONFIG, adapter, kept).plane == (16, 16)
    write(adapter.root / "d" / "d_flair.nii.gz", 2 * head(seed=9))  # no training scan
    assert with_box(CONFIG, adapter, kept).plane == (16, 16)
    write(adapter.root / "a" / "a_flair.nii.gz", 2 * head(seed=0))
    assert with_box(CONFIG, adapter, kept) == first


def test_without_a_training_split_a_box_is_wanted(adapter, tmp_path):
    write_splits(adapter.root / "splits", {"train": []})
    empty = FolderAdapter("folder", adapter.root, splits_dir=adapter.root / "splits")
    with pytest.raises(UserError, match="crop = brain: its train split is empty"):
        with_box(CONFIG, empty, tmp_path / "kept")
