"""The score histograms of a run, kept packed until the record is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ARRAYS, PackedHistograms


class KeptHistograms(Mapping[str, NDArray[Any]]):
    """All histograms of a run as plain arrays, unpacked only when asked for."""

    def __init__(
        self, parts: dict[str, tuple[Sequence[str], Mapping[str, PackedHistograms]]]
    ) -> None:
        self._places = {
            f"{part}/{chain}/{name}": (packed, index)
            for part, (names, by_chain) in parts.items()
            for chain, packed in by_chain.items()
            for index, name in enumerate(names)
        }

    def __iter__(self) -> Iterator[str]:
        return (f"{place}/{array}" for place in self._places for array in ARRAYS)

    def __len__(self) -> int:
        return len(self._places) * len(ARRAYS)

    def __getitem__(self, key: str) -> NDArray[Any]:
        place, _, array = key.rpartition("/")
        packed, index = self._places[place]
        return packed.arrays(index)[array]
