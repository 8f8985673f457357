"""The brain is the brain, whatever intensities are divided by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_heads import head, write_subject

from andi_bench.config import PreprocessingConfig
from datasets.adapters.folder import FolderAdapter
from datasets.scans.brain import BRAIN_QUANTILE, brain_of
from datasets.scans.preprocess import preprocess, training_slices
from datasets.scans.scan import Scan
from datasets.slices.builder import store_identity
from datasets.subject import Subject

SMALL = PreprocessingConfig(size=32, modalities=("flair",))


def scan_of(seed: int) -> Scan:
    """A head with a rim so dim that it is brain by a hair, and some very bright voxels."""
    rng = np.random.default_rng(seed)
    image = head((28, 24, 6)) * rng.uniform(0.01, 1.0, size=(28, 24, 6))
    image[rng.random(image.shape) < 0.005] *= 30
    lesion = np.zeros(image.shape, dtype=bool)
    lesion[12:15, 10:13, 2] = True
    image = image.astype(np.float32)
    return Scan(Subject("a", {}), ("flair",), [image], lesion, np.diag([-2.0, -2.0, 2.0, 1.0]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 50), quantile=st.floats(0.3, 1.0))
def test_changing_the_quantile_leaves_brain_and_healthy_slices(seed: int, quantile: float) -> None:
    plain = preprocess(scan_of(seed), SMALL)
    changed = SMALL.model_copy(update={"quantile": quantile})
    moved = preprocess(scan_of(seed), changed)
    assert np.array_equal(plain.brain, moved.brain)
    ratio = scan_of(seed).scales(0.99)[0] / scan_of(seed).scales(quantile)[0]
    np.testing.assert_allclose(moved.image, plain.image * np.float32(ratio), rtol=1e-4, atol=1e-6)
    numbers = [training_slices(scan_of(seed), c).numbers.tolist() for c in (SMALL, changed)]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_brain_of_a_scan_and_of_images_alone_are_one(seed: int) -> None:
    scan = scan_of(seed)
    assert np.array_equal(scan.brain(), brain_of(scan.affine, *scan.images))


def test_the_quantiles_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets.scans import scan as module

    taken: list[float] = []
    real = module.positive_quantile
    monkeypatch.setattr(
        module, "positive_quantile", lambda values, q: taken.append(q) or real(values, q)
    )
    preprocess(scan_of(0), SMALL)
    assert taken == [BRAIN_QUANTILE]
    preprocess(scan_of(0), SMALL.model_copy(update={"quantile": 0.9}))
    assert taken == [BRAIN_QUANTILE, BRAIN_QUANTILE, 0.9]


def test_slices_of_another_quantile_are_built_again_and_those_of_the_default_found(
    tmp_path: Path,
) -> None:
    write_subject(tmp_path, "a")
    adapter = FolderAdapter("folder", tmp_path)
    default, other = (
        store_identity(adapter, adapter.subjects(), c, "train")
        for c in (SMALL, SMALL.model_copy(update={"quantile": 0.9}))
    )
    assert "brain_quantile" not in default
    assert other["brain_quantile"] == BRAIN_QUANTILE
