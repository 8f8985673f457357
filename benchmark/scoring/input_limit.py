"""How many inputs a network is given at once: as asked, as memory holds, fewer after memory ran out."""

from __future__ import annotations

from typing import Literal

import torch

from andi_bench.errors import UserError

ON_CPU = 16
"""Inputs at once on a CPU: more are not faster, and take memory."""
FIRST = 64
"""Inputs at once on an accelerator until it is known what one takes."""
MOST = 1024
"""Inputs at once on an accelerator at most, where they are found automatically."""
_SHARE = 0.7
"""Share of the accelerator's free memory that is filled."""


class InputLimit:
    """The number of inputs given to a network at once; one object serves all volumes of a run.

    Parameters
    ----------
    asked : int or "auto"
        ``scoring.batch_size``. On a CPU no more than :data:`ON_CPU` are given at once, whatever is asked for.
    device : torch.device
        Where the network is.
    """

    def __init__(self, asked: int | Literal["auto"], device: torch.device) -> None:
        self._automatic = asked == "auto"
        self._device = device
        most = ON_CPU if device.type == "cpu" else FIRST
        self.value = most if asked == "auto" else asked
        if device.type == "cpu":
            self.value = min(self.value, most)

    def halve(self, whose: str) -> None:
        """Take half as many from now on.

        Raises
        ------
        UserError
            When it was one.
        """
        if self.value == 1:
            raise UserError(
                f"{whose}: memory does not suffice for one input of the network; a smaller preprocessing.size or "
                "--device cpu wanted"
            )
        self.value //= 2
        self._automatic = False
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def learn(self, taken: int, inputs: int, free: int) -> None:
        """Fill the accelerator from now on, where the number is found automatically.

        Parameters
        ----------
        taken : int
            Bytes that scoring took at most, beside the network itself.
        inputs : int
            Inputs that were given at once then.
        free : int
            Bytes that they may take together.
        """
        if not self._automatic or taken <= 0 or not inputs:
            return
        self._automatic = False
        fitting = int(_SHARE * free * inputs / taken)
        self.value = max(1, min(MOST, fitting))


class MemoryWatch:
    """Measures on an accelerator what scoring takes; on a CPU nothing, for nothing depends on it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0
        if device.type == "cuda":
            self._before = torch.cuda.memory_allocated(device)

    def tell(self, limit: InputLimit, inputs: int) -> None:
        """Tell a limit what so many inputs at once took since the watch began."""
        if self._device.type != "cuda":
            return
        free, _ = torch.cuda.mem_get_info(self._device)
        held = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        taken = torch.cuda.max_memory_allocated(self._device) - self._before
        limit.learn(taken, inputs, free + held)
