"""Random numbers depend on what is computed, never on how the work is cut."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.randomness import SliceGenerator, derive_seed


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_slices_numbers_do_not_depend_on_the_batch_it_is_in(seeds, size):
    whole = SliceGenerator(seeds)
    normal, uniform, whole_numbers = (
        whole.normal(size, 2),
        whole.uniform(size, low=2.0, high=4.0),
        whole.integers(3, 9, size),
    )
    for k, seed in enumerate(seeds):
        alone = SliceGenerator([seed])
        assert torch.equal(alone.normal(size, 2)[0], normal[k])
        assert torch.equal(alone.uniform(size, low=2.0, high=4.0)[0], uniform[k])
        assert torch.equal(alone.integers(3, 9, size)[0], whole_numbers[k])
    assert float(uniform.min()) >= 2
    assert float(uniform.max()) < 4
    assert set(whole_numbers.ravel().tolist()) <= set(range(3, 9))


def test_a_fork_does_not_depend_on_what_was_drawn_before():
    fresh, used = SliceGenerator([1, 2]), SliceGenerator([1, 2])
    used.normal(100)
    assert torch.equal(fresh.fork("mask").normal(4), used.fork("mask").normal(4))
    assert not torch.equal(fresh.fork("mask").normal(4), fresh.fork("other").normal(4))


def test_seeds_are_the_same_on_every_machine_and_parts_do_not_run_together():
    assert derive_seed(0, "BraTS2021_00000", 77, "noise") == derive_seed(
        "0", "BraTS2021_00000", "77", "noise"
    )
    assert derive_seed("a", "bc") != derive_seed("ab", "c")
    assert derive_seed(0, "S01", 3, "score") == 5_050_298_792_011_347_774
    assert all(0 <= derive_seed(k) < 2**63 for k in range(100))


def test_streams_for_several_purposes_are_those_of_each_purpose_one_after_the_other():
    both = SliceGenerator([3, 4, 5]).forks(["a", "b"])
    alone = [SliceGenerator([3, 4, 5]).fork(purpose).normal(2, 7) for purpose in ("a", "b")]
    assert len(both) == 6
    assert torch.equal(both.normal(2, 7), torch.cat(alone))
