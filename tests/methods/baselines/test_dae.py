import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from scipy import ndimage

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.baselines.dae import DAE, DAEConfig
from methods.corruptions.coarse_noise import coarse_noise
from methods.networks.dae_unet import StandardisedConv2d

NAMES = ("flair", "t1", "t1ce", "t2")


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(channels: int = 2, size: int = 32, seed: int = 0, **values: object) -> DAE:
    torch.manual_seed(seed)
    values.setdefault("base_width", 8)
    out = DAE(DAEConfig(**values), ImageSpec(NAMES[:channels], (size, size)))
    out.net = out.network().eval()
    return out


def discs(count: int, channels: int = 2, size: int = 32, seed: int = 0) -> torch.Tensor:
    """Smooth round slices of about 0.5, black around."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.linspace(-1, 1, size)
    inside = (axis[:, None] ** 2 + axis**2) < 0.7
    coarse = 0.4 + 0.2 * torch.rand(count, channels, 4, 4, generator=generator)
    return F.interpolate(coarse, (size, size), mode="bilinear") * inside


def test_noise_is_zero_outside_the_foreground_and_nowhere_else():
    images = torch.zeros(2, 2, 32, 32)
    images[0, 0, 5:20, 7:30] = 0.3
    images[1, :, 10:12] = 0.004  # the sum over the modalities stays below 0.01
    noise = coarse_noise(streams(2), images)
    assert torch.equal(noise[0] != 0, (images[0].sum(dim=0) > 0).expand(2, -1, -1))
    assert not noise[1].any()


@pytest.mark.parametrize(("edge", "nodes"), [(32, 8), (64, 16), (16, 16)])
def test_noise_has_the_standard_deviation_of_linear_interpolation_everywhere(edge, nodes):
    # Between two nodes the variance is (1 - f)^2 + f^2 of theirs; the roll averages over f.
    f = np.modf(np.arange(edge) * (nodes - 1) / (edge - 1))[0]
    wanted = 0.3 * ((1 - f) ** 2 + f**2).mean()
    noise = coarse_noise(
        streams(2500), torch.ones(2500, 1, edge, edge), standard_deviation=0.3, resolution=nodes
    )
    assert float(noise.std()) == pytest.approx(wanted, rel=0.02)
    by_pixel = noise.std(dim=0)
    assert by_pixel.min() > 0.9 * wanted
    assert by_pixel.max() < 1.1 * wanted
    assert abs(float(noise.mean())) < 0.01


def test_noise_is_the_rolled_enlargement_of_coarse_noise():
    noise = coarse_noise(streams(3), torch.ones(3, 2, 24, 24), resolution=5)
    for k in range(3):
        generator = streams(1, k)
        nodes = 0.2 * generator.normal(2, 5, 5)[0].numpy()
        shift = [int(generator.integers(0, 24, 1)) for _ in range(2)]
        for channel in range(2):
            large = ndimage.zoom(nodes[channel], 24 / 5, order=1, mode="nearest", grid_mode=False)
            wanted = np.roll(large, [-s for s in shift], axis=(0, 1))
            assert noise[k, channel].numpy() == pytest.approx(wanted, abs=1e-6)


def test_noise_of_a_slice_does_not_depend_on_its_batch():
    images = discs(4)
    together = coarse_noise(streams(4), images)
    alone = [coarse_noise(streams(1, k), images[k : k + 1]) for k in range(4)]
    assert torch.equal(together, torch.cat(alone))


def test_convolution_is_that_of_standardised_filters_over_reflected_edges():
    torch.manual_seed(0)
    layer = StandardisedConv2d(3, 4).double()
    x = torch.randn(1, 3, 6, 7, dtype=torch.float64)
    w = layer.weight.detach().numpy().reshape(4, -1)
    filters = (w - w.mean(axis=1, keepdims=True)) / (w.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    found = layer(x)[0].detach().numpy()
    for k, row in enumerate(filters.reshape(4, 3, 3, 3)):
        wanted = sum(
            ndimage.correlate(x[0, c].numpy(), row[c], mode="mirror") for c in range(3)
        ) + float(layer.bias[k].detach())
        assert found[k] == pytest.approx(wanted)


def test_scale_and_offset_of_the_filters_do_not_matter():
    layer = StandardisedConv2d(2, 3)
    before = layer.standardised().detach().clone()
    with torch.no_grad():
        layer.weight.mul_(7).add_(0.5)
    assert torch.allclose(layer.standardised(), before, atol=1e-3)


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (4, 64), (3, 128)])
def test_maps_have_the_shape_of_the_slices(channels, size):
    dae = detector(channels, size)
    with torch.inference_mode():
        found = dae.score_slices(torch.rand(2, channels, size, size), streams(2))
    assert found.shape == (2, channels, size, size)
    assert found.dtype == torch.float32
    assert (found > 0).any()
    assert (found < 0).any()


def test_the_published_network_has_64_to_512_channels():
    dae = DAE(DAEConfig(), ImageSpec(NAMES, (128, 128)))
    state = dae.network().state_dict()
    widths = [w.shape[:2] for name, w in state.items() if w.ndim == 4 and name.startswith("down")]
    channels = [4, 64, 64, 128, 128, 256, 256, 512, 512]
    assert widths == list(zip(channels[1:], channels[:-1], strict=True))
    norms = [m for m in dae.network().modules() if isinstance(m, torch.nn.GroupNorm)]
    found = {m.num_channels: m.num_groups for m in norms}
    assert found == {64: 8, 128: 16, 256: 16, 512: 32}


@pytest.mark.parametrize("size", [4, 60])
def test_a_size_that_the_levels_do_not_divide_is_refused(size):
    with pytest.raises(UserError, match=f"{size} x {size}.*multiple of 8"):
        detector(size=size)


def test_loss_counts_the_square_inside_the_foreground_over_all_pixels():
    dae = detector()
    images = discs(3)
    dae.net = torch.nn.Identity()  # the error is the noise itself
    noise = coarse_noise(streams(3), images).numpy()
    inside = images.sum(dim=1).numpy() > 0.01
    wanted = np.square(noise.transpose(1, 0, 2, 3)[:, inside]).sum() / noise.size
    assert float(dae.loss(images, streams(3))) == pytest.approx(wanted, rel=1e-5)
    assert float(dae.loss(torch.zeros(3, 2, 32, 32), streams(3))) == 0


def test_the_loss_of_a_batch_is_the_mean_of_its_parts_losses():
    """Two processes that share a batch take the gradients of one, however unequal their slices' brains are."""
    dae = detector()
    images = discs(4)
    images[2:, :, :, :20] = 0
    with torch.no_grad():
        together = dae.loss(images, streams(4))
        parts = [dae.loss(images[k : k + 2], streams(2, k)) for k in (0, 2)]
    assert float(sum(parts) / 2) == pytest.approx(float(together), rel=1e-4)


