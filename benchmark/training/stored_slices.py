"""The healthy training slices as a detector sees them: a slice store read in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from andi_bench.console import Console
from methods.base import SliceBatch

if TYPE_CHECKING:
    from datasets.slices.store import SliceStore


class StoredSlices:
    """Slices of a store, subject by subject; implements :class:`methods.base.Slices`.

    Parameters
    ----------
    store : SliceStore
        Where the slices lie.
    console : Console or None
        Where to show progress while they are read.
    """

    def __init__(self, store: SliceStore, console: Console | None = None) -> None:
        self.store = store
        self._console = console or Console(quiet=True)

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[SliceBatch]:
        """Iterate over the subjects: one batch holds all slices of one."""
        with self._console.progress("reading slices", len(self.store)) as advance:
            for subject, depth, z, images in self.store.iter_subjects():
                yield SliceBatch(
                    images=torch.from_numpy(images),
                    subjects=(subject,) * len(z),
                    z=np.asarray(z, dtype=np.int64),
                    depth=np.full(len(z), depth, dtype=np.int64),
                )
                advance(len(z), "")

    def mean(self) -> torch.Tensor:
        """Return the mean over all slices, float32 (C, H, W), summed in float64."""
        total: torch.Tensor | None = None
        for batch in self:
            part = batch.images.sum(dim=0, dtype=torch.float64)
            total = part if total is None else total + part
        if total is None:
            raise ValueError("the slice store is empty")
        return (total / len(self)).float()

    def shown_on(self, console: Console) -> StoredSlices:
        """Return the same slices with a progress bar."""
        return StoredSlices(self.store, console)
