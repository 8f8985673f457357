"""What was measured of a run's maps: on the working grid, on the scans' own grids, by the paper's protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from benchmark.evaluation.paper_protocol import PaperRun
from benchmark.evaluation.protocol import Evaluation

if TYPE_CHECKING:
    import pandas as pd

NATIVE = "native/"
"""Begins the names of the histograms of the scans' own grids."""


@dataclass(frozen=True)
class Results:
    """What was measured.

    Parameters
    ----------
    working : Evaluation
        On the working grid.
    native : Evaluation or None
        On the scans' own grids.
    paper : PaperRun or None
        By the paper's protocol.
    """

    working: Evaluation
    native: Evaluation | None = None
    paper: PaperRun | None = None

    def subjects(self) -> pd.DataFrame:
        """Return the tables of subjects, one below the other, with a column ``grid``."""
        import pandas as pd

        tables = [
            result.subjects.assign(grid=grid)
            for grid, result in (("working", self.working), ("native", self.native))
            if result is not None
        ]
        return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]

    def histograms(self) -> Mapping[str, NDArray[Any]]:
        """Return all histograms; those of the scans' own grids have names that begin with ``native/``."""
        if self.native is None:
            return self.working.histograms
        return _Joined(self.working.histograms, self.native.histograms)


class _Joined(Mapping[str, NDArray[Any]]):
    """The histograms of both grids, unpacked only when asked for."""

    def __init__(
        self, working: Mapping[str, NDArray[Any]], native: Mapping[str, NDArray[Any]]
    ) -> None:
        self._working, self._native = working, native

    def __iter__(self) -> Iterator[str]:
        yield from self._working
        yield from (f"{NATIVE}{name}" for name in self._native)

    def __len__(self) -> int:
        return len(self._working) + len(self._native)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name.startswith(NATIVE):
            return self._native[name.removeprefix(NATIVE)]
        return self._working[name]
