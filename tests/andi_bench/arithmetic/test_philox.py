"""Philox4x64-10 against published vectors, and in tensor operations against numpy's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.arithmetic.philox import numpy_words, philox_blocks, tensor_words
from andi_bench.randomness import SliceGenerator

PI = "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89 452821e638d01377 be5466cf34e90c6c"
# Lines "philox4x64 10" of kat_vectors, Random123 1.09 (D. E. Shaw Research): counter, key, result.
PUBLISHED = [
    (
        "0" * 16 + (" " + "0" * 16) * 5,
        "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b",
    ),
    (
        "f" * 16 + (" " + "f" * 16) * 5,
        "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
    ),
    (PI, "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6"),
]
word = st.integers(0, 2**64 - 1)


def words(text: str) -> np.ndarray:
    return np.array([int(part, 16) for part in text.split()], dtype=np.uint64)


def as_tensor(unsigned: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(unsigned.view(np.int64))


@pytest.mark.parametrize(("given_words", "result"), PUBLISHED)
def test_blocks_are_the_published_ones(given_words, result):
    found = as_tensor(words(given_words))
    counters = tuple(part.reshape(1, 1) for part in found[:4])
    assert torch.equal(
        philox_blocks(found[4:].reshape(1, 2), counters)[0, 0], as_tensor(words(result))
    )


@given(
    st.lists(st.tuples(word, word), min_size=1, max_size=4),
    st.integers(0, 2**31),
    st.integers(0, 70),
)
@settings(max_examples=40, deadline=None)
def test_tensor_operations_give_the_words_of_numpy(keys, draw, count):
    keys = np.array(keys, dtype=np.uint64)
    out = np.empty((len(keys), count), dtype=np.uint64)
    numpy_words(keys, draw, out)
    assert torch.equal(tensor_words(as_tensor(keys), draw, count), as_tensor(out))


class OnTensors(SliceGenerator):
    """Draws as on a GPU, on the CPU."""

    on_host = False


@given(st.lists(word, min_size=1, max_size=4), st.integers(1, 65))
@settings(max_examples=25, deadline=None)
def test_numbers_are_the_same_drawn_as_on_a_gpu(seeds, count):
    ours, theirs = SliceGenerator(seeds).fork("noise"), OnTensors(seeds).fork("noise")
    for _ in range(2):
        assert torch.equal(
            ours.uniform(count, low=-1, high=3), theirs.uniform(count, low=-1, high=3)
        )
        assert torch.equal(ours.integers(-5, 10**12, count), theirs.integers(-5, 10**12, count))
        assert torch.allclose(ours.normal(count), theirs.normal(count), rtol=1e-6, atol=1e-6)
