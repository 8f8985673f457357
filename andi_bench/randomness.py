"""Random numbers that depend on what is computed, never on how the work is cut into batches.

Every slice has a generator of its own, seeded by a hash of (run seed, subject, slice, purpose). A map
is therefore the same whatever the batch size, the number of processes or the order of the subjects.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def derive_seed(*parts: object) -> int:
    """Hash the parts to a seed in [0, 2**63).

    The hash is of the parts' text, so it is the same on every machine and in every process.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's output for each state."""
    z = (state ^ (state >> _SHIFTS[0])) * _FACTORS[0]
    z = (z ^ (z >> _SHIFTS[1])) * _FACTORS[1]
    return z ^ (z >> _SHIFTS[2])


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

    @cached_property
    def _streams(self) -> list[torch.Generator]:
        return [torch.Generator(self.device).manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

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

    def counted(
        self, purpose: str, *shape: int, low: float = 0.0, high: float = 1.0
    ) -> torch.Tensor:
        """Draw U[low, high], float32 (N, *shape), for another purpose, independent of how far the streams are drawn.

        The same on every device, and one computation for all slices: number k is the k-th of SplitMix64 (Steele, Lea and
        Flood, Fast splittable pseudorandom number generators, OOPSLA 2014), seeded by slice and purpose. For the few
        numbers that say how a slice is changed; each has 24 random bits.
        """
        count = math.prod(shape)
        key = np.uint64(derive_seed(purpose))
        seeds = _mixed(np.array(self.seeds, dtype=np.uint64) ^ key)
        places = np.arange(1, count + 1, dtype=np.uint64) * _STEP
        bits = _mixed(seeds[:, None] + places) >> np.uint64(40)
        drawn = low + (high - low) * (bits.astype(np.float64) * 2.0**-24)
        return torch.from_numpy(drawn.astype(np.float32)).reshape(len(self), *shape).to(self.device)

    def fork(self, purpose: str) -> SliceGenerator:
        """Return fresh streams for another purpose, independent of how far these have been drawn."""
        return self.forks([purpose])

    def forks(self, purposes: Sequence[str]) -> SliceGenerator:
        """Return fresh streams for several purposes at once, purpose by purpose.

        With N streams, stream d * N + n is that of slice n for ``purposes[d]``, as :meth:`fork` gives it.
        """
        seeds = [derive_seed(seed, purpose) for purpose in purposes for seed in self.seeds]
        return SliceGenerator(seeds, self.device)
