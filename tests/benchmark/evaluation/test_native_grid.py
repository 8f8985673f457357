"""Measuring on the scan's own grid: what was scored stays, the truth is the file's own."""

import dataclasses

import numpy as np
import pytest

from andi_bench.config import EvaluationConfig, PreprocessingConfig
from andi_bench.errors import UserError
from benchmark.evaluation.native_grid import NativeLoader
from benchmark.evaluation.protocol import evaluate
from benchmark.scoring.native_truth import TruthStore
from benchmark.scoring.subjects import scored_subject
from datasets.volume import LesionLoss

CONFIG = PreprocessingConfig(size=32)


@pytest.fixture
def loader(adapter, tmp_path):
    """Return FLAIR for a map, on both grids."""
    truths = TruthStore(tmp_path, CONFIG)
    subjects = {s.id: s for s in adapter.subjects()}
    for subject in subjects.values():
        truths.keep(adapter, subject)

    def load(name):
        volume = adapter.read(subjects[name], CONFIG)
        scored = scored_subject(volume, volume.image[0])
        return dataclasses.replace(scored, loss=LesionLoss(1, ((0.1, (0.0, 0.0, 0.0)),)))

    return NativeLoader(load, truths)


def test_only_the_truth_is_another_and_nothing_is_lost_there(loader):
    found, scored = loader("C"), loader.load("C")
    np.testing.assert_array_equal(found.map, scored.map)
    np.testing.assert_array_equal(found.lesion, scored.lesion)
    assert found.native.lesion.shape == found.native.grid.shape == (40, 36, 14)
    assert (found.loss, scored.loss.total) == (None, 1)


def test_the_evaluation_measures_lesions_as_the_files_have_them(loader):
    config = EvaluationConfig(median=1, bootstraps=5)
    result = evaluate(loader, ["B"], ["C", "D"], config, workers=1)
    assert result.shape == (40, 36, 14)
    assert result.spacing == (4, 4, 4)
    volumes = dict(zip(result.subjects["subject"], result.subjects["lesion_ml"], strict=True))
    assert volumes["C"] == pytest.approx(loader.truths.load("C").lesion.sum() * 0.064)
    assert volumes["D"] == 0


def test_masks_that_are_gone_are_named(loader):
    loader.truths.path("C").unlink()
    with pytest.raises(UserError, match="damaged masks"):
        loader("C")
