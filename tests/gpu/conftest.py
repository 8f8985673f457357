"""The device under test. Without a GPU the same tests run on the CPU (slow ones with ``-m slow``), so that nothing but the device is new to them."""

import pytest
import torch

from benchmark.conformance.tiny_phantom import TinyPhantom


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> torch.device:
    """The CPU, and a GPU where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device is visible")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory) -> TinyPhantom:
    """Return the data of the conformance suite."""
    return TinyPhantom(tmp_path_factory.mktemp("gpu"))
