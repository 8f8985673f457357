"""Brain and lesion masks on the scans' own grids, kept when scans are scored with ``evaluation.grid = native``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.files import partial_file
from andi_bench.geometry import voxel_sizes
from benchmark.scoring.kept_arrays import kept_arrays, said
from benchmark.scoring.map_store import NativeTruth
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.scans.grid import plan


@dataclass(frozen=True)
class TruthStore:
    """A folder of masks on the scans' own grids, one file a subject.

    Parameters
    ----------
    folder : Path
        Made when the first masks are saved.
    preprocessing : PreprocessingConfig
        Of the working grid.
    stamps : dict
        For each subject a text that changes when its files do.
    """

    folder: Path
    preprocessing: PreprocessingConfig
    stamps: dict[str, str] = field(default_factory=dict)

    def path(self, subject: str) -> Path:
        """Return the file of a subject."""
        return self.folder / f"{subject}.{self.stamps.get(subject, '')}.npz"

    def missing(self, subjects: Sequence[str]) -> list[str]:
        """Return the subjects whose masks are not kept yet."""
        return [subject for subject in subjects if not self.path(subject).is_file()]

    def keep(self, adapter: DatasetAdapter, subject: Subject) -> None:
        """Read a subject's scan and keep its masks.

        Raises
        ------
        UserError
            When the scan cannot be read, or the file not be written.
        ValueError
            When the subject's lesions are not known.
        """
        scan = adapter.read_scan(subject, self.preprocessing.modalities)
        if scan.lesion is None:
            raise ValueError(f"subject {subject.id} has no lesion mask: it cannot be evaluated")
        brain = scan.brain()
        meta = {"shape": scan.images[0].shape, "affine": scan.affine.tolist()}
        masks = {"brain": np.packbits(brain), "lesion": np.packbits(scan.lesion)}
        if scan.ignore is not None:
            masks["ignore"] = np.packbits(scan.ignore)
        masks["meta"] = said(meta)
        with partial_file(self.path(subject.id)) as temporary, temporary.open("wb") as file:
            np.savez(file, **masks)  # type: ignore[arg-type]

    def load(self, subject: str) -> NativeTruth:
        """Read the masks of a subject.

        Raises
        ------
        UserError
            When the file is missing or damaged.
        """
        path = self.path(subject)
        with kept_arrays(path, "masks", "read the scan again") as (arrays, meta):
            x, y, z = meta["shape"]
            affine = np.array(meta["affine"], dtype=np.float64)
            brain, lesion, ignore = (
                _unpacked(arrays[name], (x, y, z)) if name in arrays else None
                for name in ("brain", "lesion", "ignore")
            )
            if brain is None or lesion is None:
                raise KeyError("brain or lesion is missing")
        wanted = self.preprocessing
        grid, _ = plan((x, y, z), affine, wanted.size, wanted.field_of_view, brain)
        return NativeTruth(grid, brain, lesion, voxel_sizes(affine), ignore)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
