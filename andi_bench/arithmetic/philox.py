"""Philox4x64-10, a counter-based random generator: on the CPU numpy's, elsewhere the same in tensor operations.

A block of four 64-bit words is a function of a key (128 bits) and a counter (256 bits) alone, so that any number of any
stream is found without those before it. Both ways give the same integers.

References
----------
Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011. It passes BigCrush.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Counters = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
LANES = 4
"""Words of a block."""
ROUNDS = 10
_FACTORS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW = 0xFFFFFFFF
_own = threading.local()


def numpy_words(keys: NDArray[np.uint64], draw: int, out: NDArray[np.uint64]) -> None:
    """Fill ``out`` (N, W) with words, each row by its key (N, 2).

    Word j of a row is word j % 4 of the block with the counter (1 + j // 4, draw, 0, 0): numpy counts before it
    computes, so its first block is that of 1.
    """
    stream, state = _stream()
    counter = np.array([0, draw, 0, 0], dtype=np.uint64)
    for key, row in zip(keys, out, strict=True):
        state["state"] = {"counter": counter, "key": key}
        stream.state = state
        row[:] = stream.random_raw(row.size)


def _stream() -> tuple[np.random.Philox, Any]:
    """Return this thread's generator, for numpy asks the system for entropy at each one made, and a state to fill in."""
    if not hasattr(_own, "stream"):
        _own.stream = np.random.Philox(key=0)
        _own.state = dict(_own.stream.state)  # nothing is left over in it
    return _own.stream, _own.state


def tensor_words(keys: torch.Tensor, draw: int, count: int) -> torch.Tensor:
    """Return the words of :func:`numpy_words` on the keys' device: int64 (N, ``count``), the bits those of the unsigned words.

    Parameters
    ----------
    keys : int64 tensor (N, 2)
        Their bits are the keys.
    draw : int
        Second word of the counter.
    count : int
        Words to a row.
    """
    blocks = -(-count // LANES)
    places = torch.arange(1, blocks + 1, device=keys.device).expand(len(keys), blocks)
    zeros = torch.zeros_like(places)
    words = philox_blocks(keys, (places, zeros + draw, zeros, zeros))
    return words.reshape(len(keys), blocks * LANES)[:, :count]


def philox_blocks(keys: torch.Tensor, counters: Counters) -> torch.Tensor:
    """Compute blocks, int64 (N, B, 4), of ``keys`` (N, 2) and the four words (N, B) of the counters.

    Both products of a round are one tensor (2, N, B), and all rounds' keys are made at once: on a GPU each operation is a
    kernel, and some 240 are started where word by word it would be 440.
    """
    a, b, c, d = counters
    factors = _halves_and_whole(keys.device)
    rounds = torch.arange(ROUNDS, device=keys.device)[:, None, None, None]
    steps = _column([_signed(step) for step in _KEY_STEPS], keys.device)
    round_keys = keys.T[:, :, None] + rounds * steps
    # Of a block's words the first and third are multiplied; the products change places.
    multiplied, others = torch.stack([a, c]), torch.stack([b, d])
    for key in round_keys:
        high, low = _products(multiplied, *factors)
        multiplied, others = high.flip(0) ^ others ^ key, low.flip(0)
    a, c = multiplied
    b, d = others
    return torch.stack([a, b, c, d], dim=-1)


def _halves_and_whole(device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the lower halves of the factors, the upper ones and their bits, int64 (2, 1, 1) each."""
    lower, upper = ([f & _LOW for f in _FACTORS], [f >> 32 for f in _FACTORS])
    whole = [_signed(factor) for factor in _FACTORS]
    return _column(lower, device), _column(upper, device), _column(whole, device)


def _column(values: list[int], device: torch.device) -> torch.Tensor:
    return torch.tensor(values, device=device)[:, None, None]


def _products(
    words: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor, whole: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the upper and lower 64 bits of the unsigned products, by halves: sums of 32-bit products fit 64 bits."""
    low, high = words & _LOW, _upper(words)
    cross = high * lower + _upper(low * lower)
    other = low * upper + (cross & _LOW)
    return high * upper + _upper(cross) + _upper(other), words * whole


def _upper(words: torch.Tensor) -> torch.Tensor:
    """Return the upper 32 bits, without the sign that a shift brings in."""
    return (words >> 32) & _LOW


def _signed(word: int) -> int:
    """Return the int64 of the same bits."""
    return word - (1 << 64) if word >> 63 else word
