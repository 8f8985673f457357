import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch.distributions import Normal

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.baselines.ae import AE, AEConfig, AutoencoderDetector
from methods.baselines.vae import VAE, VAEConfig
from methods.networks.autoencoder import kl_divergence

NAMES = ("flair", "t1", "t1ce", "t2")
BOTH = [AE, VAE]


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(
    cls: type[AutoencoderDetector], channels: int = 2, size: int = 32, seed: int = 0, **values
) -> AutoencoderDetector:
    torch.manual_seed(seed)
    values = {"base_width": 8, "levels": 2, "latent": 16, "normalisation": "group"} | values
    out = cls(cls.Config(**values), ImageSpec(NAMES[:channels], (size, size)))
    out.net = out.network().eval()
    return out


def discs(count: int, seed: int = 0) -> torch.Tensor:
    """Smooth round slices of about 0.5, of two modalities, black around."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.linspace(-1, 1, 32)
    inside = (axis[:, None] ** 2 + axis**2) < 0.7
    coarse = 0.4 + 0.2 * torch.rand(count, 2, 2, 2, generator=generator)
    return F.interpolate(coarse, (32, 32), mode="bilinear") * inside


def train(model: AutoencoderDetector, steps: int) -> list[float]:
    model.net.train()
    optimizer = torch.optim.Adam(model.net.parameters(), 3e-3)
    losses = []
    for step in range(steps):
        loss = model.loss(discs(8, seed=step), streams(8, 8 * step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.net.eval()
    return losses


@pytest.fixture(scope="module")
def trained() -> dict[type[AutoencoderDetector], tuple[AutoencoderDetector, list[float]]]:
    out = {}
    for cls in BOTH:
        model = detector(cls)
        out[cls] = model, train(model, 120)
    return out


def with_blob() -> tuple[torch.Tensor, torch.Tensor]:
    """Four slices with a bright blob each, and where the brain is."""
    healthy = discs(4, seed=1000)
    sick = healthy.clone()
    sick[:, :, 12:17, 14:19] += 0.6
    return sick, healthy.sum(dim=1) > 0.01


def assert_blob_stands_out(scores: torch.Tensor, brain: torch.Tensor) -> None:
    scores = scores.amax(dim=1)
    for k in range(len(scores)):
        assert scores[k, 12:17, 14:19].median() > 3 * scores[k][brain[k]].median()


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("channels", "size", "levels"), [(1, 64, 3), (4, 64, 4), (3, 128, 4), (2, 32, 5)]
)
@pytest.mark.parametrize("normalisation", ["batch", "group"])
def test_maps_have_the_shape_of_the_slices(cls, channels, size, levels, normalisation):
    model = detector(cls, channels, size, levels=levels, normalisation=normalisation)
    batch = torch.rand(2, channels, size, size)
    with torch.inference_mode():
        found = model.score_slices(batch, streams(2))
    assert found.shape == batch.shape
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    assert torch.isfinite(model.loss(batch, streams(2)))


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(("size", "levels"), [(36, 3), (8, 4)])
def test_a_size_that_the_strides_do_not_divide_is_refused(cls, size, levels):
    with pytest.raises(UserError, match=f"{size} x {size}.*multiple of {2**levels}"):
        detector(cls, size=size, levels=levels)


def test_the_published_network_reduces_a_slice_to_8_x_8_and_then_to_128_numbers():
    ae = AE(AEConfig(), ImageSpec(NAMES, (128, 128)))
    net = ae.network().eval()
    shapes = []
    for layer in net.encoder:
        layer.register_forward_hook(lambda *a: shapes.append(tuple(a[2].shape[1:])))
    net(torch.zeros(1, 4, 128, 128))
    assert shapes[-3:] == [(16, 8, 8), (1024,), (128,)]
    assert [s[0] for s in shapes[:12:3]] == [32, 64, 128, 128]


@pytest.mark.parametrize(("distance", "power"), [("l1", 1), ("l2", 2)])
def test_loss_of_the_autoencoder_is_the_mean_error(distance, power):
    ae = detector(AE, distance=distance)
    images = discs(3)
    error = (ae.net(images) - images).detach().numpy()
    wanted = np.mean(np.abs(error) ** power)
    assert ae.loss(images, streams(3)).item() == pytest.approx(wanted, rel=1e-5)


def test_divergence_is_that_of_the_two_normal_distributions():
    mean, log_variance = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    posterior = Normal(mean, (log_variance / 2).exp())
    wanted = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(kl_divergence(mean, log_variance), wanted, rtol=1e-5)
    assert not kl_divergence(torch.zeros(2, 7), torch.zeros(2, 7)).any()


@pytest.mark.parametrize("kl_weight", [1.0, 0.25])
def test_loss_of_the_variational_autoencoder_is_the_negative_evidence_lower_bound(kl_weight):
    vae = detector(VAE, kl_weight=kl_weight)
    images = discs(3)
    _, mean, log_variance = vae.net(images)
    posterior = Normal(mean, (log_variance / 2).exp())
    latent = mean + posterior.scale * streams(3).normal(16)
    likelihood = torch.distributions.Laplace(vae.net.decoder(latent), 1.0).log_prob(images)
    likelihood = likelihood + np.log(2)  # the constant of the density
    divergence = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0))
    bound = likelihood.sum() - kl_weight * divergence.sum()
    found = vae.loss(images, streams(3)).item()
    assert found == pytest.approx(-bound.item() / images.numel(), rel=1e-5)


def test_the_latent_is_sampled_in_training_from_each_slices_own_stream():
    vae = detector(VAE)
    images = discs(3)
    losses = [vae.loss(images, streams(3, start)).item() for start in (0, 0, 3)]
    assert losses[0] == losses[1] != losses[2]
    alone = [vae.loss(images[k : k + 1], streams(1, k)).item() for k in range(3)]
    assert np.mean(alone) == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("cls", BOTH)
def test_training_lowers_the_loss_and_a_bright_blob_then_stands_out(trained, cls):
    model, losses = trained[cls]
    assert np.mean(losses[-5:]) < 0.4 * np.mean(losses[:5])
    sick, brain = with_blob()
    with torch.inference_mode():
        assert_blob_stands_out(model.score_slices(sick, streams(4)), brain)


@pytest.mark.parametrize("cls", BOTH)
def test_scoring_is_no_matter_of_chance_nor_of_the_batch(trained, cls):
    model, _ = trained[cls]
    sick, _ = with_blob()
    with torch.inference_mode():
        together = model.score_slices(sick, streams(4))
        assert torch.equal(model.score_slices(sick, streams(4, 50)), together)
        alone = [model.score_slices(sick[k : k + 1], streams(1)) for k in range(4)]
    # Rounding depends on how sums are cut: by batch size, threads and processor.
    assert torch.allclose(together, torch.cat(alone), rtol=0, atol=1e-4 * together.max().item())


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("normalisation", ["batch", "group"])
def test_a_loaded_detector_scores_the_same(cls, normalisation):
    model = detector(cls, normalisation=normalisation)
    train(model, 3)
    other = detector(cls, seed=1, normalisation=normalisation)
    other.load(model.state())
    with torch.inference_mode():
        found = other.score_slices(discs(2), streams(2))
        assert torch.equal(found, model.score_slices(discs(2), streams(2)))


@pytest.fixture(scope="module")
def restoring(trained) -> VAE:
    vae, _ = trained[VAE]
    out = detector(VAE, restoration=True, restoration_steps=60)
    out.load(vae.state())
    return out


def test_restoration_lowers_its_objective_though_scoring_runs_in_inference_mode(restoring):
    sick, brain = with_blob()
    with torch.inference_mode():
        inner = sick.clone()  # an inference tensor, as the engine's may be
        scores = restoring.score_slices(inner, streams(4))
        restored = restoring.restore(inner)
        weights = restoring.weights_in(sick.dtype)
        before = restoring.restoration_objective(sick, sick, weights)
        after = restoring.restoration_objective(restored, sick, weights)
    assert (after < 0.9 * before).all()
    assert torch.equal(inner, sick)
    assert torch.equal(scores, sick - restored)
    assert not scores.requires_grad
    assert all(p.grad is None for p in restoring.net.parameters())
    assert_blob_stands_out(scores, brain)


def test_a_restored_map_does_not_depend_on_how_many_slices_are_restored_at_once(restoring):
    sick, _ = with_blob()
    for smoothing in (0.0, 0.1):
        config = restoring.config.model_copy(update={"restoration_smoothing": smoothing})
        vae = VAE(config, restoring.spec)
        vae.net = restoring.net
        one_by_one = torch.cat([vae.restore(image[None]) for image in sick])
        assert (vae.restore(sick) - one_by_one).abs().max() < 1e-6


@pytest.mark.parametrize(("distance", "smoothing"), [("l2", 0.0), ("l1", 0.1)])
def test_one_step_of_restoration_goes_down_the_gradient_of_finite_differences(distance, smoothing):
    values = {"restoration_rate": 0.01, "restoration_weight": 3.0}
    vae = detector(
        VAE, distance=distance, restoration_steps=1, restoration_smoothing=smoothing, **values
    )
    image = with_blob()[0][:1]

    def bound(x: torch.Tensor) -> float:
        reconstruction, mean, log_variance = vae.net(x)
        posterior = Normal(mean, (log_variance / 2).exp())
        divergence = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0))
        error = (reconstruction - x).double().square()
        if distance == "l1":
            error = (error + smoothing**2).sqrt() - smoothing
        return float(error.sum() + divergence.double().sum())

    noise = torch.randn(3, *image.shape, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        gradient = (image - vae.restore(image)) / 0.01
        directions = [gradient / gradient.norm()]
        directions += [d / d.norm() for d in noise]
        for direction in directions:
            rise = bound(image + 1e-3 * direction) - bound(image - 1e-3 * direction)
            found = float((gradient * direction).sum())
            # float32 rounds a bound of some hundred nats to 1e-4, of which a step of 1e-3 makes 0.3
            assert found == pytest.approx(
                3 * rise / 2e-3, rel=0.01, abs=3e-3 * float(gradient.norm())
            )


def test_restoration_shares_the_training_and_is_named_in_tables():
    plain, restoring = detector(VAE), detector(VAE, restoration=True, restoration_rate=0.1)
    assert plain.training_config() == restoring.training_config()
    assert (plain.label(), restoring.label()) == ("vae", "vae (restoration)")
    assert detector(VAE, kl_weight=0.1).training_config() != plain.training_config()


@pytest.mark.parametrize(
    "values",
    [{"base_width": 12}, {"levels": 0}, {"latent": 0}, {"kl_weight": -1}, {"restoration_steps": 0}],
)
def test_impossible_hyper_parameters_are_refused(values):
    with pytest.raises(ValidationError, match=next(iter(values))):
        VAEConfig(**values)


@pytest.mark.parametrize("cls", BOTH)
def test_every_preset_is_in_order_and_that_of_the_paper_published(cls):
    entry = method_entry(cls.name)
    paper = load_run_config(entry, "paper", [], cls.name)
    assert validated(cls.Config, paper.detector, cls.name) == cls.Config()
    training = paper.training
    assert (training.batch_size, training.learning_rate, training.schedule) == (8, 1e-4, "constant")
    quick = load_run_config(entry, "quick", [], cls.name)
    size = quick.preprocessing.size
    config = validated(cls.Config, quick.detector, cls.name)
    shape = cls(config, ImageSpec(NAMES, (size, size))).shape()
    assert shape.bottleneck == (16, 6, 6)
    assert all(field.description for field in cls.Config.model_fields.values())


@pytest.mark.parametrize("restoration", [False, True])
@pytest.mark.parametrize("cls", BOTH)
def test_the_reconstruction_that_is_shown_is_the_one_behind_the_map(cls, restoration):
    options = {"restoration": restoration, "restoration_steps": 2} if cls is VAE else {}
    model, images = detector(cls, **options), discs(2)
    with torch.inference_mode():
        shown = model.reconstruct_slices(images, streams(2))
        assert torch.equal(images - shown, model.score_slices(images, streams(2)))
