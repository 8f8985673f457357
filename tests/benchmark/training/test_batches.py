"""The slices of a step are the same wherever they are kept, and however many processes share a batch."""

import numpy as np
import pytest
import torch

from andi_bench.config import TrainingConfig
from andi_bench.errors import UserError
from benchmark.training import batches
from benchmark.training.batches import Batches, kept_slices
from benchmark.training.slice_order import sample_order


class Store:
    """The face of a slice store in float16, over an array."""

    dtype = np.dtype(np.float16)

    def __init__(self, count=11):
        self.images = np.random.default_rng(5).random((count, 2, 4, 3)).astype(np.float16)
        self.shape = self.images.shape[1:]
        self.reads = 0

    def __len__(self):
        return len(self.images)

    def read(self, indices):
        self.reads += 1
        return self.images[indices].astype(np.float32)


def taken(cache: str, *, rank: int = 0, world: int = 1, store: Store | None = None):
    config = TrainingConfig(steps=5, batch_size=4, cache=cache)
    stream = Batches(store or Store(), 3, config, torch.device("cpu"), rank, world, 2)
    try:
        return [stream.take(step) for step in range(2, 5)]
    finally:
        stream.close()


def test_kept_slices_are_those_read_step_by_step():
    read, kept = taken("none"), taken("device")
    for (seeds, images), (same_seeds, same), step in zip(read, kept, range(2, 5), strict=True):
        assert seeds == same_seeds
        assert torch.equal(images, same)
        assert same.dtype == torch.float32
        order = sample_order(3, 11, 4 * step, 4 * step + 4)
        assert np.array_equal(images.numpy(), Store().images[order].astype(np.float32))


@pytest.mark.parametrize("cache", ["none", "device"])
def test_two_processes_share_a_batch_place_by_place(cache):
    whole, shares = taken(cache), [taken(cache, rank=rank, world=2) for rank in (0, 1)]
    for step, (seeds, images) in enumerate(whole):
        for rank, share in enumerate(shares):
            assert share[step][0] == seeds[rank::2]
            assert torch.equal(share[step][1], images[rank::2])


def test_slices_are_read_once_where_they_are_kept_in_their_own_precision(monkeypatch):
    monkeypatch.setattr(batches, "_AT_ONCE", 4)
    store = Store()
    kept = kept_slices(store, torch.device("cpu"))
    assert store.reads == 3
    assert kept.dtype == torch.float16
    assert np.array_equal(kept.numpy(), store.images)


def test_a_processor_keeps_no_second_copy_unless_asked():
    store = Store()
    taken("auto", store=store)
    assert store.reads >= 3  # each step its own


@pytest.mark.parametrize(
    ("cache", "free", "kept"),
    [("auto", 1056, True), ("auto", 1055, False), ("none", 10**9, False), ("device", 528, True)],
)
def test_an_accelerator_keeps_what_takes_half_its_free_memory_at_most(
    cache, free, kept, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    assert batches._keeps(cache, Store(), torch.device("cuda")) is kept  # 528 bytes


def test_slices_that_do_not_fit_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (527, 10**9))
    with pytest.raises(
        UserError, match=r"training\.cache = device: 11 slices take .* auto or none"
    ):
        batches._keeps("device", Store(), torch.device("cuda"))
