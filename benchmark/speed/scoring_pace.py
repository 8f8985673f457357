"""Seconds and memory of scoring one volume, by the engine that a run scores with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmark.scoring.costs import peak_memory_mb, reset_peak_memory, rows_given
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.network_form import each_tensor
from benchmark.speed.machine import resident_mb, wait_for
from benchmark.speed.paces import Clock, Pace, pace_of, part_within
from benchmark.speed.plain_loops import PlainLoop
from benchmark.speed.synthetic_brain import filled_slices, with_slices
from datasets.volume import Volume
from methods.base import AnomalyDetector


class _TimeUp(Exception):
    """A pass is left: enough of it was seen."""


@dataclass(frozen=True)
class ScoringSpeed:
    """What scoring costs.

    Parameters
    ----------
    volume : Pace
        One volume.
    calls : float
        Network calls a slice with brain.
    slices : int
        Slices with brain.
    reference : Pace or None
        The plain loop's, over all slices; None where it was not asked for or is not written.
    """

    volume: Pace
    calls: float
    slices: int
    reference: Pace | None = None


@dataclass
class _Passes:
    """Times passes over some slices. A single slice that takes longer than ``share`` is left, and counts by its network calls.

    Parameters
    ----------
    score : callable
        Scores so many slices.
    net : nn.Module or None
        The network that is called meanwhile.
    calls : float
        How often a slice.
    share : float
        Seconds.
    device : torch.device
        Where it is scored.
    clock : callable
        Tells seconds.
    """

    score: Callable[[int], object]
    net: nn.Module | None
    calls: float
    share: float
    device: torch.device
    clock: Clock
    seen: int | None = None
    """Calls of the last pass before it was left; None for a whole one."""

    def timed(self, count: int) -> float:
        """Score so many slices; return seconds, scaled where the pass was left."""
        done, self.seen = 0, None
        wait_for(self.device)
        begun = self.clock()

        def watch(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            nonlocal done
            wait_for(self.device)
            if done and self.clock() - begun > self.share:
                raise _TimeUp
            done += rows_given(inputs, named)

        # Only a single slice is watched: of several, fewer can be taken.
        watched = self.net is not None and self.calls > 1 and count == 1
        handle = (
            self.net.register_forward_pre_hook(watch, with_kwargs=True)
            if watched and self.net
            else None
        )
        try:
            self.score(count)
        except _TimeUp:
            self.seen = done
        finally:
            if handle is not None:
                handle.remove()
        wait_for(self.device)
        seconds = self.clock() - begun
        return seconds if self.seen is None else seconds * self.calls / self.seen

    def said(self, count: int, whole: int) -> str:
        """Say what was measured of ``whole`` slices; "" for all."""
        out = "" if count == whole else f"{count} of {whole} slices"
        if self.seen is None:
            return out
        return f"{out or '1 slice'}, {self.seen} of its {self.calls:g} network calls"


def settle(detector: AnomalyDetector, volume: Volume, engine: ScoreEngine) -> None:
    """Calibrate a detector that needs it, on one slice and with a network that answers from memory: only the cost of scoring counts."""
    if not detector.needs_calibration:
        return
    with _answering_from_memory(getattr(detector, "net", None)):
        detector.calibration = detector.calibrate([with_slices(volume, 1)], engine)


def calls_a_slice(detector: AnomalyDetector, volume: Volume, engine: ScoreEngine) -> float:
    """Count the network's calls for one slice, in a pass whose network answers from memory; 0 without a network."""
    net: nn.Module | None = getattr(detector, "net", None)
    if net is None:
        return 0.0
    with _answering_from_memory(net):
        result = score_volume(detector, with_slices(volume, 1), engine)
    return result.network_calls / max(1, result.slices)


@contextmanager
def _answering_from_memory(net: nn.Module | None) -> Iterator[None]:
    """Let a network compute once for each shape of its input, and repeat itself afterwards."""
    if net is None:
        yield
        return
    forward, known = net.forward, {}
    own, compiled = vars(net).get("forward"), net._compiled_call_impl

    def answer(*inputs: Any, **named: Any) -> Any:
        given = (*inputs, *(named[name] for name in sorted(named)))
        key = tuple(tuple(x.shape) if isinstance(x, torch.Tensor) else None for x in given)
        if key not in known:
            known[key] = forward(*inputs, **named)
        return each_tensor(known[key], torch.Tensor.clone)

    net.forward, net._compiled_call_impl = answer, None
    try:
        yield
    finally:
        net._compiled_call_impl = compiled
        if own is None:
            del net.forward
        else:
            net.forward = own


def measure_scoring(
    detector: AnomalyDetector,
    volume: Volume,
    engine: ScoreEngine,
    *,
    repeats: int,
    limit: float,
    plain: tuple[PlainLoop, Volume] | None = None,
    clock: Clock = time.perf_counter,
) -> ScoringSpeed:
    """Measure how long one volume takes, in turn with the plain loop where one is given.

    Parameters
    ----------
    detector : AnomalyDetector
        Ready to score; what it has learnt does not matter.
    volume : Volume
        As the detector is given it.
    engine : ScoreEngine
        Device, batch size, precision.
    repeats : int
        How often; the median counts.
    limit : float
        Seconds for all of it, about: where all of the volume takes longer, some of its slices are measured; where one slice does,
        some of its network calls.
    plain : (PlainLoop, Volume) or None
        What to measure in turn with it, and the volume on the whole grid; slices without brain count there.
    clock : callable
        Tells seconds.
    """
    whole, depth, device = len(filled_slices(volume)), volume.shape[2], engine.device
    calls = calls_a_slice(detector, volume, engine)
    share = limit / (repeats + 1) / (1 if plain is None else 2)
    net = getattr(detector, "net", None)
    ours = _Passes(_scorer(detector, volume, engine), net, calls, share, device, clock)
    part = part_within(whole, share, ours.timed) if net is not None else whole
    if engine.batch_size < part < whole:  # whole batches: none is smaller than most of a run's
        part -= part % engine.batch_size
    ours.timed(part)  # warm, and the volume is cut
    reset_peak_memory(device)
    before = resident_mb(device)
    found = [ours.timed(part)]
    memory = peak_memory_mb(device), before
    same = depth if part == whole else part
    theirs = None
    if plain is not None:
        loop, uncut = plain
        theirs = _Passes(lambda n: loop.score(uncut, n), loop.net, calls, share, device, clock)
    plainly = [theirs.timed(same)] if theirs is not None else []
    for _ in range(repeats - 1):
        found.append(ours.timed(part))
        if theirs is not None:
            plainly.append(theirs.timed(same))
    reference = None
    if theirs is not None:
        reference = pace_of(plainly, depth / same, theirs.said(same, depth))
    pace = pace_of(found, whole / part, ours.said(part, whole), memory)
    return ScoringSpeed(pace, calls, whole, reference)


def _scorer(
    detector: AnomalyDetector, volume: Volume, engine: ScoreEngine
) -> Callable[[int], object]:
    """Return what scores so many slices of a volume; the volume is cut once for the same number."""
    parts: dict[int, Volume] = {}

    def score(count: int) -> object:
        if count not in parts:
            parts.clear()
            parts[count] = with_slices(volume, count)
        return score_volume(detector, parts[count], engine)

    return score
