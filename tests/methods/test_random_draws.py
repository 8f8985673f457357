"""What a method says of its random draws is what it does: maps and trainings are named by it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.small_volumes import CPU, MODALITIES, small_volume

from andi_bench import randomness
from andi_bench.config import ScoringConfig, TrainingConfig
from andi_bench.randomness import SliceGenerator
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.training.trainings import locate_training
from methods.base import AnomalyDetector, ImageSpec, SliceBatch, SliceDetector
from methods.catalogue import build_detector, detector_class, method_locations

SPEC = ImageSpec(MODALITIES, (32, 32))
SMALL = {
    "andi": {"base_width": 4, "t_low": 75, "t_high": 77},
    "anoddpm": {"base_width": 4, "noise_steps": 3},
    "autoddpm": {"base_width": 4, "noise_steps": 3, "inpainting_steps": 3, "mask_threshold": 0.1},
    "dae": {"base_width": 4, "noise_resolution": 4},
    "thor": {"base_width": 4, "noise_steps": 4, "harmonised": (2,), "looked_at": (0,)},
    "disyre": {"base_width": 4, "multipliers": (1,), "attention": (), "blocks": 1},
    "fpi": {"base_width": 4, "multipliers": (1,), "blocks": 1},
    "pii": {"base_width": 4, "multipliers": (1,), "blocks": 1},
    "pddpm": {"base_width": 4, "multipliers": (1,), "attention": (), "blocks": 1},
    "mddpm": {"base_width": 4, "multipliers": (1,), "attention": (), "blocks": 1, "draws": 2},
    "itermask": {"base_width": 4, "multipliers": (1,), "blocks": 1, "threshold": 0.1},
    "andi-v2": {
        "base_width": 4,
        "multipliers": (1,),
        "blocks": (1,),
        "attention": (),
        "calls": 2,
    },
}


class Slices(list):
    """Healthy slices for detectors that fit themselves."""

    def mean(self):
        return self[0].images.mean(dim=0)


def stages_that_draw(name: str, monkeypatch) -> set[str]:
    drawn: set[str] = set()
    stage = ["training"]
    plain = randomness.numpy_words

    def noted(*given):
        drawn.add(stage[0])
        plain(*given)

    monkeypatch.setattr(randomness, "numpy_words", noted)
    modalities = detector_class(name).requires or MODALITIES
    spec = ImageSpec(modalities, SPEC.size)
    detector = build_detector(detector_class(name), SMALL.get(name, {}), spec, 0, CPU)
    volume = small_volume(shape=(32, 32, 4))
    volume = replace(volume, image=volume.image[: len(modalities)], modalities=modalities)
    slices = torch.from_numpy(np.ascontiguousarray(volume.image.transpose(3, 0, 1, 2)))
    if detector.learns():
        z = np.arange(4)
        detector.fit(Slices([SliceBatch(slices, ("A",) * 4, z, np.full(4, 4))]), NoTraining())
    if isinstance(detector, SliceDetector) and detector.has_network():
        detector.loss(slices, SliceGenerator(range(4)))
        detector.net.eval()
    stage[0] = "scoring"
    scored = score_volume(detector, volume, ScoreEngine(0, CPU, ScoringConfig(), modalities))
    # However a method calls its network, the engine counts it.
    network = getattr(detector, "net", None) is not None
    assert (scored.network_calls > 0) == network
    return drawn


class NoTraining:
    """What a detector that fits itself is lent."""

    seed, device = 0, CPU

    def progress(self, slices):
        return slices

    def train(self, detector, slices):
        return None


@pytest.mark.parametrize("name", method_locations())
def test_a_method_draws_in_the_stages_that_it_names(name, monkeypatch):
    assert stages_that_draw(name, monkeypatch) == set(
        vars(detector_class(name)).get("draws", ("training", "scoring"))
    )


def test_a_class_that_names_no_stages_counts_as_drawing_in_both():
    class Heir(detector_class("thresholding")):
        pass

    wanted = {"streams_version": randomness.VERSION}
    assert AnomalyDetector.streams("scoring") == Heir.streams("training") == wanted
    assert detector_class("thresholding").streams("training", "scoring") == {}
    assert detector_class("dae").streams("scoring") == {}
    assert detector_class("dae").streams("training") == wanted


def test_trainings_that_draw_are_named_by_the_streams_version(tmp_path, monkeypatch):
    def name(method: str, **loop: object) -> str:
        detector = build_detector(detector_class(method), SMALL.get(method, {}), SPEC, 0, CPU)
        return locate_training(
            detector, TrainingConfig(steps=5, **loop), {"dataset": "here"}, 0, tmp_path
        ).folder.name

    asked = {
        "drawing": ("dae", {}),
        "flipped": ("ae", {"flip": True}),
        "changed": ("ae", {"augmentation": {"gamma": 0.1}}),
        "plain": ("ae", {}),
    }
    before = {key: name(method, **loop) for key, (method, loop) in asked.items()}
    for module in ("methods.base.VERSION", "andi_bench.randomness.VERSION"):
        monkeypatch.setattr(module, 99)
    after = {key: name(method, **loop) for key, (method, loop) in asked.items()}
    assert {key for key in asked if before[key] == after[key]} == {"plain"}
