import pytest

from benchmark.config import load_run_config, method_entry, validated
from benchmark.registry import resolve
from methods.base import ImageSpec

METHODS = ("andi", "thresholding", "voxel-statistics")


@pytest.mark.parametrize("preset", ["quick", "paper"])
@pytest.mark.parametrize("name", METHODS)
def test_every_preset_of_a_method_makes_a_detector(name, preset):
    entry = method_entry(name)
    assert entry is not None
    run = load_run_config(entry, preset, [], name)
    cls = resolve(name, {name: entry.class_})
    size = run.preprocessing.size
    detector = cls(
        validated(cls.Config, run.detector, name),
        ImageSpec(run.preprocessing.modalities, (size, size)),
    )
    assert detector.name == name
    assert entry.title
    assert entry.year
    assert entry.family
    assert entry.learns_from


def test_the_paper_preset_of_andi_is_the_published_one():
    run = load_run_config(method_entry("andi"), "paper", [], "andi")
    training = run.training
    assert run.preprocessing.size == 128
    assert (training.epochs, training.steps, training.batch_size) == (233, None, 128)
    assert (training.start_learning_rate, training.learning_rate) == (2e-5, 1e-4)
    assert (training.ema_decay, training.ema_start) == (0.995, 2000)
    assert (training.weight_decay, training.gradient_clip) == (0.01, None)
    cls = resolve("andi", {"andi": method_entry("andi").class_})
    detector = cls(validated(cls.Config, run.detector, "andi"), ImageSpec(("a",) * 4, (128, 128)))
    assert sum(p.numel() for p in detector.network().parameters()) == 9_720_964
    assert list(detector.time_steps()) == list(range(199, 74, -1))
