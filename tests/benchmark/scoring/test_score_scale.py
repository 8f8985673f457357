"""Scores count by their order alone, also where float32 cannot tell them apart."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmark.scoring.score_scale import ScoreScale, common_scale
from datasets.scans.nifti import read_nifti

AFFINE = np.diag([-4.0, -4.0, 4.0, 1.0])
SHAPE = (20, 20, 12)

KINDS = {
    "saturated": lambda s: 1 - 1e-9 * np.exp(-s),
    "minus p": lambda s: -1e-50 * np.exp(-s),
    "offset": lambda s: 1e6 + 1e-3 * s,
    "int64": lambda s: 2**62 + np.round(1000 * s).astype(np.int64),
    "uint64": lambda s: np.uint64(2**63) + np.round(1000 * s + 5000).astype(np.uint64),
    "int32": lambda s: (2**30 + np.round(8 * s)).astype(np.int32),
    "huge": lambda s: 1e39 * np.exp(s),
    "widest": lambda s: 1e307 * np.clip(4 * s, -17, 17),
    "hundreds of decades": lambda s: -(10.0 ** (-80 * s - 1e-3)),
}


def written(folder: Path, change, count: int = 3) -> tuple[list[Path], list[np.ndarray]]:
    rng = np.random.default_rng(5)
    paths, masks = [], []
    for k in range(count):
        mask = rng.random(SHAPE) < 0.03
        scores = np.clip(mask + 0.7 * rng.normal(size=SHAPE), -3.5, 3.5)
        values = change(scores)
        paths.append(folder / f"{k}.nii.gz")
        nib.save(nib.Nifti1Image(values, AFFINE, dtype=values.dtype), paths[-1])
        masks.append(mask)
    return paths, masks


@pytest.mark.parametrize("kind", KINDS)
def test_average_precision_is_that_of_the_stored_numbers(tmp_path: Path, kind: str) -> None:
    paths, masks = written(tmp_path, KINDS[kind])
    scale = common_scale(paths)
    assert scale is not None
    before, after = [], []
    for path in paths:
        exact = read_nifti(path, exact=True).values
        mapped = scale(exact)
        assert mapped.dtype == np.float32
        assert 0 <= mapped.min() <= mapped.max() <= 1
        order = np.argsort(exact.ravel(), kind="stable")
        assert (np.diff(mapped.ravel()[order]) >= 0).all()
        before.append(np.unique(exact, return_inverse=True)[1].ravel())
        after.append(mapped.ravel())
    for ranks, mapped, mask in zip(before, after, masks, strict=True):
        wanted = average_precision_score(mask.ravel(), ranks)
        assert average_precision_score(mask.ravel(), mapped) == pytest.approx(wanted, abs=2e-3)
    assert "order is kept" in scale.note()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, np.uint8])
def test_maps_that_float32_holds_are_left_alone(tmp_path: Path, dtype: type) -> None:
    paths, _ = written(tmp_path, lambda s: (20 * s + 100).astype(dtype))
    assert common_scale(paths) is None


def test_one_function_for_all_maps_so_that_thresholds_are_shared(tmp_path: Path) -> None:
    paths, _ = written(tmp_path, KINDS["offset"])
    scale = common_scale(paths)
    values = [read_nifti(path, exact=True).values for path in paths]
    lows = min(v.min() for v in values)
    assert [float(scale(v).min()) == 0 for v in values] == [v.min() == lows for v in values]
    assert scale.description() != common_scale(paths[:2]).description()
    assert ScoreScale(0, (1.0, 3.0))(np.array([1.0, 2.0, 3.0])).tolist() == [0, 0.5, 1]
