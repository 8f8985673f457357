"""A training is found again by what identifies it, and by nothing else."""

import pytest
import torch

from andi_bench.config import TrainingConfig
from andi_bench.errors import UserError
from benchmark.training.trainings import load_checkpoint, locate_training
from methods.base import ImageSpec
from methods.catalogue import build_detector, detector_class

SPEC = ImageSpec(("flair", "t1"), (32, 32))
DATA = {"dataset": "here", "slices": "abc"}


def folder(tmp_path, *, training=None, data=DATA, seed=0, spec=SPEC, values=None):
    detector = build_detector(detector_class("ae"), values or {}, spec, 0, torch.device("cpu"))
    loop = training or TrainingConfig(steps=5)
    return locate_training(detector, loop, data, seed, tmp_path).folder.name


def test_equal_trainings_share_a_folder_however_often_they_save(tmp_path):
    often = TrainingConfig(steps=5, checkpoint_minutes=0.1, cache="device")
    assert folder(tmp_path) == folder(tmp_path, training=often)


def test_options_that_are_off_leave_a_training_the_name_it_had(tmp_path):
    """The name is that of a workspace that knew no augmentation."""
    assert folder(tmp_path) == "ae__here__seed0__bec28024"
    off = TrainingConfig(steps=5, augmentation={"probability": 0.9, "gamma": 0})
    assert folder(tmp_path, training=off) == folder(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"training": TrainingConfig(steps=6)},
        {"training": TrainingConfig(steps=5, sampling="balanced")},
        {"training": TrainingConfig(steps=5, augmentation={"gamma": 0.1})},
        {"training": TrainingConfig(steps=5, augmentation={"gamma": 0.1, "probability": 0.1})},
        {"training": TrainingConfig(steps=5, accumulate=2)},
        {"data": {**DATA, "slices": "abd"}},
        {"seed": 1},
        {"spec": ImageSpec(("flair", "t2"), (32, 32))},
    ],
    ids=["steps", "sampling", "gamma", "probability", "accumulate", "slices", "seed", "modalities"],
)
def test_whatever_changes_what_is_learnt_has_a_folder_of_its_own(tmp_path, change):
    assert folder(tmp_path) != folder(tmp_path, **change)


def test_a_checkpoint_for_a_method_without_a_network_is_refused(tmp_path):
    detector = build_detector(detector_class("thresholding"), {}, SPEC, 0, torch.device("cpu"))
    (tmp_path / "weights.pt").write_bytes(b"x")
    with pytest.raises(UserError, match="no network"):
        load_checkpoint(detector, tmp_path / "weights.pt", torch.device("cpu"))
