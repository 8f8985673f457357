import weakref

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from andi_bench.randomness import SliceGenerator
from methods.andi.detector import ANDi, ANDiConfig
from methods.base import ImageSpec
from methods.diffusion.schedule import linear_schedule

SPEC = ImageSpec(("flair", "t1"), (16, 16))


class Shrinking(nn.Module):
    """A stand-in for a trained network: a smooth function of x and t."""

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x * (1 + t[:, None, None, None] / 500))


class Seeing(nn.Module):
    """Predicts the very noise that was drawn, but for a small random error."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error
        self.generator = torch.Generator().manual_seed(0)
        self.drawn: torch.Tensor

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.drawn + self.error * torch.randn(x.shape, generator=self.generator)


def all_but_perfect(error: float, **values: object) -> ANDi:
    net = Seeing(error)
    andi = detector(net, **values)
    draw = andi.noise

    def spy(*args: object, **kwargs: object) -> torch.Tensor:
        net.drawn = draw(*args, **kwargs)  # type: ignore[arg-type]
        return net.drawn

    andi.noise = spy  # type: ignore[method-assign]
    return andi


def detector(net: nn.Module | None = None, **values: object) -> ANDi:
    out = ANDi(ANDiConfig(**values), SPEC)
    out.net = net or Shrinking()
    return out


def slices(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 2, 16, 16, generator=torch.Generator().manual_seed(1))


def streams(count: int = 3, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def by_definition(
    batch: torch.Tensor, config: ANDiConfig, directions: list[np.ndarray] | None = None
) -> np.ndarray:
    """All deviations (steps, N, C, H, W), by subtraction of the two means, in float64; eps_hat - eps to ``directions``."""
    beta = np.linspace(1e-4, 0.02, 1000)
    alpha_bar = np.cumprod(1 - beta)
    image = 2 * batch.double() - 1
    out = []
    for t in range(config.t_high - 1, config.t_low - 1, -config.stride):
        parts = []
        for draw in range(config.draws):
            stream = streams(len(batch)).fork(f"t = {t}, draw {draw}")
            noise = stream.normal(2, 16, 16).double()
            x_t = np.sqrt(alpha_bar[t]) * image + np.sqrt(1 - alpha_bar[t]) * noise
            steps = torch.full((len(batch),), t)
            predicted = Shrinking()(x_t, steps)
            if directions is not None:
                directions.append((predicted - noise).numpy())
            mean, mean_hat = (
                (x_t - beta[t] / np.sqrt(1 - alpha_bar[t]) * e) / np.sqrt(1 - beta[t])
                for e in (noise, predicted)
            )
            parts.append((mean - mean_hat).square())
        out.append(torch.stack(parts).mean(dim=0).numpy())
    return np.stack(out)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("aggregation", ["gmean", "mean", "prob"])
def test_maps_equal_the_direct_formula_in_double_precision(aggregation, draws):
    andi = detector(t_low=75, t_high=120, stride=4, draws=draws, aggregation=aggregation)
    directions: list[np.ndarray] = []
    steps = by_definition(slices(), andi.config, directions)
    if aggregation == "gmean":
        wanted = stats.gmean(steps, axis=0)
    elif aggregation == "mean":
        wanted = steps.mean(axis=0)
    else:
        variance = linear_schedule().posterior_variance[list(andi.time_steps())]
        product = np.exp(-steps / (2 * variance[:, None, None, None, None]) / len(steps))
        wanted = -np.log(product.prod(axis=0))
    found = andi.score_slices(slices(), streams()).numpy()
    assert np.abs(found) == pytest.approx(wanted, rel=2e-3)
    assert np.median(np.abs(np.abs(found) / wanted - 1)) < 2e-6
    direction = np.sum(directions, axis=0)
    clear = np.abs(direction) > 1e-4
    assert clear.mean() > 0.99
    assert np.array_equal(found[clear] > 0, direction[clear] > 0)


def test_what_is_brighter_than_the_network_expects_scores_above_0_and_what_is_darker_below():
    flat = torch.full((2, 2, 16, 16), 0.5)

    class ExpectsFlat(nn.Module):
        """The perfect denoiser of one image, 0 on [-1, 1] scale."""

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            alpha_bar = torch.from_numpy(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
            return (x / (1 - alpha_bar[t]).sqrt()[:, None, None, None]).float()

    image = flat.clone()
    image[0, 0, 3:6, 3:6] += 0.3
    image[1, 1, 8:12, 4:9] -= 0.3
    found = detector(ExpectsFlat(), t_low=75, t_high=200, stride=25).score_slices(image, streams(2))
    changed = image != flat
    assert (found[image > flat] > 0).all()
    assert (found[image < flat] < 0).all()
    assert found[changed].abs().min() > 100 * found[~changed].abs().max()


def test_published_range_is_75_to_199_and_a_stride_counts_down_from_the_top():
    assert list(detector().time_steps()) == list(range(199, 74, -1))
    assert list(detector(t_low=25, t_high=125, stride=4).time_steps()) == list(range(124, 24, -4))


def test_step_weights_do_not_change_the_order_of_voxels_in_a_geometric_mean():
    andi = detector(t_low=100, t_high=110)
    with_weights = andi.score_slices(slices(), streams())
    weights = linear_schedule().deviation_weight[list(andi.time_steps())]
    without = with_weights / np.exp(np.log(weights).mean())
    plain = by_definition(slices(), andi.config) / weights[:, None, None, None, None]
    assert without.abs().numpy() == pytest.approx(stats.gmean(plain, axis=0), rel=2e-3)
    order = np.argsort(with_weights.numpy().ravel())
    assert np.array_equal(order, np.argsort(without.numpy().ravel()))


@pytest.mark.parametrize("error", [0.0, 1e-6, 0.02])
def test_no_voxel_is_exactly_zero_however_good_the_network(error):
    found = all_but_perfect(error).score_slices(slices(), streams())
    assert torch.isfinite(found).all()
    assert (found != 0).all()


def test_published_zeros_are_an_option_and_make_the_geometric_mean_zero():
    found = all_but_perfect(0.02, published_zeros=True).score_slices(slices(), streams())
    assert torch.isfinite(found).all()
    assert (found == 0).any()
    assert not (found == 0).all()
    # Before, as many voxels were zero and others: such maps are not found again.
    assert ANDiConfig(published_zeros=True).revision() != ANDiConfig().revision() == {}


def test_a_slice_scores_the_same_in_any_batch():
    torch.manual_seed(0)
    andi = detector(t_low=75, t_high=200, stride=25)
    andi.net = ANDi(ANDiConfig(base_width=8), SPEC).network().eval()
    with torch.inference_mode():
        together = andi.score_slices(slices(5), streams(5))
        alone = [andi.score_slices(slices(5)[k : k + 1], streams(1, k)) for k in range(5)]
    # Rounding depends on how sums are cut: by batch size, threads and processor.
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=1e-4 * together.max().item())


class LargestLive(TorchDispatchMode):
    """Sum of the bytes of all tensors that live at once, at its largest."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self.live:
                    self.live[key] = storage.nbytes()
                    weakref.finalize(storage, self.live.pop, key, None)
        self.largest = max(self.largest, sum(self.live.values()))
        return out


