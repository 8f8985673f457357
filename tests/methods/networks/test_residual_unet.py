import pytest
import torch

from andi_bench.errors import UserError
from methods.networks.residual_unet import PixelAttention, ResidualUNet, UNetShape, groups


def net(**values) -> ResidualUNet:
    torch.manual_seed(0)
    options = {"base_width": 8, "multipliers": (1, 2, 3), "blocks": 1, "attention": (4,)} | values
    return ResidualUNet(2, 3, (16, 24), UNetShape(**options)).eval()


def awake(network: torch.nn.Module) -> torch.nn.Module:
    """Fill what starts at 0, so that every layer counts."""
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize(
    "options", [{}, {"blocks": (1, 0, 2)}, {"rescale": True}, {"attention": (1, 2)}]
)
def test_any_depth_and_rectangle_keeps_its_size(options):
    out = awake(net(**options))(torch.rand(2, 2, 16, 24), torch.tensor([0, 7]))
    assert out.shape == (2, 3, 16, 24)
    assert out.std() > 0


def test_it_begins_as_zero():
    assert not net()(torch.rand(2, 2, 16, 24), torch.tensor([0, 7])).any()


def test_time_counts_and_a_network_without_time_has_none():
    network, x = awake(net()), torch.rand(1, 2, 16, 24)
    early, late = (network(x, torch.tensor([t])) for t in (3, 60))
    assert not torch.allclose(early, late)
    with pytest.raises(ValueError, match="time step"):
        network(x)
    plain = awake(net(time=False))
    assert plain(x).shape == (1, 3, 16, 24)
    assert not any("time" in name or "embed" in name for name in plain.state_dict())


def test_slices_do_not_see_each_other():
    network, x = awake(net()), torch.rand(3, 2, 16, 24)
    t = torch.tensor([1, 2, 3])
    together = network(x, t)
    for k in range(3):
        assert torch.allclose(network(x[k : k + 1], t[k : k + 1])[0], together[k], atol=1e-5)


def test_attention_is_softmax_of_scaled_products():
    layer = awake(PixelAttention(128, rescale=False))
    x = torch.randn(1, 128, 3, 2)
    query, key, value = layer.project(layer.norm(x)).reshape(3, 2, 64, 6)
    weights = torch.softmax(torch.einsum("hdi,hdj->hij", query, key) / 8, dim=-1)
    mixed = torch.einsum("hij,hdj->hdi", weights, value).reshape(1, 128, 3, 2)
    assert torch.allclose(layer(x), x + layer.out(mixed), atol=1e-5)


def test_dropout_stands_where_it_is_asked_for():
    rates = [
        m.p for m in net(dropout=0.1, dropout_from=4).modules() if isinstance(m, torch.nn.Dropout)
    ]
    # Level of reduction 4: one block down, two in the middle, two up.
    assert rates == [0.1] * 5


@pytest.mark.parametrize(
    ("width", "wanted"), [(4, 1), (8, 2), (32, 8), (48, 12), (128, 32), (512, 32)]
)
def test_groups_have_four_channels_or_more(width, wanted):
    assert groups(width) == wanted


def test_impossible_networks_are_refused():
    with pytest.raises(UserError, match="multiple of 4"):
        ResidualUNet(1, 1, (18, 16), UNetShape(multipliers=(1, 2, 2)))
    with pytest.raises(UserError, match="blocks for 2 levels"):
        net(blocks=(1, 1))
    with pytest.raises(UserError, match=r"\[8\]"):
        net(attention=(8,))


def test_gradients_reach_every_parameter():
    network = awake(net()).train()
    network(torch.rand(2, 2, 16, 24), torch.tensor([0, 7])).square().mean().backward()
    # A bias before a GroupNorm of its own channels alone has none.
    silent = [name for name, p in network.named_parameters() if p.grad is None]
    assert not silent
