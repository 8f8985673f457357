"""The training loop: what is learnt depends on seed and configuration, never on interruptions."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from support.small_scoring import denormals_are_kept
from torch import nn

from andi_bench.config import TrainingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from andi_bench.training_config import AugmentationConfig
from benchmark.training.augmentation.pipeline import augment
from benchmark.training.slice_order import sample_order
from benchmark.training.state import MovingAverage
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainer import Trainer, learning_rate
from methods.base import DetectorConfig, ImageSpec, SliceDetector
from methods.catalogue import build_detector


class Denoiser(SliceDetector):
    """A linear denoiser: small, but it has dropout, noise and a buffer to get wrong."""

    name = "denoiser"
    Config = DetectorConfig

    def network(self):
        c = self.spec.channels
        return nn.Sequential(
            nn.Conv2d(c, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.Dropout(0.2),
            nn.Conv2d(4, c, 3, padding=1),
        )

    def loss(self, batch, generator):
        noise = generator.normal(*batch.shape[1:])
        return (self.net(batch + noise) - noise).square().mean()


class Memory:
    """The face of a slice store, over an array."""

    def __init__(self, count=37, channels=2, size=16):
        rng = np.random.default_rng(5)
        self.images = rng.random((count, channels, size, size), dtype=np.float32)
        self.images = self.images.astype(np.float16).astype(np.float32)
        self.shape, self.dtype = self.images.shape[1:], np.dtype(np.float16)
        parts = np.array_split(np.arange(count), 5)
        self.subjects = np.repeat([f"s{k}" for k in range(5)], [len(part) for part in parts])
        self.z = np.concatenate([3 + np.arange(len(part)) for part in parts])

    def __len__(self):
        return len(self.images)

    def read(self, indices):
        return self.images[indices]

    def iter_subjects(self):
        for k, part in enumerate(np.array_split(np.arange(len(self)), 5)):
            yield f"s{k}", 30, part, self.images[part]


SPEC = ImageSpec(("flair", "t1"), (16, 16))


def trained(tmp_path, stop_at=None, **settings):
    config = TrainingConfig(
        **{"steps": 24, "batch_size": 8, "learning_rate": 1e-2, "ema_start": 5, "flip": True}
        | settings
    )
    detector = build_detector(Denoiser, {}, SPEC, 3, torch.device("cpu"))
    trainer = Trainer(
        Accelerator(cpu=True), config, 3, tmp_path / "progress.safetensors", Console(quiet=True)
    )
    if stop_at is not None:
        step = trainer._step

        def killed(*args):
            if trainer.state.step == stop_at:
                raise KeyboardInterrupt
            return step(*args)

        trainer._step = killed
        with pytest.raises(KeyboardInterrupt):
            detector.fit(StoredSlices(Memory()), trainer)
    else:
        detector.fit(StoredSlices(Memory()), trainer)
    return detector, trainer


def assert_equal_weights(first, second):
    a, b = first.net.state_dict(), second.net.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


AUGMENTED = {
    "augmentation": {
        "rotation": 10,
        "elastic": 0.04,
        "gamma": 0.3,
        "bias": 0.2,
        "noise": 0.05,
        "modality_dropout": 0.2,
    },
    "sampling": "balanced",
}


@pytest.mark.parametrize("settings", [{}, AUGMENTED], ids=["plain", "augmented"])
def test_a_killed_training_goes_on_to_the_very_weights_it_would_have_had(tmp_path, settings):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, _ = trained(tmp_path / "whole", checkpoint_minutes=1e-9, **settings)
    trained(tmp_path / "cut", stop_at=13, checkpoint_minutes=1e-9, **settings)
    resumed, trainer = trained(tmp_path / "cut", checkpoint_minutes=1e-9, **settings)
    assert trainer.state.step == 24
    assert_equal_weights(whole, resumed)


def test_the_same_training_twice_gives_the_same_weights_and_another_seed_gives_others(tmp_path):
    first, _ = trained(tmp_path / "a")
    second, _ = trained(tmp_path / "b")
    assert_equal_weights(first, second)
    other = build_detector(Denoiser, {}, SPEC, 4, torch.device("cpu"))
    start = build_detector(Denoiser, {}, SPEC, 3, torch.device("cpu"))
    assert not torch.equal(other.net[0].weight, start.net[0].weight)


def test_what_the_loss_sees_is_flipped_by_its_own_stream_and_then_augmented(tmp_path):
    seen = []

    class Watched(Denoiser):
        def loss(self, batch, generator):
            seen.append((batch.clone(), generator.seeds))
            return super().loss(batch, generator)

    augmentation = AugmentationConfig(probability=1.0, brightness=0.5)
    config = TrainingConfig(steps=2, batch_size=8, flip=True, augmentation=augmentation)
    detector = build_detector(Watched, {}, SPEC, 3, torch.device("cpu"))
    path = tmp_path / "progress.safetensors"
    trainer = Trainer(Accelerator(cpu=True), config, 3, path, Console(quiet=True))
    detector.fit(StoredSlices(Memory()), trainer)
    for step, (batch, seeds) in enumerate(seen):
        images = torch.from_numpy(Memory().images[sample_order(3, 37, 8 * step, 8 * step + 8)])
        flipped = SliceGenerator(seeds).fork("flip").uniform() < 0.5
        images[flipped] = images[flipped].flip(-2)
        assert torch.equal(batch, augment(images, SliceGenerator(seeds), augmentation))
        assert not torch.equal(batch, images)


def test_training_lowers_the_loss_and_leaves_global_random_state_alone(tmp_path):
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    _, trainer = trained(tmp_path, steps=120)
    curve = [row[2] for row in trainer.state.curve]
    assert np.mean(curve[-10:]) < 0.9 * np.mean(curve[:3])
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_network_learns_without_denormal_numbers_which_are_there_again_afterwards(
    tmp_path, monkeypatch
):
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot count denormal numbers as 0")
    seen, plain = [], Denoiser.loss
    monkeypatch.setattr(
        Denoiser, "loss", lambda *a: (seen.append(denormals_are_kept()), plain(*a))[1]
    )
    trained(tmp_path, steps=3)
    assert seen == [False] * 3
    trained(tmp_path / "killed", stop_at=2)
    assert denormals_are_kept()


def test_after_a_bf16_training_the_network_computes_in_float32_as_a_loaded_one_does(tmp_path):
    AcceleratorState._reset_state()
    try:
        accelerator = Accelerator(cpu=True, mixed_precision="bf16")
        detector = build_detector(Denoiser, {}, SPEC, 3, torch.device("cpu"))
        config = TrainingConfig(steps=4, batch_size=8, learning_rate=1e-2)
        path = tmp_path / "progress.safetensors"
        trainer = Trainer(accelerator, config, 3, path, Console(quiet=True))
        detector.fit(StoredSlices(Memory()), trainer)
        loaded = build_detector(Denoiser, {}, SPEC, 4, torch.device("cpu"))
        loaded.load(detector.state())
        images = torch.from_numpy(Memory().images)
        with torch.no_grad():
            assert torch.equal(detector.net(images), loaded.net.eval()(images))
    finally:
        AcceleratorState._reset_state()


def test_the_average_copies_up_to_its_start_and_then_follows_slowly():
    network = nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, decay=0.9, start=2)
    expected = None
    for step, value in enumerate([1.0, 2.0, 3.0, 4.0], start=1):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(step)
        expected = value if step <= 2 else 0.9 * expected + 0.1 * value
        assert float(average.values["weight"]) == pytest.approx(expected)


@pytest.mark.parametrize("cache", ["none", "device"])
def test_where_slices_are_kept_changes_nothing(tmp_path, cache):
    (tmp_path / "auto").mkdir()
    (tmp_path / "other").mkdir()
    plain, _ = trained(tmp_path / "auto", steps=8)
    other, _ = trained(tmp_path / "other", steps=8, cache=cache)
    assert_equal_weights(plain, other)


class Plain(Denoiser):
    """Without dropout and batch statistics, which a part of a batch has of its own."""

    def network(self):
        c = self.spec.channels
        return nn.Sequential(
            nn.Conv2d(c, 4, 3, padding=1), nn.SiLU(), nn.Conv2d(4, c, 3, padding=1)
        )


@pytest.mark.parametrize("parts", [3, 8])
def test_gradients_added_up_over_parts_are_those_of_the_batch(tmp_path, monkeypatch, parts):
    """To rounding, with parts of 2 and 3 slices too; the loss is that of the batch."""
    monkeypatch.setitem(globals(), "Denoiser", Plain)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    settings = {"steps": 10, "learning_rate": 1e-3}
    whole, first = trained(tmp_path / "whole", **settings)
    added, second = trained(tmp_path / "parts", accumulate=parts, **settings)
    for key, value in whole.net.state_dict().items():
        assert torch.allclose(value, added.net.state_dict()[key], rtol=1e-4, atol=1e-6), key
    losses = [[row[2] for row in trainer.state.curve] for trainer in (first, second)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_several_processes_ask_one_another_every_ten_steps(tmp_path):
    asked = []

    class Two:
        device, num_processes, is_main_process = torch.device("cpu"), 2, True

        def reduce(self, votes, how):
            asked.append(trainer.state.step)
            return votes + torch.tensor([0.0, 1.0])  # the other one was asked to stop

    config = TrainingConfig(minutes=1)
    trainer = Trainer(Two(), config, 3, tmp_path / "p", Console(quiet=True))
    trainer.state.seconds, answers = 6.0, []
    for trainer.state.step in range(1, 11):
        answers.append(trainer._agreed(0.05, False))
    assert asked == [10]
    assert answers[:9] == [(0.05, False)] * 9
    assert answers[9] == (pytest.approx(0.1), True)


def test_learning_rate_warms_up_peaks_and_returns_to_its_start():
    config = TrainingConfig(steps=1000, learning_rate=1e-4, start_learning_rate=2e-5, warmup=0.05)
    assert learning_rate(config, 0.0, 1.0) == pytest.approx(2e-5)
    assert learning_rate(config, 0.025, 1.0) == pytest.approx(6e-5)
    assert learning_rate(config, 0.05, 1.0) == pytest.approx(1e-4)
    assert learning_rate(config, 0.525, 1.0) == pytest.approx(6e-5)
    assert learning_rate(config, 1.0, 1.0) == pytest.approx(2e-5)


def test_a_budget_in_minutes_ends_the_training_and_finishes_its_schedule(tmp_path, monkeypatch):
    """By a clock of the test's own: a busy machine makes no difference."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.01 * next(ticks))
    monkeypatch.setattr("benchmark.training.trainer.time", clock)
    _, trainer = trained(tmp_path, steps=None, minutes=0.02)
    assert trainer.state.seconds == pytest.approx(1.2, abs=0.05)
    assert trainer.state.curve[-1][3] < 1e-3


def test_passes_are_counted_by_slices_or_as_published_by_batches(tmp_path):
    for published, wanted in ((False, 109_287), (True, 109_510)):
        config = TrainingConfig(epochs=233, batch_size=128, published_epochs=published)
        trainer = Trainer(Accelerator(cpu=True), config, 0, tmp_path / "p", Console(quiet=True))
        assert trainer.budget(60_037) == wanted


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": None}, "one of steps, epochs and minutes"),
        ({"accumulate": 9}, "at most the 8 slices"),
        ({"learning_rate": 1e30, "gradient_clip": None, "optimizer": "adam"}, "not finite"),
    ],
)
def test_a_training_that_cannot_work_says_why(tmp_path, settings, words):
    with pytest.raises(UserError, match=words):
        trained(tmp_path, **settings)


def test_a_damaged_state_is_refused_in_one_line(tmp_path):
    trained(tmp_path, stop_at=13, checkpoint_minutes=1e-9)
    file = tmp_path / "progress.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"progress\.safetensors: damaged checkpoint"):
        trained(tmp_path)