@pytest.mark.parametrize("aggregation", ["gmean", "mean", "prob"])
def test_memory_does_not_grow_with_the_number_of_time_steps(aggregation):
    def largest(t_high: int) -> int:
        andi = detector(t_low=75, t_high=t_high, aggregation=aggregation)
        with torch.inference_mode(), LargestLive() as watch:
            andi.score_slices(slices(8), streams(8))
        return watch.largest

    few = largest(80)
    assert largest(275) <= few * 1.05
    assert few < 12 * slices(8).nbytes


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    andi = detector(base_width=8, attention=(), training_t_high=1000)
    andi.net = andi.network()
    optimizer = torch.optim.AdamW(andi.net.parameters(), 3e-3)
    losses = []
    for step in range(40):
        loss = andi.loss(slices(8), streams(8, 8 * step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_time_steps_of_training_stay_in_their_range():
    seen: list[int] = []

    class Noting(Shrinking):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            seen.extend(t.tolist())
            return super().forward(x, t)

    andi = detector(
        Noting(),
        training_t_low=20,
        training_t_high=24,
        t_low=20,
        t_high=24,
        training_noise="gaussian",
    )
    for k in range(20):
        andi.loss(slices(8), streams(8, 8 * k))
    assert set(seen) == {20, 21, 22, 23}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"t_low": 200, "t_high": 200}, "t_low = 200"),
        ({"t_low": 0}, "t_low"),
        ({"t_high": 1001}, "1000"),
        ({"training_t_high": 150}, "trained on 1..149"),
        ({"training_t_low": 80}, "trained on 80..999"),
        ({"training_t_low": 300, "training_t_high": 200}, "training_t_low = 300"),
        ({"base_width": 7}, "even"),
        ({"attention": [2]}, "attention"),
        ({"aggregation": "median"}, "aggregation"),
        ({"tlow": 3}, "tlow"),
    ],
)
def test_impossible_hyper_parameters_are_refused(values, said):
    with pytest.raises(ValidationError, match=said):
        ANDiConfig(**values)


def test_scoring_options_do_not_change_what_identifies_the_training():
    one = detector(t_low=25, t_high=125, stride=4, aggregation="mean", draws=2)
    assert one.training_config() == detector().training_config()
    assert detector(discount=0.7).training_config() != detector().training_config()
    assert (
        detector(attention=(16, 8)).training_config()
        == detector(attention=(8, 16)).training_config()
    )
    assert one.training_name == "ddpm"


def test_every_hyper_parameter_is_described():
    assert all(field.description for field in ANDiConfig.model_fields.values())
