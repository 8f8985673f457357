"""Measuring on the scan's own grid: the map is brought back, the mask is the file's own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.evaluation.measurement import Loader
from benchmark.scoring.map_store import ScoredSubject
from benchmark.scoring.native_truth import TruthStore


@dataclass(frozen=True)
class NativeLoader:
    """Loads scored subjects together with their scans' own masks.

    Post-processing stays on the working grid, where it is the same for all methods and all scans; the map it leaves
    is brought to the scan's grid linearly in the plane (:func:`datasets.scans.grid.map_to_native`).

    Parameters
    ----------
    load : callable
        Loads what was scored on the working grid.
    truths : TruthStore
        Masks on the scans' own grids, kept when they were scored.
    """

    load: Loader
    truths: TruthStore

    def __call__(self, name: str) -> ScoredSubject:
        """Return a subject with ``native`` filled in.

        Raises
        ------
        UserError
            When its files are missing or damaged.
        """
        # nothing is lost on the scan's own grid
        return replace(self.load(name), native=self.truths.load(name), loss=None)
