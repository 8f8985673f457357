from pathlib import Path

import pytest
from support.small_heads import head, write
from support.small_scans import write_splits

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.adapters.training_split import kept_file, kept_values, training_subjects

CONFIG = PreprocessingConfig(size=32, modalities=("flair",))


@pytest.fixture
def adapter(tmp_path: Path) -> FolderAdapter:
    root = tmp_path / "scans"
    for k, name in enumerate("abc"):
        write(root / name / f"{name}_flair.nii.gz", head(seed=k))
    write_splits(root / "splits", {"train": ["a", "b"], "val": [], "test": ["c"]})
    return FolderAdapter("folder", root, splits_dir=root / "splits")


def test_a_file_is_named_by_the_training_scans_and_the_parts(
    adapter: FolderAdapter, tmp_path: Path
) -> None:
    def named(**parts: object) -> Path:
        subjects = training_subjects(adapter, "crop = brain", instead="crop_box")
        return kept_file(tmp_path, CONFIG, adapter, subjects, {"version": 1, **parts})

    first = named()
    assert named() == first
    assert named(version=2) != first
    write(adapter.root / "c" / "c_flair.nii.gz", head(seed=7))  # no training scan
    assert named() == first
    write(adapter.root / "b" / "b_flair.nii.gz", head(seed=7))
    assert named() != first


def test_a_damaged_file_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    assert kept_values(path) is None
    path.write_text("[1, 2")
    assert kept_values(path) is None
    path.write_text("[1, 2]")
    assert kept_values(path) == [1, 2]


def test_an_empty_training_split_names_setting_and_way_out(tmp_path: Path) -> None:
    write(tmp_path / "a" / "a_flair.nii.gz", head(seed=0))
    write_splits(tmp_path / "splits", {"train": [], "val": [], "test": ["a"]})
    empty = FolderAdapter("folder", tmp_path, splits_dir=tmp_path / "splits")
    with pytest.raises(UserError, match="crop = brain: its train split is empty.*crop_box"):
        training_subjects(empty, "crop = brain", instead="crop_box")
