import json
import math
from pathlib import Path

import pytest
import torch

from methods.andi.unet import UNet, load_published

GOLDEN = Path(__file__).resolve().parents[2] / ".." / "shared" / "golden" / "andi_unet.json"


@pytest.fixture(scope="module")
def golden() -> dict:
    if not GOLDEN.is_file():
        pytest.skip("the published network's reference values are not beside the repository")
    return json.loads(GOLDEN.read_text())


def fill(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Fill the tensors as golden/andi_unet.json says under 'how'."""
    filled = {}
    for k, (name, tensor) in enumerate(state.items()):
        i = torch.arange(tensor.numel(), dtype=torch.float64)
        v = torch.sin(0.37 * (i + 1) + 1.7 * (k + 1))
        if tensor.ndim > 1:
            v = v * 1.5 / math.sqrt(tensor.numel() / tensor.shape[0])
        else:
            v = 0.1 * v + (1.0 if name.endswith("weight") else 0.0)
        filled[name] = v.reshape(tensor.shape).float()
    return filled


def golden_input() -> torch.Tensor:
    j = torch.arange(131072, dtype=torch.float64)
    return (0.5 * (torch.sin(0.013 * j) + torch.cos(0.0007 * j))).reshape(2, 4, 128, 128).float()


def test_names_and_shapes_are_those_of_the_published_network(golden):
    net = UNet()
    assert {name: list(value.shape) for name, value in net.state_dict().items()} == golden[
        "state_dict"
    ]
    assert list(net.state_dict()) == list(golden["state_dict"])
    assert sum(p.numel() for p in net.parameters()) == golden["parameters"]


def test_outputs_are_those_of_the_published_network(golden):
    net = UNet().eval()
    load_published(net, fill(net.state_dict()))
    with torch.inference_mode():
        out = net(golden_input(), torch.tensor([75, 199]))
    assert out.mean(dim=(1, 2, 3)).tolist() == pytest.approx(golden["mean"], rel=1e-3)
    assert out.std(dim=(1, 2, 3)).tolist() == pytest.approx(golden["std"], rel=1e-3)
    flat = out.flatten()
    for index, value in golden["samples"].items():
        assert flat[int(index)].item() == pytest.approx(value, rel=1e-3), index
