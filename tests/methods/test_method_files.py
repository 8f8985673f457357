import pytest
from support.places import ROOT

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.registry import resolve
from methods.base import ImageSpec

FILES = ROOT / "configs" / "methods"
METHODS = sorted(path.stem for path in FILES.glob("*.yaml"))


def detector_of(name, preset):
    entry = method_entry(name)
    run = load_run_config(entry, preset, [], name)
    cls = resolve(name, {name: entry.class_})
    size = (run.preprocessing.size,) * 2
    spec = ImageSpec(run.preprocessing.modalities, size)
    return run, cls(validated(cls.Config, run.detector, name), spec)


def test_every_method_of_the_paper_and_the_classics_are_there():
    classics = {"thresholding", "voxel-statistics", "ae", "vae"}
    assert set(METHODS) >= {"andi", "dae", "anoddpm", "autoddpm"} | classics


@pytest.mark.parametrize("preset", ["quick", "paper"])
@pytest.mark.parametrize("name", METHODS)
def test_every_preset_of_a_method_makes_a_detector(name, preset):
    entry = method_entry(name)
    assert entry is not None
    _, detector = detector_of(name, preset)
    assert detector.name == name
    assert entry.title
    assert entry.year or entry.family == "reference"
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


@pytest.mark.parametrize(
    ("name", "noise", "rates"),
    [("anoddpm", "simplex", (2e-5, 7e-5)), ("autoddpm", "gaussian", (9e-6, 7e-5))],
)
def test_the_paper_presets_of_the_diffusion_rivals_are_the_published_ones(name, noise, rates):
    run, detector = detector_of(name, "paper")
    training, config = run.training, detector.config
    assert (training.start_learning_rate, training.learning_rate) == rates
    assert (training.epochs, training.batch_size) == (233, 128)
    assert (training.ema_decay, training.ema_start) == (0.995, 2000)
    assert config.training_noise == noise
    assert (config.training_t_low, config.training_t_high) == (1, 1000)
    if name == "anoddpm":
        assert config.noise_steps == 250
    else:
        assert (config.noise_steps, config.inpainting_steps, config.resampling) == (200, 50, 5)


def test_the_paper_preset_of_the_denoising_autoencoder_is_the_published_one():
    run, detector = detector_of("dae", "paper")
    training = run.training
    assert (training.epochs, training.batch_size, training.schedule_epochs) == (19, 16, 100)
    assert (training.optimizer, training.amsgrad, training.weight_decay) == ("adam", True, 1e-5)
    assert training.learning_rate == 1e-4
    assert (detector.config.base_width, detector.config.depth) == (64, 4)
    assert (detector.config.noise_std, detector.config.noise_resolution) == (0.2, 16)


@pytest.mark.parametrize("name", ["andi", "anoddpm", "autoddpm", "dae"])
def test_the_paper_preset_trains_in_float32_and_counts_short_batches_everywhere(name):
    run, detector = detector_of(name, "paper")
    assert (run.training.precision, run.training.published_epochs) == ("float32", True)
    assert (run.scoring.reduction, run.scoring.deviations) == ("max", "both")
    options = [field for field in type(detector.config).model_fields if "published_" in field]
    assert options
    assert not any(getattr(detector.config, field) for field in options)
