"""The slices of each training step: from the device's memory where they fit, else read while the last step trains."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch

from andi_bench.config import TrainingConfig
from andi_bench.errors import UserError
from andi_bench.names import counted
from andi_bench.randomness import derive_seed
from benchmark.training.slice_order import slice_order

if TYPE_CHECKING:
    from datasets.slices.store import SliceStore

_AT_ONCE = 256
"""Slices read at once into the device's memory."""
_SHARE = 0.5
"""Of the device's free memory that slices may take; the network and its activations need the rest."""


class Batches:
    """The share of each batch that falls to one process.

    Parameters
    ----------
    store : SliceStore
        The healthy slices.
    seed : int
        Of the training.
    config : TrainingConfig
        Batch size, sampling, cache.
    device : torch.device
        Where the slices are wanted.
    rank, world : int
        Number of this process, and of all.
    step : int
        The first step asked for.

    Raises
    ------
    UserError
        Where ``training.cache`` is ``device`` and the slices are larger than the device's free memory.
    """

    def __init__(
        self,
        store: SliceStore,
        seed: int,
        config: TrainingConfig,
        device: torch.device,
        rank: int,
        world: int,
        step: int,
    ) -> None:
        self._store, self._device = store, device
        self._seed, self._batch = seed, config.batch_size
        self._order = slice_order(config.sampling, store, seed)
        self._rank, self._world = rank, world
        self._kept = kept_slices(store, device) if _keeps(config.cache, store, device) else None
        self._pool = ThreadPoolExecutor(1)
        self._next = self._submit(step)

    def _submit(self, step: int) -> Future[tuple[list[int], torch.Tensor]]:
        return self._pool.submit(self._read, step)

    def _read(self, step: int) -> tuple[list[int], torch.Tensor]:
        """Return the seeds of a step, and its slices, or their places where the slices are kept."""
        first = step * self._batch
        order = self._order(first, first + self._batch)[self._rank :: self._world]
        places = range(self._rank, self._batch, self._world)
        seeds = [derive_seed(self._seed, "training", first + place) for place in places]
        found = torch.from_numpy(self._store.read(order) if self._kept is None else order)
        # A copy from pinned memory goes on beside the device's work.
        return seeds, found.pin_memory() if self._device.type == "cuda" else found

    def take(self, step: int) -> tuple[list[int], torch.Tensor]:
        """Return seeds and slices, float32 (N, C, H, W) on the device, of a step; steps must be asked for in order."""
        seeds, found = self._next.result()
        self._next = self._submit(step + 1)
        found = found.to(self._device, non_blocking=True)
        return seeds, found if self._kept is None else self._kept[found].float()

    def close(self) -> None:
        """End the reading."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def kept_slices(store: SliceStore, device: torch.device) -> torch.Tensor:
    """Read all slices into the device's memory, (N, C, H, W), in the store's own precision."""
    parts = range(0, len(store), _AT_ONCE)
    kept: torch.Tensor | None = None
    for first in parts:
        images = store.read(range(first, min(first + _AT_ONCE, len(store)))).astype(store.dtype)
        if kept is None:
            shape = len(store), *images.shape[1:]
            kept = torch.from_numpy(np.empty(0, store.dtype)).new_empty(shape, device=device)
        kept[first : first + len(images)] = torch.from_numpy(images)
    assert kept is not None  # a store without a slice is refused when it is built
    return kept


def _keeps(cache: str, store: SliceStore, device: torch.device) -> bool:
    """Whether the slices are kept on the device. On a CPU the database's own pages are memory already."""
    if cache == "none" or (cache == "auto" and device.type != "cuda"):
        return False
    if device.type != "cuda":
        return True
    needed = len(store) * int(np.prod(store.shape)) * store.dtype.itemsize
    free, _ = torch.cuda.mem_get_info(device)
    if cache == "auto":
        return needed <= _SHARE * free
    if needed > free:
        raise UserError(
            f"training.cache = device: {counted(len(store), 'slice takes', 'slices take')} {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free on "
            f"{device}: auto or none wanted"
        )
    return True
