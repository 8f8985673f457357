"""What a training needs to go on exactly where it stopped: one safetensors file, never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from andi_bench.errors import UserError
from andi_bench.files import partial_file


class MovingAverage:
    """Exponential moving average of a network's parameters and buffers.

    Up to ``start`` steps the average is a copy of the network; from then on
    ``average = decay * average + (1 - decay) * network``. The step is the training's own, so a resumed training
    does not start copying again.

    Parameters
    ----------
    network : nn.Module
        The network to follow.
    decay : float
        In (0, 1).
    start : int
        Step from which the average is kept.
    """

    def __init__(self, network: nn.Module, decay: float, start: int) -> None:
        self.decay = decay
        self.start = start
        self._values = {key: value.detach().clone() for key, value in network.state_dict().items()}
        self._followed = network.state_dict()
        floating = [key for key, value in self._values.items() if value.is_floating_point()]
        self._averaged = (
            [self._values[key] for key in floating],
            [self._followed[k] for k in floating],
        )
        self._copied = [key for key in self._values if key not in set(floating)]
        self._behind = False

    @property
    def values(self) -> dict[str, torch.Tensor]:
        """The average by name; to be read or written in place."""
        if self._behind:
            self._copy()
        return self._values

    @torch.no_grad()
    def _copy(self) -> None:
        for key, value in self._followed.items():
            self._values[key].copy_(value)
        self._behind = False

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the network after optimiser step number ``step`` (the first is 1)."""
        if step <= self.start:
            # A copy is made when it is read, or when the average begins.
            self._behind = True
            if step == self.start:
                self._copy()
            return
        for key in self._copied:
            self._values[key].copy_(self._followed[key])
        torch._foreach_lerp_(*self._averaged, 1.0 - self.decay)


@dataclass
class Progress:
    """How far a training has come.

    Parameters
    ----------
    step : int
        Optimiser steps done.
    seconds : float
        Wall-clock seconds spent, over all its parts.
    curve : list of [step, epoch, loss, learning rate, seconds]
        The loss curve so far.
    scaler : dict
        State of the fp16 loss scaler, where one is used.
    """

    step: int = 0
    seconds: float = 0.0
    curve: list[list[float]] = field(default_factory=list)
    scaler: dict[str, float] = field(default_factory=dict)


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file atomically.

    Raises
    ------
    UserError
        When the file cannot be written (no space, no permission).
    """
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    try:
        with partial_file(path) as temporary:
            save_file(plain, temporary, metadata)
    except SafetensorError as error:
        raise UserError(f"{path}: cannot be written ({error})") from error


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a safetensors file: tensors and metadata.

    Raises
    ------
    UserError
        When the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (OSError, SafetensorError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path}: damaged checkpoint ({first}); delete it to train again"
        ) from error


def save_progress(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
    progress: Progress,
) -> None:
    """Write everything a training needs to go on."""
    tensors = {f"net.{key}": value for key, value in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{key}": value for key, value in average.values.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    save_tensors(tensors, path, {"progress": json.dumps(vars(progress))})


def load_progress(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: MovingAverage | None,
) -> Progress:
    """Bring network, optimiser and average back to where they were saved.

    Raises
    ------
    UserError
        When the file is damaged.
    """
    tensors, metadata = load_tensors(path)

    def group(name: str) -> dict[str, torch.Tensor]:
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    try:
        network.load_state_dict(group("net"))
        if average is not None:
            for key, value in group("average").items():
                average.values[key].copy_(value)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in group("optimizer").items():
            index, _, name = key.partition(".")
            state.setdefault(int(index), {})[name] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        _lay_out_as_parameters(optimizer)
        return Progress(**json.loads(metadata["progress"]))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged checkpoint; delete it to train again") from error


def _lay_out_as_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Give the moments of an optimiser the memory format of their parameters.

    A file holds them row by row. A fused optimiser goes through parameter, gradient and moments place by place in memory, so that
    moments of another format than channels-last parameters would belong to other weights, without an error.
    """
    for parameter, kept in optimizer.state.items():
        for name, value in kept.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
