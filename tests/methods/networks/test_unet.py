import json
import math

import pytest
import torch
from support.places import SHARED

from andi_bench.errors import UserError
from methods.networks.unet import SelfAttention, UNet, load_published

GOLDEN = SHARED / "golden" / "andi_unet.json"


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


@pytest.mark.parametrize("size", [16, 48, 64])
@pytest.mark.parametrize("attention", [True, False, (8, 16)])
def test_any_size_divisible_by_16_any_width_any_attention(size, attention):
    net = UNet(channels=2, image_size=size, base_width=4, attention=attention)
    out = net(torch.zeros(3, 2, size, size), torch.tensor([1, 50, 999]))
    assert out.shape == (3, 2, size, size)
    assert any("mha" in name for name in net.state_dict()) is bool(attention)


def test_slices_of_one_batch_do_not_see_each_other_nor_the_memory_format():
    torch.manual_seed(0)
    net = UNet(channels=2, image_size=32, base_width=8).eval()
    x, t = torch.randn(4, 2, 32, 32), torch.tensor([3, 30, 300, 900])
    with torch.inference_mode():
        alone = torch.cat([net(x[k : k + 1], t[k : k + 1]) for k in range(4)])
        together = net(x, t)
        channels_last = net.to(memory_format=torch.channels_last)(x, t)
    # Rounding depends on how sums are cut: by batch size, memory format, threads and processor.
    rounding = 1e-4 * together.abs().max().item()
    assert torch.allclose(alone, together, rtol=0, atol=rounding)
    assert torch.allclose(channels_last, together, rtol=0, atol=rounding)


def test_gradients_of_the_residual_block_are_those_of_finite_differences():
    # The block adds in place; a gradient that needed the overwritten values would show here.
    torch.manual_seed(0)
    net = UNet(channels=1, image_size=16, base_width=2, time_channels=8).double()
    net.inverse_frequencies = net.inverse_frequencies.float()
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    weight = net.inc2.double_conv[0].weight

    def loss() -> torch.Tensor:
        h = net.inc2(net.inc(x))
        return (h * torch.linspace(0, 1, h.numel(), dtype=torch.float64).view_as(h)).sum()

    loss().backward()
    found = weight.grad[1, 0, 1, 2].item()
    step = 1e-6
    with torch.no_grad():
        weight[1, 0, 1, 2] += step
        high = loss().item()
        weight[1, 0, 1, 2] -= 2 * step
        low = loss().item()
    assert found == pytest.approx((high - low) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("size", [0, 20, (64, 60)])
def test_a_size_that_cannot_be_halved_four_times_is_refused(size):
    with pytest.raises(UserError, match="multiple of 16"):
        UNet(image_size=size)


def test_an_attention_level_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="attention"):
        UNet(base_width=4, attention=(2, 4))


def test_a_checkpoint_from_data_parallel_training_loads():
    net, other = UNet(base_width=4), UNet(base_width=4)
    load_published(net, {f"module.{k}": v for k, v in other.state_dict().items()})
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in net.state_dict().items())


def test_a_checkpoint_of_another_width_is_refused_in_one_line_and_changes_nothing():
    net = UNet(base_width=4)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(UserError) as caught:
        load_published(net, UNet(base_width=8).state_dict(), "best.pt")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("best.pt", "inc.double_conv.0.weight", "(8, 4, 3, 3)", "(4, 4, 3, 3)"):
        assert part in message
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda s: s.pop("outc.bias"), "no tensor 'outc.bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "'extra'"),
        (lambda s: s.update({"outc.bias": [0, 0]}), "'outc.bias' is list"),
        (lambda s: s.update({"outc.bias": torch.full((4,), torch.nan)}), "not finite"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name(damage, said):
    net = UNet(base_width=4)
    state = dict(net.state_dict())
    damage(state)
    with pytest.raises(UserError, match=said):
        load_published(net, state)


def test_attention_is_that_of_the_layer_that_holds_its_parameters():
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 6, 4)
    tokens = x.flatten(2).transpose(1, 2)
    normed = layer.ln(tokens)
    tokens = layer.mha(normed, normed, normed)[0] + tokens
    wanted = (layer.ff_self(tokens) + tokens).transpose(1, 2).reshape(2, 16, 6, 4)
    torch.testing.assert_close(layer(x), wanted, rtol=0, atol=1e-6)
    assert layer(x.to(memory_format=torch.channels_last)).shape == x.shape


def test_one_time_step_for_all_slices_is_the_same_as_each_slice_with_its_own():
    torch.manual_seed(0)
    net = UNet(channels=2, image_size=32, base_width=8).eval()
    x = torch.randn(3, 2, 32, 32)
    with torch.inference_mode():
        each, one = net(x, torch.full((3,), 150)), net(x, torch.tensor([150]))
    torch.testing.assert_close(one, each, rtol=0, atol=1e-5)
