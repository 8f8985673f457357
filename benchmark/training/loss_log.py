"""The loss curve of a training, read from the device seldom: whoever reads a number waits for all work before it."""

from __future__ import annotations

from typing import Any

import torch

from andi_bench.errors import UserError

CURVE_COLUMNS = ("step", "epoch", "loss", "learning_rate", "seconds")
_READ_EVERY = 50
"""Steps between two readings on an accelerator."""


class LossLog:
    """Mean losses of intervals of a training.

    Parameters
    ----------
    accelerator : Accelerator
        Its processes' losses are averaged.
    every : int
        Steps to an interval.
    curve : list of list of float
        Receives a row for each interval, of :data:`CURVE_COLUMNS`.
    tracker : str or None
        Name of a tracker, initialised on the accelerator.
    """

    def __init__(
        self, accelerator: Any, every: int, curve: list[list[float]], tracker: str | None
    ) -> None:
        self._accelerator, self._curve, self._tracker = accelerator, curve, tracker
        self._every = every
        intervals = 1 if accelerator.device.type == "cpu" else max(1, _READ_EVERY // every)
        self._read_every = every * intervals
        self._interval: list[torch.Tensor] = []
        self._means: list[torch.Tensor] = []
        self._rows: list[list[float]] = []
        self.note = ""
        """The last loss read, for a progress bar."""

    @property
    def read(self) -> bool:
        """Whether all losses are in the curve."""
        return not self._interval and not self._rows

    def add(self, loss: torch.Tensor, row: list[float], *, last: bool, stop: bool) -> None:
        """Take the loss of a step, a scalar; read what is whole where the time has come.

        Parameters
        ----------
        row : list of float
            Step, epoch, learning rate, seconds.
        last : bool
            Whether the training ends here, and with it the interval.
        stop : bool
            Whether it is interrupted here; an interval begun is forgotten.

        Raises
        ------
        UserError
            When a mean that is read is not finite; names its step.
        """
        self._interval.append(loss)
        step = int(row[0])
        if step % self._every == 0 or last:
            self._means.append(torch.stack(self._interval).mean())
            self._interval.clear()
            self._rows.append(row)
        if self._rows and (step % self._read_every == 0 or last or stop):
            self._read()

    def _read(self) -> None:
        means = self._accelerator.reduce(torch.stack(self._means), "mean").tolist()
        for mean, (step, epoch, rate, seconds) in zip(means, self._rows, strict=True):
            if not torch.isfinite(torch.tensor(mean)):
                raise UserError(
                    f"training: the loss is not finite at step {int(step)}; "
                    "lower training.learning_rate or set training.gradient_clip"
                )
            self._curve.append([step, epoch, mean, rate, seconds])
            if self._tracker:
                values = {"loss": mean, "learning_rate": rate}
                self._accelerator.log(values, step=int(step))
        self.note = f"loss {means[-1]:.4f}"
        self._means.clear()
        self._rows.clear()
