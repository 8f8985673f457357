"""Seconds and memory of one training step, in the loop that a run trains with."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator

from andi_bench.config import TrainingConfig
from andi_bench.console import Console
from benchmark.scoring.costs import peak_memory_mb, reset_peak_memory
from benchmark.speed.machine import resident_mb, wait_for
from benchmark.speed.paces import Clock, Pace, pace_of, part_within
from benchmark.speed.plain_loops import PlainLoop
from benchmark.speed.synthetic_brain import SyntheticStore
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainer import Trainer
from datasets.slices.store import SliceStore
from datasets.volume import Volume
from methods.base import SliceDetector

WARM = 2
"""Steps before the first that counts: the optimiser makes its state in one, a compiler may work in it."""
TOGETHER = 5
"""Steps between two readings of the clock on an accelerator, which must be waited for."""
MOST_SLICES = 512
"""Held in memory; larger batches take slices again."""


class _Enough(Exception):
    """The training is left: enough steps were seen."""


@dataclass(frozen=True)
class TrainingSpeed:
    """What training costs.

    Parameters
    ----------
    step : Pace
        One step.
    batch_size : int
        Slices in it.
    reference : Pace or None
        The plain loop's; None where it was not asked for or is not written.
    """

    step: Pace
    batch_size: int
    reference: Pace | None = None


class _Stopwatch:
    """Stands in for a detector's loss and reads the clock where a step begins.

    Between two readings the plain loop takes as many steps, where one is given, while the clock stands still.
    """

    def __init__(
        self, detector: SliceDetector, training: TrainingConfig, device: torch.device, wanted: int
    ) -> None:
        self._loss, self._training, self._device = detector.loss, training, device
        self._together = TOGETHER if device.type == "cuda" else 1
        self._wanted, self._calls, self._begun = wanted, 0, 0.0
        self.plain: PlainLoop | None = None
        self.now: Clock = time.perf_counter
        self.found: list[float] = []
        self.theirs: list[float] = []
        self.before = 0.0

    def __call__(self, images: torch.Tensor, generator: Any) -> torch.Tensor:
        steps = self._calls - WARM
        self._calls += 1
        if steps >= 0 and steps % self._together == 0:
            wait_for(self._device)
            now = self.now()
            if steps:
                self.found.append((now - self._begun) / self._together)
                if self.plain is not None:
                    self.theirs.append(self._plain_steps(images))
            else:
                reset_peak_memory(self._device)
                self.before = resident_mb(self._device)
            if len(self.found) >= self._wanted:
                raise _Enough
            self._begun = self.now()
        return self._loss(images, generator)

    def _plain_steps(self, images: torch.Tensor) -> float:
        assert self.plain is not None
        begun = self.now()
        for _ in range(self._together):
            self.plain.step(images, self._training)
        wait_for(self._device)
        return (self.now() - begun) / self._together


def measure_training(
    detector: SliceDetector,
    volume: Volume,
    training: TrainingConfig,
    accelerator: Accelerator,
    *,
    repeats: int,
    limit: float,
    plain: PlainLoop | None = None,
    clock: Clock = time.perf_counter,
) -> TrainingSpeed:
    """Measure how long a training step takes, in turn with the plain loop's where one is given.

    Parameters
    ----------
    detector : SliceDetector
        With its network; left with other weights.
    volume, training, accelerator
        Slices; batch size, optimiser and augmentation; device and precision.
    repeats : int
        How often; the median counts.
    limit : float
        Seconds for all of it, about: where a step takes longer, one of fewer slices is measured, and scaled.
    plain : PlainLoop or None
        What to measure in turn with it.
    clock : callable
        Tells seconds.
    """
    share = limit / (repeats + WARM) / (1 if plain is None else 2)

    def clocked(slices: int, wanted: int, loop: PlainLoop | None = None) -> _Stopwatch:
        settings = training.model_copy(
            update={"batch_size": slices, "steps": 10**6, "epochs": None, "minutes": None}
        )
        watch = _Stopwatch(detector, training, accelerator.device, wanted)
        watch.plain, watch.now = loop, clock
        store = SyntheticStore(volume, min(MOST_SLICES, max(2 * slices, 64)))
        with tempfile.TemporaryDirectory() as folder:
            progress = Path(folder) / "progress.safetensors"
            trainer = Trainer(accelerator, settings, 0, progress, Console(quiet=True))
            seen = StoredSlices(cast("SliceStore", store))
            detector.gather(seen, trainer)
            detector.loss = watch  # type: ignore[method-assign, assignment]
            with suppress(_Enough):
                trainer.train(detector, seen)
            del detector.loss
        return watch

    batch = training.batch_size
    part = part_within(batch, share, lambda slices: clocked(slices, 1).found[0])
    first = clocked(part, 1)
    memory = peak_memory_mb(accelerator.device), first.before
    watch = clocked(part, repeats, plain)
    said = "" if part == batch else f"{part} of {batch} slices"
    theirs = pace_of(watch.theirs, batch / part, said) if watch.theirs else None
    return TrainingSpeed(pace_of(watch.found, batch / part, said, memory), batch, theirs)
