"""The training loop that all detectors share, on one process or many, with exact resume.

Order, flips, augmentation and noise of a step depend on (seed, step) alone, so the state of a training is its network,
optimiser, moving average and step: a training that was killed goes on to the very weights it would have had.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from andi_bench.arithmetic.denormals import denormals_as_zero
from andi_bench.config import TrainingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from benchmark.scoring.network_form import compile_network
from benchmark.training.augmentation.pipeline import augment
from benchmark.training.batches import Batches
from benchmark.training.loss_log import LossLog
from benchmark.training.state import MovingAverage, Progress, load_progress, save_progress
from benchmark.training.stored_slices import StoredSlices
from methods.base import SliceDetector, Slices

_AGREE_EVERY = 10
"""Steps after which several processes agree on the time and on whether to stop."""


class Interrupted(Exception):
    """The user stopped a training; its state is saved."""


def learning_rate(config: TrainingConfig, done: float, span: float) -> float:
    """Return the learning rate at a point of the training.

    Linear warm-up from ``start_learning_rate`` over the first ``warmup`` share, then a cosine back to it.

    Parameters
    ----------
    done : float
        Share of the training done, in [0, 1].
    span : float
        Length of the cosine, in units of the whole training; 1 unless ``schedule_epochs`` is set.
    """
    low, peak = config.start_learning_rate, config.learning_rate
    if done < config.warmup:
        return low + (peak - low) * done / config.warmup
    if config.schedule == "constant":
        return peak
    angle = math.pi * min(1.0, (done - config.warmup) / max(span - config.warmup, 1e-12))
    return low + (peak - low) * (1 + math.cos(angle)) / 2


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C and SIGTERM into a question that the loop asks between two steps."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    previous = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@dataclass
class Trainer:
    """Trains a detector's network; implements :class:`methods.base.FitContext`.

    Parameters
    ----------
    accelerator : Accelerator
        Device, processes and precision.
    config : TrainingConfig
        Budget and optimiser.
    seed : int
        Seeds order, flips and noise.
    progress_file : Path
        Where the state is kept while the training runs.
    console : Console
        Where to show progress.
    tracker : str or None
        Name of a tracker that accelerate knows, already initialised on the accelerator.
    """

    accelerator: Accelerator
    config: TrainingConfig
    seed: int
    progress_file: Path
    console: Console
    tracker: str | None = None

    def __post_init__(self) -> None:
        self.device = self.accelerator.device
        self.state = Progress()

    def progress(self, slices: Slices) -> Slices:
        """Return the same slices, shown as a progress bar while they are read."""
        return slices.shown_on(self.console) if isinstance(slices, StoredSlices) else slices

    def train(self, detector: SliceDetector, slices: Slices) -> None:
        """Train ``detector.net`` on ``detector.loss``; leaves the moving average in ``detector.net``.

        Raises
        ------
        UserError
            When no budget is set, the batch does not divide over the processes, or the loss is not finite.
        Interrupted
            When the user stops it; the state is saved.
        """
        if not isinstance(slices, StoredSlices):
            raise TypeError("the engine trains on the slices that it gave to fit()")
        batch = self.config.batch_size
        if batch % self.accelerator.num_processes:
            raise UserError(
                f"training.batch_size = {batch}: a multiple of the "
                f"{self.accelerator.num_processes} processes wanted"
            )
        if self.config.accumulate > batch // self.accelerator.num_processes:
            raise UserError(
                f"training.accumulate = {self.config.accumulate}: at most the "
                f"{batch // self.accelerator.num_processes} slices of a step of a process wanted"
            )
        network = detector.net
        prepared, optimizer = self.accelerator.prepare(network, self._optimizer(network))
        compile_network(prepared, self.config.compile)
        average = None
        if self.config.ema_decay is not None:
            average = MovingAverage(network, self.config.ema_decay, self.config.ema_start)
        if self.progress_file.is_file():
            self.state = load_progress(self.progress_file, network, optimizer.optimizer, average)
            self._restore_scaler()
            self.console.note(f"training goes on from step {self.state.step}")
        detector.net = prepared
        prepared.train()
        try:
            with denormals_as_zero():
                self._loop(detector, slices, optimizer, average, network)
        finally:
            # accelerate's autocast stays on the network itself, and would be on for scoring too.
            self.accelerator.unwrap_model(prepared, keep_fp32_wrapper=False)
            network._compiled_call_impl = None
            detector.net = network
        if average is not None:
            network.load_state_dict(average.values)
        network.eval()

    def _optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        kinds: dict[str, Any] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
        optimizer: torch.optim.Optimizer = kinds[self.config.optimizer](
            network.parameters(),
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            amsgrad=self.config.amsgrad,
            fused=self.device.type in ("cpu", "cuda"),  # one pass over the memory of each tensor
        )
        return optimizer

    def budget(self, count: int) -> int | None:
        """Return the number of steps that ``count`` slices and the budget make; None for minutes alone."""
        limits = []
        if self.config.steps is not None:
            limits.append(self.config.steps)
        if self.config.epochs is not None:
            each = count / self.config.batch_size
            each = math.ceil(each) if self.config.published_epochs else each
            limits.append(max(1, math.ceil(self.config.epochs * each)))
        if not limits and self.config.minutes is None:
            raise UserError("training: one of steps, epochs and minutes must be set")
        return min(limits) if limits else None

    def _loop(
        self,
        detector: SliceDetector,
        slices: StoredSlices,
        optimizer: Any,
        average: MovingAverage | None,
        network: torch.nn.Module,
    ) -> None:
        config, state = self.config, self.state
        total = self.budget(len(slices))
        per_epoch = len(slices) / config.batch_size
        span = 1.0
        if config.schedule_epochs is not None and total is not None:
            span = config.schedule_epochs * per_epoch / total
        every = max(1, min(50, total // 100)) if total else 20
        losses = LossLog(self.accelerator, every, state.curve, self.tracker)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        batches = Batches(slices.store, self.seed, config, self.device, rank, world, state.step)
        started = saved = time.monotonic()
        before = state.seconds
        devices = [self.device] if self.device.type == "cuda" else []
        # What a network draws of its own, such as dropout, comes from the global generator, seeded at every step.
        with (
            torch.random.fork_rng(devices=devices),
            _stop_requests() as stopped,
            self._bar(total) as advance,
        ):
            advance(state.step, "")
            spent = self._time_spent()
            done = max(state.step / total if total else 0.0, spent)
            while done < 1.0:
                rate = learning_rate(config, done, span)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                seeds, images = batches.take(state.step)
                loss = self._step(detector, seeds, images, optimizer, network)
                state.step += 1
                if average is not None:
                    average.update(state.step)
                state.seconds = before + time.monotonic() - started
                spent, stop = self._agreed(spent, stopped())
                done = max(state.step / total if total else 0.0, spent)
                row = [state.step, state.step / per_epoch, rate, state.seconds]
                losses.add(loss, row, last=done >= 1.0, stop=stop)
                advance(1, losses.note)
                # Losses that are not read yet are not kept: save where they are.
                due = losses.read and time.monotonic() - saved > 60 * config.checkpoint_minutes
                if stop or due:
                    self._save(network, optimizer, average)
                    saved = time.monotonic()
                if stop and done < 1.0:
                    batches.close()
                    raise Interrupted(f"stopped at step {state.step}; the same command goes on")
        batches.close()

    def _step(
        self,
        detector: SliceDetector,
        seeds: list[int],
        images: torch.Tensor,
        optimizer: Any,
        network: torch.nn.Module,
    ) -> torch.Tensor:
        """Take one step of the optimiser; return the loss, a scalar on the device that nobody waits for."""
        generator = SliceGenerator(seeds, self.device)
        if self.config.flip:
            flipped = generator.fork("flip").uniform() < 0.5
            images = torch.where(flipped[:, None, None, None], images.flip(-2), images)
        if self.config.augmentation.active:
            images = augment(images, generator, self.config.augmentation)
        torch.manual_seed(seeds[0])
        if self.config.compile == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()  # what the last step's graphs left is done with
        loss = self._gradients(detector, images, generator)
        if self.config.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(network.parameters(), self.config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    def _gradients(
        self, detector: SliceDetector, images: torch.Tensor, generator: SliceGenerator
    ) -> torch.Tensor:
        """Add up the gradients of a batch, part by part; return its loss, a scalar."""
        edges = np.linspace(0, len(images), self.config.accumulate + 1).round().astype(int).tolist()
        parts = [range(*edge) for edge in pairwise(edges)]
        total: torch.Tensor | None = None
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            # Processes exchange gradients once a step.
            waits = nullcontext() if last else self.accelerator.no_sync(detector.net)
            whole = len(parts) == 1
            with waits:
                with self.accelerator.autocast():
                    loss = detector.loss(
                        images if whole else images[part.start : part.stop],
                        generator if whole else generator.chosen(part),
                    )
                if not whole:
                    loss = loss * (len(part) / len(images))
                self.accelerator.backward(loss)
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total

    def _time_spent(self) -> float:
        """Share of the minutes spent, by this process's clock; 0 where they are not limited."""
        return self.state.seconds / (60 * self.config.minutes) if self.config.minutes else 0.0

    def _agreed(self, spent: float, stop: bool) -> tuple[float, bool]:
        """Return the share of the minutes spent and whether to stop, the same on all processes.

        Several processes ask one another every few steps, for each answer is waited for; between, they go on with the last.
        """
        if self.accelerator.num_processes == 1:
            return self._time_spent(), stop
        if self.state.step % _AGREE_EVERY:
            return spent, False
        own = self._time_spent() if self.accelerator.is_main_process else 0.0
        votes = torch.tensor([own, float(stop)], device=self.device)
        clock, stops = self.accelerator.reduce(votes, "sum").tolist()
        return clock, stops > 0

    def _save(
        self, network: torch.nn.Module, optimizer: Any, average: MovingAverage | None
    ) -> None:
        if not self.accelerator.is_main_process:
            return
        if self.accelerator.scaler is not None:
            self.state.scaler = self.accelerator.scaler.state_dict()
        save_progress(self.progress_file, network, optimizer.optimizer, average, self.state)

    def _restore_scaler(self) -> None:
        if self.accelerator.scaler is not None and self.state.scaler:
            self.accelerator.scaler.load_state_dict(self.state.scaler)

    @contextmanager
    def _bar(self, total: int | None) -> Iterator[Callable[[int, str], None]]:
        if total is not None:
            with self.console.progress("training", total) as advance:
                yield advance
            return
        seconds = int(60 * (self.config.minutes or 0))
        with self.console.progress("training (seconds)", seconds) as advance:
            shown = 0

            def tick(count: int, text: str) -> None:
                nonlocal shown
                now = min(seconds, int(self.state.seconds))
                advance(now - shown, f"step {self.state.step} {text}")
                shown = now

            yield tick
