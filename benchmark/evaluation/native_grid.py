"""Measuring on the scan's own grid: the map is brought back, the mask is the file's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from andi_bench.config import PreprocessingConfig
from benchmark.evaluation.measurement import Loader
from benchmark.scoring.map_store import NativeTruth, ScoredSubject
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.scans.grid import plan


@dataclass(frozen=True)
class NativeLoader:
    """Loads scored subjects together with their scans' own masks.

    Post-processing stays on the working grid, where it is the same for all methods and all scans; the map it leaves
    is brought to the scan's grid linearly in the plane (:func:`datasets.scans.grid.map_to_native`).

    Parameters
    ----------
    load : callable
        Loads what was scored on the working grid.
    adapter : DatasetAdapter
        Reads the scans.
    subjects : mapping of str to Subject
        By id.
    preprocessing : PreprocessingConfig
        Of the maps.
    """

    load: Loader
    adapter: DatasetAdapter
    subjects: Mapping[str, Subject]
    preprocessing: PreprocessingConfig

    def __call__(self, name: str) -> ScoredSubject:
        """Return a subject with ``native`` filled in.

        Raises
        ------
        UserError
            As :meth:`datasets.adapters.base.DatasetAdapter.read_scan`.
        ValueError
            When the subject's lesions are not known.
        """
        scan = self.adapter.read_scan(self.subjects[name], self.preprocessing.modalities)
        if scan.lesion is None:
            raise ValueError(f"subject {name} has no lesion mask: it cannot be evaluated")
        x, y, z = scan.images[0].shape
        grid, _ = plan((x, y, z), scan.affine, self.preprocessing.size)
        brain = scan.brain()
        # nothing is lost on the scan's own grid
        truth = NativeTruth(grid, brain, scan.lesion, scan.spacing)
        return replace(self.load(name), native=truth, loss=None)
