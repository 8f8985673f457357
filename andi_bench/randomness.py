"""Random numbers that depend on what is computed, never on how the work is cut into batches.

Every slice has a generator of its own, seeded by a hash of (run seed, subject, slice, purpose). A map
is therefore the same whatever the batch size, the number of processes or the order of the subjects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch


def derive_seed(*parts: object) -> int:
    """Hash the parts to a seed in [0, 2**63).

    The hash is of the parts' text, so it is the same on every machine and in every process.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


class SliceGenerator:
    """One random stream per slice of a batch, on the batch's device.

    Parameters
    ----------
    seeds : sequence of int
        One seed per slice; see :func:`derive_seed`.
    device : torch.device or str
        Where the numbers are drawn.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.seeds = tuple(seeds)
        self._streams = [torch.Generator(self.device).manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, *shape: int) -> torch.Tensor:
        """Draw N(0, 1), float32 (N, *shape): each slice from its own stream."""
        out = torch.empty((len(self), *shape), device=self.device)
        for row, stream in zip(out, self._streams, strict=True):
            row.normal_(generator=stream)
        return out

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Draw U[low, high), float32 (N, *shape)."""
        out = torch.empty((len(self), *shape), device=self.device)
        for row, stream in zip(out, self._streams, strict=True):
            row.uniform_(low, high, generator=stream)
        return out

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Draw integers in [low, high), int64 (N, *shape)."""
        draws = [
            torch.randint(low, high, shape, generator=stream, device=self.device)
            for stream in self._streams
        ]
        return torch.stack(draws)

    def fork(self, purpose: str) -> SliceGenerator:
        """Return fresh streams for another purpose, independent of how far these have been drawn."""
        return SliceGenerator([derive_seed(seed, purpose) for seed in self.seeds], self.device)