def test_training_lowers_the_loss_and_a_bright_blob_then_stands_out():
    dae = detector(noise_resolution=8)
    optimizer = torch.optim.Adam(dae.net.parameters(), 2e-3, amsgrad=True)
    losses = []
    for step in range(60):
        loss = dae.loss(discs(8, seed=step), streams(8, 8 * step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    healthy = discs(4, seed=1000)
    sick = healthy.clone()
    sick[:, :, 12:17, 14:19] += 0.6
    with torch.inference_mode():
        scores = dae.score_slices(sick, streams(4)).amax(dim=1)
    brain = healthy.sum(dim=1) > 0.01
    for k in range(4):
        assert scores[k, 12:17, 14:19].median() > 3 * scores[k][brain[k]].median()


def test_the_eroded_mask_is_an_option_and_off():
    images = torch.zeros(1, 2, 32, 32)
    images[:, :, 6:26, 4:28] = 0.5
    plain, eroded = detector(), detector(published_eroded_mask=True)
    with torch.inference_mode():
        everywhere = plain.score_slices(images, streams(1))[0]
        inner = eroded.score_slices(images, streams(1))[0]
    # A 5x5 window holds more than 95 % foreground only where all but one of its pixels are.
    kept = np.zeros((32, 32), bool)
    kept[8:24, 6:26] = True
    kept[[8, 8, 23, 23], [6, 25, 6, 25]] = True
    assert torch.equal(inner[:, kept], everywhere[:, kept])
    assert not inner[:, ~kept].any()
    assert everywhere[:, ~kept].any()
    assert plain.training_config() == eroded.training_config()


def test_a_slice_scores_the_same_in_any_batch_and_after_loading():
    dae, other = detector(), detector(seed=1)
    images = discs(4)
    with torch.inference_mode():
        together = dae.score_slices(images, streams(4))
        alone = [dae.score_slices(images[k : k + 1], streams(1, k)) for k in range(4)]
        other.load(dae.state())
        assert torch.equal(other.score_slices(images, streams(4)), together)
        assert torch.equal(images - dae.reconstruct_slices(images, streams(4)), together)
    # Untrained scores reach 4. Float32 sums of GroupNorm over channels-last images are cut by batch size and threads:
    # 1e-5 of the largest score on one processor, 3e-5 on another.
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=1e-4 * together.max().item())


@pytest.mark.parametrize(
    "values", [{"base_width": 1}, {"depth": 0}, {"noise_resolution": 1}, {"noise_std": 0}]
)
def test_impossible_hyper_parameters_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        DAEConfig(**values)


def test_the_paper_preset_is_the_published_one():
    run = load_run_config(method_entry("dae"), "paper", [], "dae")
    assert validated(DAEConfig, run.detector, "dae") == DAEConfig()
    training = run.training
    assert (training.epochs, training.steps, training.batch_size) == (19, None, 16)
    assert (training.optimizer, training.amsgrad) == ("adam", True)
    assert (training.learning_rate, training.weight_decay) == (1e-4, 1e-5)
    assert (training.schedule, training.schedule_epochs, training.warmup) == ("cosine", 100, 0)
    assert training.ema_decay is None
    assert all(field.description for field in DAEConfig.model_fields.values())


def test_filters_are_standardised_once_as_long_as_the_weights_stay():
    layer = StandardisedConv2d(2, 3)
    with torch.no_grad():
        first = layer.standardised()
        assert layer.standardised() is first
        layer.weight.mul_(torch.rand(3, 2, 3, 3))
        changed = layer.standardised()
    assert not torch.equal(changed, first)
    assert torch.equal(changed, layer.standardised())
    assert layer.standardised().requires_grad  # in training never kept
