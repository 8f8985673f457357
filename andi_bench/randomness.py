"""Random numbers that depend on what is computed, never on how the work is cut into batches.

Every slice has streams of its own, keyed by a hash of (run seed, subject, slice) and by what the numbers are for. A map is
therefore the same whatever the batch size, the number of processes or the order of the subjects. A number is a function of
its key, the draw and its place in it (:mod:`andi_bench.arithmetic.philox`), so that a batch is one computation.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.arithmetic.philox import numpy_words, tensor_words

VERSION = 2
"""Raised when the same seeds would give other numbers: trainings and maps that draw are then not found again. Version 1 had
a generator of torch for each slice."""

Convert = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], None]
"""Fills numbers from random bits."""

_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_CHUNK = 1 << 17
"""Words computed at once on the CPU: with all that is derived from them they stay in its cache."""

_kept = threading.local()


def derive_seed(*parts: object) -> int:
    """Hash the parts to a seed in [0, 2**63).

    The hash is of the parts' text, so it is the same on every machine and in every process.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's output for each state (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (state ^ (state >> _SHIFTS[0])) * _FACTORS[0]
    z = (z ^ (z >> _SHIFTS[1])) * _FACTORS[1]
    return z ^ (z >> _SHIFTS[2])


class SliceGenerator:
    """One random stream per slice of a batch, on the batch's device.

    Draws are numbered: the k-th draw of a stream is the same whatever was drawn before it. Integers and uniform numbers are
    the same on every device, normal ones to float32 rounding.

    Parameters
    ----------
    seeds : sequence of int
        One seed per slice, in [0, 2**64); see :func:`derive_seed`.
    device : torch.device or str
        Where the numbers are drawn.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        keys = np.zeros((len(seeds), 2), dtype=np.uint64)
        keys[:, 0] = np.array(seeds, dtype=np.uint64)
        self._start(keys, torch.device(device))

    @property
    def on_host(self) -> bool:
        """Whether numbers are drawn by numpy."""
        return self.device.type == "cpu"

    def _start(self, keys: NDArray[np.uint64], device: torch.device) -> None:
        self.device = device
        self._keys = keys  # (N, 2): seed of the slice, hash of the purpose
        self._draws = 0

    @classmethod
    def _keyed(cls, keys: NDArray[np.uint64], device: torch.device) -> SliceGenerator:
        made = cls.__new__(cls)
        made._start(keys, device)
        return made

    @property
    def seeds(self) -> tuple[int, ...]:
        """The slices' seeds, whatever the purpose."""
        return tuple(self._keys[:, 0].tolist())

    def __len__(self) -> int:
        return len(self._keys)

    def normal(self, *shape: int) -> torch.Tensor:
        """Draw N(0, 1), float32 (N, *shape): each slice from its own stream.

        By Box and Muller's transform, two numbers from 64 bits; the largest is 6.7.
        """
        return self._drawn(_normal, math.prod(shape)).reshape(len(self), *shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Draw U[low, high), float32 (N, *shape), from 24 bits each."""
        drawn = self._drawn(_uniform, math.prod(shape)).reshape(len(self), *shape)
        if (low, high) != (0.0, 1.0):
            largest = float(np.nextafter(np.float32(high), np.float32(low)))
            drawn.mul_(high - low).add_(low).clamp_(max=largest)  # the sum may round up to high
        return drawn

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Draw integers in [low, high), int64 (N, *shape).

        From 63 bits each: probabilities differ by less than a (high - low) / 2**63 part of them.
        """
        if high <= low:
            raise ValueError(f"integers in [{low}, {high}): a range with at least one wanted")
        count = math.prod(shape)
        words = self._words(count) >> 1
        return ((words & (2**63 - 1)) % (high - low) + low).reshape(len(self), *shape)

    def counted(
        self, purpose: str, *shape: int, low: float = 0.0, high: float = 1.0
    ) -> torch.Tensor:
        """Draw U[low, high), float32 (N, *shape), for another purpose, independent of how far the streams are drawn."""
        return self.fork(purpose).uniform(*shape, low=low, high=high)

    def fork(self, purpose: str) -> SliceGenerator:
        """Return fresh streams for another purpose, independent of how far these have been drawn."""
        return self.forks([purpose])

    def forks(self, purposes: Sequence[str]) -> SliceGenerator:
        """Return fresh streams for several purposes: row d * N + n is the stream of slice n for ``purposes[d]``."""
        hashes = np.array([derive_seed(purpose) for purpose in purposes], dtype=np.uint64)
        keys = np.empty((len(purposes), len(self), 2), dtype=np.uint64)
        keys[:, :, 0] = self._keys[:, 0]
        keys[:, :, 1] = _mixed(_mixed(self._keys[:, 1]) ^ hashes[:, None])
        return self._keyed(keys.reshape(-1, 2), self.device)

    def chosen(self, places: Sequence[int]) -> SliceGenerator:
        """Return fresh streams of the slices at ``places``, with their seeds and purpose."""
        return self._keyed(self._keys[np.asarray(places, dtype=np.int64)], self.device)

    @cached_property
    def _device_keys(self) -> torch.Tensor:
        return torch.from_numpy(self._keys.view(np.int64)).to(self.device)

    def _words(self, count: int) -> torch.Tensor:
        """Return the next draw's 64-bit words, int64 (N, count)."""
        draw, self._draws = self._draws, self._draws + 1
        if not self.on_host:
            return tensor_words(self._device_keys, draw, count)
        out = np.empty((len(self), count), dtype=np.uint64)
        numpy_words(self._keys, draw, out)
        return torch.from_numpy(out.view(np.int64))

    def _drawn(self, convert: Convert, count: int) -> torch.Tensor:
        """Return the next draw, float32 (N, count), 32 bits to a number."""
        width = -(-count // 2)
        out = torch.empty((len(self), count), device=self.device)
        if not self.on_host:
            bits = self._words(width).contiguous().view(torch.int32)
            convert(bits, out, torch.empty((2, len(self), width), device=self.device))
            return out
        draw, self._draws = self._draws, self._draws + 1
        rows = min(len(self), max(1, _CHUNK // max(1, width)))
        words, room = _rooms(rows, width)
        bits = torch.from_numpy(words.view(np.int32))
        for start in range(0, len(self), max(1, rows)):
            part = out[start : start + rows]
            numpy_words(self._keys[start : start + rows], draw, words[: len(part)])
            convert(bits[: len(part)], part, room[:, : len(part)])
        return out


def _rooms(rows: int, width: int) -> tuple[NDArray[np.uint64], torch.Tensor]:
    """Return room for words (rows, width) and for float32 numbers (2, rows, width).

    The same memory for every draw of a thread: it stays in the cache, and the system is asked for it once.
    """
    needed = rows * width
    kept: tuple[NDArray[np.uint64], NDArray[np.float32]] | None = getattr(_kept, "rooms", None)
    if kept is None or kept[0].size < needed:
        kept = np.empty(needed, dtype=np.uint64), np.empty(2 * needed, dtype=np.float32)
        if needed <= 2 * _CHUNK:
            _kept.rooms = kept
    words, numbers = kept
    return words[:needed].reshape(rows, width), torch.from_numpy(
        numbers[: 2 * needed].reshape(2, rows, width)
    )


def _normal(bits: torch.Tensor, out: torch.Tensor, room: torch.Tensor) -> None:
    """Fill ``out`` (N, K) with normal numbers from random bits, int32 (N, 2 W), K = 2 W or 2 W - 1.

    ``bits`` and ``room``, float32 (2, N, W), are written to.
    """
    half = bits.shape[1] // 2
    rest = out.shape[1] - half
    radius, angle = room
    radius.copy_(bits[:, :half].bitwise_and_(0x7FFFFFFF)).add_(0.5).mul_(2.0**-31)
    radius.log_().mul_(-2.0).sqrt_()
    angle.copy_(bits[:, half:]).mul_(math.pi * 2.0**-31)
    torch.cos(angle, out=out[:, :half]).mul_(radius)
    torch.mul(angle.sin_()[:, :rest], radius[:, :rest], out=out[:, half:])


def _uniform(bits: torch.Tensor, out: torch.Tensor, room: torch.Tensor) -> None:
    """Fill ``out`` (N, K) with numbers in [0, 1), as :func:`_normal`."""
    bits = bits[:, : out.shape[1]]
    out.copy_((bits >> 8) & 0xFFFFFF).mul_(2.0**-24)
