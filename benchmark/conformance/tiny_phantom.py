"""The data of the suite: five phantom subjects at 4 mm, made in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from andi_bench.config import PreprocessingConfig
from benchmark.training.stored_slices import StoredSlices
from datasets.phantom.adapter import PhantomAdapter
from datasets.slices.store import SliceStore
from datasets.volume import Volume

OPTIONS = {
    "spacing": 4.0,
    "counts": {"train": 3, "val": 0, "test": 2},
    "lesion_free": {"train": 1, "val": 0, "test": 1},
}
"""About 75 healthy training slices; the last test subject carries no lesion."""


class TinyPhantom:
    """Training slices and two volumes, on any working grid.

    Parameters
    ----------
    folder : Path
        Holds scans and slice stores; what is there already is used again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._scans = PhantomAdapter("conformance", folder / "scans", OPTIONS, None)

    def _adapter(self) -> PhantomAdapter:
        self._scans.prepare(workers=1)  # made when first asked for
        return self._scans

    def slices(self, preprocessing: PreprocessingConfig) -> StoredSlices:
        """Return the healthy training slices."""
        adapter = self._adapter()
        train = adapter.subjects_in("train")
        return StoredSlices(
            SliceStore.build(self.folder / "slices", adapter, train, preprocessing, 1)
        )

    def volumes(self, preprocessing: PreprocessingConfig) -> tuple[Volume, Volume]:
        """Return a subject with a lesion and one without; the caller's own copies."""
        adapter = self._adapter()
        first, second = adapter.subjects_in("test")
        return adapter.read(first, preprocessing), adapter.read(second, preprocessing)


def copied(volume: Volume) -> Volume:
    """Return a volume that shares no image and no brain mask with the first."""
    return replace(volume, image=volume.image.copy(), brain=volume.brain.copy())
