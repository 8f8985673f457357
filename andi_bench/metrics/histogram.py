"""A sparse histogram of anomaly scores, small enough to keep and exact enough to replace the maps.

Scores are binned by their keys (:mod:`andi_bench.metrics.scores`). A bin is a dyadic interval of keys,
``[start, start + 2**shift)``, and holds four counts. How wide a subject's bins are is chosen in
:mod:`andi_bench.metrics.binning`. Bins of different subjects are nested, equal or disjoint, never otherwise, and merging
is a sum over equal bins: exact in integers, associative, and independent of the order. What a merged histogram leaves
open is bounded in :mod:`andi_bench.metrics.pooled`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.scores import ZERO_KEY, Region, key_scores

CLASSES = ("positives", "negatives", "background", "lesion_outside")
"""Lesion voxels of the brain, lesion-free voxels of the brain, and the same two outside the brain mask."""

ARRAYS = ("step", "shift", *CLASSES)
"""Names of the plain arrays that a histogram is kept as."""

WIDEST = 16
"""Largest shift: a bin of 128 to the octave."""

_MERGE_LEAVES = 200_000


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Counts of scores in dyadic bins of their keys.

    Parameters
    ----------
    start : uint32 (K,)
        Lowest key of each bin; sorted, together with ``shift``.
    shift : uint8 (K,)
        A bin covers ``2**shift`` keys. 0: one float value, known exactly.
    counts : int64 (K, 4)
        Voxels of each of :data:`CLASSES`.
    """

    start: NDArray[np.uint32]
    shift: NDArray[np.uint8]
    counts: NDArray[np.int64]

    @classmethod
    def merge(cls, histograms: Iterable[ScoreHistogram]) -> ScoreHistogram:
        """Add any number of histograms, read one by one; none at all gives the empty histogram."""
        merged, waiting, leaves = _sum([]), [], 0
        for histogram in histograms:
            waiting.append(histogram)
            leaves += len(histogram.start)
            # Not one by one: a large sum would be sorted again for every histogram. Not all at once: that takes memory.
            if leaves > max(_MERGE_LEAVES, len(merged.start) // 2):
                merged, waiting, leaves = _sum([merged, *waiting]), [], 0
        return _sum([merged, *waiting])

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        return _sum([self, other])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScoreHistogram):
            return NotImplemented
        return (
            np.array_equal(self.start, other.start)
            and np.array_equal(self.shift, other.shift)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def last(self) -> NDArray[np.uint32]:
        """Highest key of each bin, uint32 (K,)."""
        width = np.left_shift(np.uint64(1), self.shift.astype(np.uint64))
        return (self.start + (width - np.uint64(1))).astype(np.uint32)

    @property
    def code(self) -> NDArray[np.uint64]:
        """One ascending number per bin, uint64 (K,): equal bins of two histograms have equal codes."""
        return self.start.astype(np.uint64) << np.uint64(8) | self.shift.astype(np.uint64)

    @property
    def nbytes(self) -> int:
        """Size in memory, bytes."""
        return self.start.nbytes + self.shift.nbytes + self.counts.nbytes

    def labels(self, region: Region = "brain") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return lesion and lesion-free voxels of a region in each bin, int64 (K,) each."""
        if region == "brain":
            return self.counts[:, 0], self.counts[:, 1]
        if region == "all":
            return self.counts[:, 0] + self.counts[:, 3], self.counts[:, 1] + self.counts[:, 2]
        raise ValueError(f"region '{region}': 'brain' or 'all' wanted")

    def totals(self, region: Region = "brain") -> tuple[int, int]:
        """Return the numbers of lesion and of lesion-free voxels of a region."""
        positives, negatives = self.labels(region)
        return int(positives.sum()), int(negatives.sum())

    def prevalence(self, region: Region = "brain") -> float | None:
        """Return the share of lesion voxels, the chance level of average precision; None for no voxel."""
        positives, negatives = self.totals(region)
        return positives / (positives + negatives) if positives + negatives else None

    def in_region(self, region: Region) -> ScoreHistogram:
        """Return the same histogram without the bins that are empty in a region."""
        positives, negatives = self.labels(region)
        kept = (positives + negatives) > 0
        return ScoreHistogram(self.start[kept], self.shift[kept], self.counts[kept])

    def edges(self) -> NDArray[np.uint32]:
        """Return the keys at which no bin is cut: first keys of the outermost bins, ascending.

        Between two of them lies one outermost bin, or nothing. Counts above an edge are exact.
        """
        if not len(self.start):
            return np.empty(0, dtype=np.uint32)
        reached = np.maximum.accumulate(self.last)
        first = np.concatenate([[True], self.start[1:] > reached[:-1]])
        return self.start[first]

    def counts_from(
        self, keys: NDArray[np.uint32], region: Region = "brain"
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count lesion and lesion-free voxels with a key >= each of ``keys``.

        Exact where a key is an edge of this histogram (see :meth:`edges`), or lies in none of its bins.

        Parameters
        ----------
        keys : uint32 (E,)
            Any order.

        Returns
        -------
        positives, negatives : int64 (E,)
        """
        index = np.searchsorted(self.start, keys, side="left")
        above = []
        for label in self.labels(region):
            total = np.concatenate([[0], np.cumsum(label)])
            above.append(total[-1] - total[index])
        return above[0], above[1]

    def thresholds(self, keys: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Return, for edge keys, the lowest thresholds that just the scores from each edge up exceed, float32 (E,).

        That is the highest key of the bins below the edge, an observed score where that bin has width one. Below all
        bins: the float just under the edge.
        """
        keys = np.asarray(keys, dtype=np.uint32)
        reached = np.maximum.accumulate(self.last)
        index = np.searchsorted(self.start, keys, side="left")
        below = keys - np.uint32(1)
        below[index > 0] = reached[index[index > 0] - 1]
        # The key under 0's stands for -0, which no score has and which is not below 0.
        return key_scores(below - (below == ZERO_KEY - 1))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays for an ``.npz`` file, in small types; see :meth:`from_arrays`."""
        # Differences of sorted keys compress several times better than the keys.
        step = np.diff(self.start, prepend=np.uint32(0)).astype(np.uint32)
        arrays: dict[str, NDArray[Any]] = {"step": step, "shift": self.shift}
        for column, name in zip(self.counts.T, CLASSES, strict=True):
            arrays[name] = column.astype(np.min_scalar_type(int(column.max(initial=0))))
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ScoreHistogram:
        """Take what :meth:`to_arrays` returned.

        Raises
        ------
        ValueError
            Names the array that is missing or does not fit.
        """
        for name in ARRAYS:
            if name not in arrays:
                raise ValueError(f"score histogram: array '{name}' is missing")
            if arrays[name].shape != arrays["step"].shape or arrays[name].ndim != 1:
                raise ValueError(f"score histogram: array '{name}' has shape {arrays[name].shape}")
            if arrays[name].dtype.kind not in "iu":
                raise ValueError(f"score histogram: array '{name}' holds {arrays[name].dtype}")
        start = np.cumsum(arrays["step"].astype(np.int64))
        shift = arrays["shift"].astype(np.int64)
        counts = np.stack([arrays[name].astype(np.int64) for name in CLASSES], axis=1)
        if len(start):
            if start[-1] >= 2**32 or (arrays["step"] < 0).any():
                raise ValueError("score histogram: array 'step' is not of rising 32-bit keys")
            if shift.min() < 0 or shift.max() > WIDEST or (start & ((1 << shift) - 1)).any():
                raise ValueError("score histogram: array 'shift' does not fit the keys")
            if counts.min() < 0:
                raise ValueError("score histogram: negative counts")
        return cls(start.astype(np.uint32), shift.astype(np.uint8), counts)


def _sum(histograms: list[ScoreHistogram]) -> ScoreHistogram:
    filled = [h for h in histograms if len(h.start)]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        empty = np.empty(0, dtype=np.uint32)
        return ScoreHistogram(empty, empty.astype(np.uint8), np.empty((0, 4), dtype=np.int64))
    code = np.concatenate([h.code for h in filled])
    order = np.argsort(code)
    code = code[order]
    first = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
    code = code[first]
    summed = np.empty((len(first), len(CLASSES)), dtype=np.int64)
    for column in range(len(CLASSES)):  # one by one, for the memory
        counts = np.concatenate([h.counts[:, column] for h in filled])
        summed[:, column] = np.add.reduceat(counts[order], first)
    return ScoreHistogram(
        (code >> np.uint64(8)).astype(np.uint32), (code & np.uint64(255)).astype(np.uint8), summed
    )


class PackedHistograms(Sequence[ScoreHistogram]):
    """A sequence of histograms, one a subject; about 50 kB each instead of one or two MB.

    An element is unpacked again whenever it is asked for.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def append(self, histogram: ScoreHistogram) -> None:
        """Add a subject's histogram at the end."""
        buffer = io.BytesIO()
        np.savez(buffer, **histogram.to_arrays())  # type: ignore[arg-type]
        # The lightest level takes a fifth of the time of numpy's own, for a quarter more memory.
        self._packed.append(zlib.compress(buffer.getvalue(), level=1))

    def arrays(self, index: int) -> dict[str, NDArray[Any]]:
        """Return the plain arrays of one histogram, as :meth:`ScoreHistogram.to_arrays`."""
        with np.load(
            io.BytesIO(zlib.decompress(self._packed[index])), allow_pickle=False
        ) as archive:
            return {name: archive[name] for name in archive.files}

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[ScoreHistogram]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> ScoreHistogram: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScoreHistogram]: ...
    def __getitem__(self, index: int | slice) -> ScoreHistogram | list[ScoreHistogram]:
        if isinstance(index, slice):
            return [self[k] for k in range(len(self))[index]]
        return ScoreHistogram.from_arrays(self.arrays(index))
