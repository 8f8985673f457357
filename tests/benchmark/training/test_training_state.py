import copy

import pytest
import torch
from torch import nn

from benchmark.training.state import MovingAverage, Progress, load_progress, save_progress


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.ConvTranspose2d(8, 3, 3))
    return net.to(memory_format=torch.channels_last)


def step(net: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    images = torch.randn(2, 3, 10, 12, generator=torch.Generator().manual_seed(seed))
    net(images).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.Adam])
def test_channels_last_weights_go_on_exactly_where_they_were_saved(tmp_path, kind, fused):
    net = network()
    optimizer = kind(net.parameters(), lr=1e-2, fused=fused, amsgrad=True)
    average = MovingAverage(net, 0.9, 2)
    for seed in range(5):
        step(net, optimizer, seed)
        average.update(seed + 1)
    save_progress(tmp_path / "p", net, optimizer, average, Progress(step=5))
    kept = copy.deepcopy(average.values)

    other = network()
    again = kind(other.parameters(), lr=1e-2, fused=fused, amsgrad=True)
    followed = MovingAverage(other, 0.9, 2)
    assert load_progress(tmp_path / "p", other, again, followed).step == 5
    assert all(torch.equal(followed.values[key], value) for key, value in kept.items())
    for seed in range(5, 9):
        step(net, optimizer, seed)
        step(other, again, seed)
        average.update(seed + 1)
        followed.update(seed + 1)
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert all(torch.equal(followed.values[key], value) for key, value in average.values.items())
