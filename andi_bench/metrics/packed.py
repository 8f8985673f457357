"""Many subjects' score histograms in little memory: compressed until they are looked at."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histogram import ScoreHistogram


class PackedHistograms(Sequence[ScoreHistogram]):
    """A sequence of histograms, one a subject; about 50 kB each instead of one or two MB.

    An element is unpacked anew whenever it is asked for.
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
