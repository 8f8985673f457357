from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.small_heads import head, write

from andi_bench.config import PreprocessingConfig
from datasets.adapters.folder import FolderAdapter
from datasets.scans import bias_field
from datasets.scans.bias_field import BiasFields, corrected, log_bias_field

SPACING = (2.0, 2.0, 2.5)
AFFINE = np.diag([*SPACING, 1.0])


def shaded(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a ball of two tissues, the same shaded along two axes, and the shading, (X, Y, Z)."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in (64, 60, 48)), indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.9
    tissue = np.where(rng.random(inside.shape) < 0.4, 100.0, 200.0) + rng.normal(0, 4, inside.shape)
    field = np.exp(0.3 * axes[0] - 0.2 * axes[2] ** 2)
    image = np.where(inside, tissue, 0).astype(np.float32)
    return image, (image * field).astype(np.float32), field


def test_shading_is_found_and_divided_out() -> None:
    true, image, field = shaded()
    out = corrected(image, SPACING, log_bias_field(image, SPACING))
    inside = true > 0
    left = np.log(out[inside] / true[inside])
    assert left.std() < 0.25 * np.log(field[inside]).std()
    np.testing.assert_array_equal(out > 0, inside)
    assert out[inside].mean() == pytest.approx(image[inside].mean(), rel=0.1)


def test_an_even_scan_stays_as_it_is() -> None:
    image, _, _ = shaded(3)
    out = corrected(image, SPACING, log_bias_field(image, SPACING))
    assert np.abs(np.log(out[image > 0] / image[image > 0])).max() < 0.05


def test_too_small_a_foreground_has_no_field() -> None:
    image = np.zeros((20, 20, 20), np.float32)
    image[10, 10, 10] = 4
    np.testing.assert_array_equal(corrected(image, SPACING, log_bias_field(image, SPACING)), image)


def test_a_field_is_estimated_once_and_a_damaged_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, image, _ = shaded()
    calls = []
    estimate = bias_field.log_bias_field
    monkeypatch.setattr(bias_field, "log_bias_field", lambda *a: calls.append(1) or estimate(*a))
    fields = BiasFields(tmp_path)
    first = fields.of("content", image, AFFINE)
    np.testing.assert_array_equal(fields.of("content", image, AFFINE), first)
    assert len(calls) == 1
    (kept,) = tmp_path.rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(fields.of("content", image, AFFINE), first)
    fields.of("other", image, AFFINE)
    assert len(calls) == 3


def test_a_changed_scan_gets_a_field_of_its_own_and_a_changed_mask_none(tmp_path: Path) -> None:
    config = PreprocessingConfig(size=32, modalities=("flair",), bias="n4")
    folder, cache = tmp_path / "scans" / "a", tmp_path / "workspace" / "fingerprints.jsonl"
    image = np.kron(head((24, 24, 8)), np.ones((2, 2, 4)))
    lesion = np.zeros(image.shape, np.uint8)
    write(folder / "a_flair.nii.gz", image)

    def read(lesion: np.ndarray):
        write(folder / "a_seg.nii.gz", lesion)
        adapter = FolderAdapter("folder", tmp_path / "scans", cache=cache)
        return adapter.read(adapter.subjects()[0], config).image

    def kept() -> int:
        return len(list(cache.parent.rglob("*.npz")))

    first = read(lesion)
    assert kept() == 1
    lesion[4:20, 4:20] = 1
    np.testing.assert_array_equal(read(lesion), first)
    assert kept() == 1
    write(folder / "a_flair.nii.gz", image * np.linspace(1, 2, image.shape[0])[:, None, None])
    read(lesion)
    assert kept() == 2


def test_a_modality_stored_flipped_has_its_field_whatever_is_read_before_it(tmp_path: Path) -> None:
    _, image, _ = shaded()
    folder = tmp_path / "scans" / "a"
    write(folder / "a_flair.nii.gz", image, AFFINE)
    flipped = AFFINE @ np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[:3, 3] = (AFFINE @ [image.shape[0] - 1, 0, 0, 1])[:3]
    write(folder / "a_t1.nii.gz", image[::-1], flipped)

    def read(cache: str, *modalities: str) -> np.ndarray:
        adapter = FolderAdapter("folder", tmp_path / "scans", cache=tmp_path / cache / "f.jsonl")
        config = PreprocessingConfig(size=32, modalities=modalities, bias="n4")
        return adapter.read(adapter.subjects()[0], config).image[-1]

    alone = read("one", "t1")
    read("two", "flair", "t1")  # along FLAIR's axes
    np.testing.assert_array_equal(read("two", "t1"), alone)


def test_the_brain_does_not_depend_on_the_field(tmp_path: Path) -> None:
    write(tmp_path / "a" / "a_flair.nii.gz", head())
    adapter = FolderAdapter("folder", tmp_path)
    (one,) = adapter.subjects()
    brains = [
        adapter.read(one, PreprocessingConfig(size=32, modalities=("flair",), **change)).brain
        for change in ({}, {"bias": "n4"}, {"normalisation": "robust", "bias": "n4"})
    ]
    np.testing.assert_array_equal(brains[0], brains[1])
    np.testing.assert_array_equal(brains[0], brains[2])
