"""Which slices a training sees, and when: an endless stream that depends on the seed and the position alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from andi_bench.randomness import derive_seed

VERSION = 1
"""Raised when the same settings would order slices otherwise: balanced trainings are then not found again."""
BANDS = 8
"""Bands of equal height that a subject's slices are parted into, from its lowest to its highest healthy slice."""
_ROUNDS = 500


class _Store(Protocol):
    """What an order needs to know of a slice store."""

    subjects: NDArray[np.str_]
    z: NDArray[np.int64]

    def __len__(self) -> int: ...


class SliceOrder(Protocol):
    """Tells which slices stand at positions ``start`` .. ``stop`` - 1 of the stream, int64 (stop - start,)."""

    def __call__(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return their places in the store."""


def slice_order(sampling: Literal["slices", "balanced"], store: _Store, seed: int) -> SliceOrder:
    """Return the order that ``training.sampling`` asks for."""
    if sampling == "balanced":
        return BalancedOrder(store.subjects, store.z, seed)
    return lambda start, stop: sample_order(seed, len(store), start, stop)


def sample_order(seed: int, count: int, start: int, stop: int) -> NDArray[np.int64]:
    """Return which slices stand at positions start..stop-1 of the endless shuffled stream.

    Each pass over the ``count`` slices is a permutation of its own, seeded by (seed, pass).
    """
    parts = []
    position = start
    while position < stop:
        epoch, offset = divmod(position, count)
        part = _pass(seed, count, epoch)[offset : offset + stop - position]
        parts.append(part)
        position += len(part)
    return np.concatenate(parts)


@lru_cache(maxsize=2)
def _pass(seed: int, count: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of one pass; kept from step to step."""
    return np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(count)


class BalancedOrder:
    """Subjects with equal weight, and heights with equal weight as far as the subjects' slices allow.

    The stream is made of rounds, each with every subject once, in an order of its own. A subject's height is drawn among
    the bands in which it has healthy slices, by weights that bring the bands of all subjects together to equal shares (see
    :func:`balanced_weights`); then a slice of that band is drawn. Round k depends on (seed, k) alone.

    Parameters
    ----------
    subjects : str (N,)
        Subject of each slice.
    z : int64 (N,)
        Its height, in voxels.
    seed : int
        Of the training.
    """

    def __init__(self, subjects: NDArray[np.str_], z: NDArray[np.int64], seed: int) -> None:
        self._seed = seed
        names, number = np.unique(subjects, return_inverse=True)
        band = height_bands(number, z)
        cell = number * BANDS + band
        self._slices = np.argsort(cell, kind="stable")
        counts = np.bincount(cell, minlength=len(names) * BANDS)
        self._first = (np.cumsum(counts) - counts).reshape(-1, BANDS)
        self._counts = counts.reshape(-1, BANDS)
        weights = balanced_weights(self._counts > 0)
        self._bounds = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
        # Rounding must lead to no band without a slice: the last that has one ends at 1.
        filled = self._counts > 0
        last = BANDS - 1 - np.argmax(filled[:, ::-1], axis=1)
        self._bounds[np.arange(BANDS) >= last[:, None]] = 1.0

    def __call__(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return which slices stand at positions ``start`` .. ``stop`` - 1."""
        count = len(self._bounds)
        first, last = start // count, -(-stop // count)
        drawn = np.concatenate([self._round(number) for number in range(first, last)])
        return drawn[start - first * count : stop - first * count]

    def _round(self, number: int) -> NDArray[np.int64]:
        rng = np.random.default_rng(derive_seed(self._seed, "balanced order", number))
        subject = rng.permutation(len(self._bounds))
        height, place = rng.random((2, len(subject)))
        band = (height[:, None] >= self._bounds[subject]).sum(axis=1)
        within = (place * self._counts[subject, band]).astype(np.int64)
        return self._slices[self._first[subject, band] + within]


def height_bands(number: NDArray[np.int64], z: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the band of each slice, int64 (N,) in [0, BANDS).

    Parameters
    ----------
    number : int64 (N,)
        Of its subject, from 0 without a gap.
    z : int64 (N,)
        Its height, in voxels. The lowest and highest healthy slices stand for the ends of the brain: lesions seldom reach them.
    """
    count = int(number.max()) + 1
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1, dtype=np.int64)
    np.minimum.at(low, number, z)
    np.maximum.at(high, number, z)
    return (z - low[number]) * BANDS // (high - low + 1)[number]


def balanced_weights(filled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weigh subjects and bands: rows of equal sums, and columns of sums as equal as the empty cells allow.

    Iterative proportional fitting (Deming and Stephan 1940), from weights of 1. Rows come last, so that subjects are equal
    even where no weights make the bands so.

    Parameters
    ----------
    filled : bool (S, B)
        Which subjects have slices in which bands; at least one each.

    Returns
    -------
    float64 (S, B)
        Summing to 1; 0 where there is no slice.
    """
    weights = filled.astype(np.float64)
    subjects, bands = len(filled), max(1, int(filled.any(axis=0).sum()))
    for _ in range(_ROUNDS):
        sums = weights.sum(axis=0)
        weights /= np.where(sums > 0, sums * bands, 1.0)
        weights /= weights.sum(axis=1, keepdims=True) * subjects
    return weights
