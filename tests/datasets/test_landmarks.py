from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.small_heads import head, write
from support.small_scans import write_splits

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from andi_bench.preprocessing import LANDMARKS
from datasets.adapters.folder import FolderAdapter
from datasets.adapters.landmarks import wants_landmarks, with_landmarks
from datasets.scans.normalisation import STANDARD

CONFIG = PreprocessingConfig(size=32, modalities=("flair", "t1"), normalisation="landmarks")


@pytest.fixture
def adapter(tmp_path: Path) -> FolderAdapter:
    root = tmp_path / "scans"
    for k, name in enumerate("abcd"):
        for m in ("flair", "t1"):
            write(root / name / f"{name}_{m}.nii.gz", head(seed=k) ** (1.2 if m == "t1" else 1.0))
    write_splits(root / "splits", {"train": ["a", "b"], "val": ["c"], "test": ["d"]})
    return FolderAdapter("folder", root, splits_dir=root / "splits")


def test_landmarks_are_the_mean_of_the_training_subjects(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    learnt = with_landmarks(CONFIG, adapter, tmp_path / "kept")
    assert learnt.landmarks is not None
    own = []
    for k in (0, 1):
        found = np.percentile(head(seed=k)[head(seed=k) > 0], LANDMARKS)
        own.append(STANDARD[0] + 0.9 * (found - found[0]) / (found[-1] - found[0]))
    np.testing.assert_allclose(learnt.landmarks[0], np.mean(own, axis=0), rtol=1e-4)
    assert not wants_landmarks(learnt)
    image = adapter.read(adapter.subjects_in("test")[0], learnt).image
    assert np.percentile(image[0][image[0] > 0], 50) == pytest.approx(
        learnt.landmarks[0][5], abs=0.1
    )


def test_what_was_learnt_is_kept_until_a_training_scan_changes(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    first = with_landmarks(CONFIG, adapter, kept)
    (path,) = kept.glob("*.json")
    path.write_text(json.dumps([[float(k) for k in range(11)]] * 2))  # shows that it is read
    assert with_landmarks(CONFIG, adapter, kept) != first
    write(adapter.root / "d" / "d_flair.nii.gz", 2 * head(seed=9))  # no training scan
    assert with_landmarks(CONFIG, adapter, kept) != first
    write(adapter.root / "a" / "a_flair.nii.gz", head(seed=9) ** 2)
    again = with_landmarks(CONFIG, adapter, kept)
    assert again.landmarks is not None
    assert again.landmarks[1] == pytest.approx(first.landmarks[1])
    assert again.landmarks[0] != pytest.approx(first.landmarks[0])
    assert len(list(kept.glob("*.json"))) == 2


def test_other_ways_and_given_landmarks_need_no_training_split(tmp_path: Path) -> None:
    write(tmp_path / "a" / "a_flair.nii.gz", head())
    write_splits(tmp_path / "splits", {"train": [], "val": [], "test": ["a"]})
    adapter = FolderAdapter("folder", tmp_path, splits_dir=tmp_path / "splits")
    given = CONFIG.model_copy(update={"landmarks": ((tuple(0.1 * k for k in range(11))),) * 2})
    assert with_landmarks(given, adapter, tmp_path) is given
    with pytest.raises(UserError, match="its train split is empty, one subject or more wanted"):
        with_landmarks(CONFIG, adapter, tmp_path)
