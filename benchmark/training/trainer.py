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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from andi_bench.config import TrainingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator, derive_seed
from benchmark.training.augmentation.pipeline import augment
from benchmark.training.slice_order import slice_order
from benchmark.training.state import MovingAverage, Progress, load_progress, save_progress
from benchmark.training.stored_slices import StoredSlices
from methods.base import SliceDetector, Slices

CURVE_COLUMNS = ("step", "epoch", "loss", "learning_rate", "seconds")


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


class _Stream:
    """The share of each batch that falls to one process, read while the last one trains."""

    def __init__(
        self,
        slices: StoredSlices,
        seed: int,
        config: TrainingConfig,
        accelerator: Accelerator,
        step: int,
    ) -> None:
        self._store = slices.store
        self._seed, self._batch = seed, config.batch_size
        self._order = slice_order(config.sampling, slices.store, seed)
        self._rank, self._world = accelerator.process_index, accelerator.num_processes
        self._pool = ThreadPoolExecutor(1)
        self._next = self._submit(step)

    def _submit(self, step: int) -> Future[tuple[list[int], torch.Tensor]]:
        return self._pool.submit(self._read, step)

    def _read(self, step: int) -> tuple[list[int], torch.Tensor]:
        first = step * self._batch
        order = self._order(first, first + self._batch)
        places = range(self._rank, self._batch, self._world)
        seeds = [derive_seed(self._seed, "training", first + place) for place in places]
        images = self._store.read(order[self._rank :: self._world])
        return seeds, torch.from_numpy(images)

    def take(self, step: int) -> tuple[list[int], torch.Tensor]:
        """Return seeds and slices of a step; steps must be asked for in order."""
        batch = self._next.result()
        self._next = self._submit(step + 1)
        return batch

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


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
        network = detector.net
        prepared, optimizer = self.accelerator.prepare(network, self._optimizer(network))
        if self.config.compile:
            prepared.compile()
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
        )
        return optimizer

    def budget(self, count: int) -> int | None:
        """Return the number of steps that ``count`` slices and the budget make; None for minutes alone."""
        limits = []
        if self.config.steps is not None:
            limits.append(self.config.steps)
        if self.config.epochs is not None:
            limits.append(max(1, math.ceil(self.config.epochs * count / self.config.batch_size)))
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
        stream = _Stream(slices, self.seed, config, self.accelerator, state.step)
        started = saved = time.monotonic()
        before = state.seconds
        losses: list[torch.Tensor] = []
        with _stop_requests() as stopped, self._bar(total) as advance:
            advance(state.step, "")
            done = self._done(state.step, total, before)
            note = ""
            while done < 1.0:
                rate = learning_rate(config, done, span)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                seeds, images = stream.take(state.step)
                losses.append(self._step(detector, seeds, images, optimizer, network))
                state.step += 1
                if average is not None:
                    average.update(network, state.step)
                state.seconds = before + time.monotonic() - started
                done = self._done(state.step, total, state.seconds)
                if state.step % every == 0 or done >= 1.0:
                    mean = self._mean(losses)
                    losses.clear()
                    note = f"loss {mean:.4f}"
                    row = [state.step, state.step / per_epoch, mean, rate, state.seconds]
                    state.curve.append(row)
                    if self.tracker:
                        values = {"loss": mean, "learning_rate": rate}
                        self.accelerator.log(values, step=state.step)
                advance(1, note)
                stop = self._agreed(stopped())
                # Losses of a half-finished interval are not kept: save where one ends.
                due = not losses and time.monotonic() - saved > 60 * config.checkpoint_minutes
                if stop or due:
                    self._save(network, optimizer, average)
                    saved = time.monotonic()
                if stop and done < 1.0:
                    stream.close()
                    raise Interrupted(f"stopped at step {state.step}; the same command goes on")
        stream.close()

    def _step(
        self,
        detector: SliceDetector,
        seeds: list[int],
        images: torch.Tensor,
        optimizer: Any,
        network: torch.nn.Module,
    ) -> torch.Tensor:
        images = images.to(self.device, non_blocking=True)
        generator = SliceGenerator(seeds, self.device)
        if self.config.flip:
            flipped = generator.fork("flip").uniform() < 0.5
            images = torch.where(flipped[:, None, None, None], images.flip(-2), images)
        if self.config.augmentation.active:
            images = augment(images, generator, self.config.augmentation)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seeds[0])  # dropout, where a network has it, draws from here
            with self.accelerator.autocast():
                loss = detector.loss(images, generator)
            self.accelerator.backward(loss)
        if self.config.gradient_clip is not None:
            self.accelerator.clip_grad_norm_(network.parameters(), self.config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    def _done(self, step: int, total: int | None, seconds: float) -> float:
        """Share of the budget spent, the same on all processes."""
        done = step / total if total else 0.0
        if self.config.minutes is not None:
            done = max(done, seconds / (60 * self.config.minutes))
            if self.accelerator.num_processes > 1:
                done = float(broadcast(torch.tensor(done, device=self.device)))
        return done

    def _agreed(self, stop: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return stop
        votes = self.accelerator.reduce(torch.tensor(float(stop), device=self.device), "sum")
        return bool(votes > 0)

    def _mean(self, losses: list[torch.Tensor]) -> float:
        mean = self.accelerator.reduce(torch.stack(losses).mean(), "mean")
        if not torch.isfinite(mean):
            raise UserError(
                f"training: the loss is not finite at step {self.state.step}; "
                "lower training.learning_rate or set training.gradient_clip"
            )
        return float(mean)

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
