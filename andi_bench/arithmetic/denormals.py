"""Denormal numbers counted as 0: a processor computes with them many times more slowly, and nothing here depends on them.

Below 1.2e-38 a float32 has no full precision left. Gradients of a network that has learnt to leave the background alone can be full
of such numbers: a training step of a denoising autoencoder takes ten times as long with them as without (``perf/denormals.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_DENORMAL = 1e-40
_PARALLEL = 1 << 22
"""Elements of a tensor that PyTorch works on in all its threads."""


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Count denormal numbers as 0 in this thread while the block runs, where the processor can; then as before.

    Only in the block: other packages of the process look at how floats behave.
    """
    before = _counted_as_zero()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def start_threads() -> None:
    """Start PyTorch's threads so that they count denormal numbers as 0: each takes over how its parent does as it starts.

    Has no effect once they are there.
    """
    with denormals_as_zero():
        torch.ones(_PARALLEL).mul_(1.0)


def _counted_as_zero() -> bool:
    return float(torch.tensor([_DENORMAL]).mul(1.0)) == 0.0
