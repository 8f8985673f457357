"""Checks of the configuration, and of what is learnt: the loss falls, the state is whole, a stop does no harm."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from andi_bench.console import Advance, Console
from andi_bench.names import counted, part_of
from andi_bench.randomness import SliceGenerator, derive_seed
from benchmark.conformance.candidate import SEED, STEPS, Candidate, settle
from benchmark.conformance.outcome import Failed, NotApplicable, require_equal_maps
from benchmark.training.state import save_tensors
from benchmark.training.trainer import Interrupted
from benchmark.training.trainings import load_model
from methods.base import AnomalyDetector, SliceDetector, Slices

SLICES = 48
"""Slices on which the loss is measured before and after the training."""


def configuration_schema(candidate: Candidate) -> str:
    """Check that the defaults build, that each hyper-parameter says what it is, and an unknown one is refused."""
    cls = candidate.cls
    name = getattr(cls, "name", None)
    if name != candidate.method:
        raise Failed(f"the class is named {name!r}, '{candidate.method}' wanted: @register it so")
    cls.Config()
    fields = cls.Config.model_fields
    bare = [key for key, field in fields.items() if not field.description]
    if bare:
        raise Failed(f"{len(bare)} of {len(fields)} fields without description: {', '.join(bare)}")
    unknown = "no_such_hyper_parameter"
    try:
        cls.Config.model_validate({unknown: 1})
    except ValidationError:
        return f"{len(fields)} of {len(fields)} fields described; an unknown key is refused"
    raise Failed(f"the unknown key '{unknown}' is accepted: derive Config from DetectorConfig")


def training_lowers_loss(candidate: Candidate) -> str:
    """Check that the mean loss on fixed slices and fixed noise is lower after the training than before."""
    if not candidate.has_network:
        raise NotApplicable("no network that the engine trains")
    if "loss" not in _defined(candidate.cls) and "fit" in _defined(candidate.cls):
        raise NotApplicable("the detector trains its network by a fit() of its own, without loss()")
    before = mean_loss(candidate, candidate.build())
    after = mean_loss(candidate, candidate.trained)
    steps = candidate.run.training.steps or STEPS
    found = f"mean loss {before:.4g} before, {after:.4g} after {steps} steps"
    if not after < before:
        raise Failed(f"{found}: a lower one wanted")
    return found


def _defined(cls: type[AnomalyDetector]) -> set[str]:
    """Names that a class or its parents define below :class:`SliceDetector`."""
    own = [base for base in cls.__mro__ if base not in SliceDetector.__mro__]
    return {name for base in own for name in vars(base)}


class _Gathering:
    """What a detector is lent that looks over the slices and learns nothing."""

    seed, device = SEED, torch.device("cpu")

    def progress(self, slices: Slices) -> Slices:
        """Return the slices: nothing is shown."""
        return slices

    def train(self, detector: SliceDetector, slices: Slices) -> None:
        """Refuse."""
        raise Failed(f"{type(detector).__name__}.gather() trains: that is for fit()")


def mean_loss(candidate: Candidate, detector: AnomalyDetector) -> float:
    """Return the mean loss over fixed slices and noise, the network in evaluation mode."""
    assert isinstance(detector, SliceDetector)
    slices = candidate.phantom.slices(candidate.run.preprocessing)
    detector.gather(slices, _Gathering())
    store = slices.store
    places = np.linspace(0, len(store) - 1, min(SLICES, len(store))).astype(np.int64)
    parts = np.array_split(places, max(1, len(places) // 16))
    losses = []
    for part in parts:
        generator = SliceGenerator([derive_seed(SEED, "loss", int(k)) for k in part])
        loss = detector.loss(torch.from_numpy(store.read(part)), generator)
        losses.append(float(loss.detach()) * len(part))
    return sum(losses) / len(places)


def state_is_whole(candidate: Candidate) -> str:
    """Check that the state, loaded into a new detector of another seed, gives the very same map."""
    if not candidate.cls.learns():
        raise NotApplicable("the detector learns nothing")
    volume, _ = candidate.phantom.volumes(candidate.run.preprocessing)
    state = candidate.trained.state()
    path = Path(tempfile.mkdtemp(dir=candidate.folder)) / "model.safetensors"
    save_tensors(state, path, {})
    other = candidate.build(seed=SEED + 1)
    load_model(other, path, torch.device("cpu"))
    settle(other, candidate.phantom, candidate.run)
    require_equal_maps(
        candidate.score(candidate.trained, volume),
        candidate.score(other, volume),
        f"state of {counted(len(state), 'tensor')}, saved and loaded",
    )
    return f"{counted(len(state), 'tensor')}, saved and loaded: the same map"


class _Stopping(Console):
    """Asks the training to stop after some steps, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        super().__init__(quiet=True)
        self._step = step

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """Count the steps of a training."""
        done = 0

        def advance(count: int, text: str) -> None:
            nonlocal done
            done += count
            if count and done == self._step and title.startswith("training"):
                signal.raise_signal(signal.SIGINT)

        yield advance


def resumes_exactly(candidate: Candidate) -> str:
    """Check that a training that is stopped half-way and goes on ends with the state of one that was not."""
    if not candidate.cls.learns():
        raise NotApplicable("the detector learns nothing")
    whole = candidate.trained.state()
    half = (candidate.run.training.steps or STEPS) // 2
    progress = Path(tempfile.mkdtemp(dir=candidate.folder)) / "progress.safetensors"
    how = f"stopped at step {half} and resumed"
    try:
        candidate.learn(progress=progress, console=_Stopping(half))
        how = "learnt twice"  # without the engine's loop there is nothing to resume
    except Interrupted:
        pass
    again = candidate.learn(progress=progress).state()
    if whole.keys() != again.keys():
        raise Failed(f"{how}: other tensors: {', '.join(sorted(whole.keys() ^ again.keys()))}")
    other = [key for key in whole if not torch.equal(whole[key], again[key])]
    if other:
        gap = max(float((whole[k].double() - again[k].double()).abs().max()) for k in other)
        raise Failed(
            f"{how}: {part_of(len(other), len(whole), 'tensor', 'differs', 'differ')}, by up to {gap:.2g} "
            f"(first: {other[0]}); sums in float64 and randomness from the given streams alone do not differ"
        )
    return f"{how}: {counted(len(whole), 'tensor')}, all identical"
