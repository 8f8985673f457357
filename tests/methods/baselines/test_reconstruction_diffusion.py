"""AnoDDPM and AutoDDPM, with networks whose answer is known."""

import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from skimage.metrics import structural_similarity
from torch import nn

from andi_bench.config import ScoringConfig, load_run_config, method_entry
from andi_bench.errors import UserError
from andi_bench.randomness import SliceGenerator
from benchmark.scoring.engine import ScoreEngine
from datasets.volume import NativeGrid, Volume
from methods.andi.detector import ANDi, ANDiConfig
from methods.base import ImageSpec
from methods.baselines.anoddpm import AnoDDPM, AnoDDPMConfig
from methods.baselines.autoddpm import AutoDDPM, AutoDDPMConfig
from methods.diffusion.perceptual import perceptual_distance, structural_dissimilarity
from methods.diffusion.schedule import linear_schedule

EDGE = 32
SPEC = ImageSpec(("flair", "t1"), (EDGE, EDGE))
SHORT = {"noise_steps": 40, "stride": 3, "training_noise": "gaussian"}


class Knowing(nn.Module):
    """Knows the healthy image, and so predicts the noise in any noised form of it exactly."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = 2 * image - 1
        self.schedule = linear_schedule()
        self.calls: list[int] = []

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        step = int(t[0])
        self.calls.append(step)
        alpha_bar = self.schedule.alpha_bar[step]
        return (x - np.sqrt(alpha_bar) * self.image) / np.sqrt(1 - alpha_bar)


def streams(count: int = 2, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def slices(count: int = 2) -> torch.Tensor:
    smooth = nn.AvgPool2d(5, 1, 2)
    noise = torch.rand(count, 2, EDGE, EDGE, generator=torch.Generator().manual_seed(1))
    return smooth(noise)


def with_lesion(images: torch.Tensor) -> torch.Tensor:
    out = images.clone()
    out[:, 0, 10:16, 10:16] += 0.4
    return out


def anoddpm(net: nn.Module, **values: object) -> AnoDDPM:
    out = AnoDDPM(AnoDDPMConfig(**{**SHORT, **values}), SPEC)
    out.net = net
    return out


def autoddpm(net: nn.Module, **values: object) -> AutoDDPM:
    given = {**SHORT, "inpainting_steps": 20, "resampling": 2, "mask_threshold": 0.05, **values}
    out = AutoDDPM(AutoDDPMConfig(**given), SPEC)
    out.net = net
    return out


@pytest.mark.parametrize("noise", ["gaussian", "pyramid", "simplex"])
def test_with_a_perfect_denoiser_anoddpm_returns_its_input(noise):
    batch = slices()
    detector = anoddpm(Knowing(batch), training_noise=noise)
    assert detector.reconstruct(batch, streams()).numpy() == pytest.approx(batch.numpy(), abs=1e-5)
    assert detector.score_slices(batch, streams()).abs().max() < 1e-5


def test_the_residual_is_what_differs_from_the_healthy_image():
    healthy = slices()
    batch = with_lesion(healthy)
    absolute = anoddpm(Knowing(healthy)).score_slices(batch, streams())
    assert absolute.numpy() == pytest.approx((batch - healthy).numpy(), abs=1e-5)
    squared = anoddpm(Knowing(healthy), residual="squared").score_slices(batch, streams())
    assert squared.abs().numpy() == pytest.approx((batch - healthy).square().numpy(), abs=1e-5)
    assert torch.equal(squared.sign(), absolute.sign())


def test_the_chain_back_visits_the_time_steps_it_says():
    net = Knowing(slices())
    anoddpm(net, stride=1).score_slices(slices(), streams())
    assert net.calls == list(range(39, 0, -1))
    net.calls.clear()
    anoddpm(net, stride=6).score_slices(slices(), streams())
    assert net.calls == [39, 33, 27, 21, 15, 9, 3]


def test_the_published_chain_has_249_network_calls():
    batch = slices(1)
    net = Knowing(batch)
    detector = AnoDDPM(AnoDDPMConfig(training_noise="gaussian"), SPEC)
    detector.net = net
    detector.score_slices(batch, streams(1))
    assert len(net.calls) == 249


def test_starting_one_step_too_high_as_published_leaves_noise_in_the_first_prediction():
    batch = slices()

    class Still(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

    own = anoddpm(Still(), stride=30).reconstruct(batch, streams())
    published = anoddpm(Still(), stride=30, published_start=True).reconstruct(batch, streams())
    assert not torch.allclose(own, published)


def test_one_draw_for_the_batch_as_published_makes_maps_depend_on_the_batch():
    class Zero(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

    batch = slices()
    for published in (False, True):
        detector = anoddpm(Zero(), published_batch_noise=published, stride=38)
        together = detector.score_slices(batch, streams())
        alone = detector.score_slices(batch[1:], streams(1, 1))
        assert torch.allclose(together[1:], alone, atol=1e-5) is not published


def test_one_draw_for_the_batch_as_published_is_one_at_every_step_of_the_chain():
    class Zero(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

    detector = anoddpm(Zero(), published_batch_noise=True, stride=38)
    noises = detector.noise("gaussian", streams(6), slices(1).expand(6, -1, -1, -1), shared=True)
    # All of them are that of the first, turned and mirrored: squares keep their sum of squares at quarter turns.
    first = streams(1).normal(2, EDGE, EDGE)[0]
    turns = [torch.rot90(m, k, (1, 2)) for k in range(4) for m in (first, first.flip(1))]
    middle = (..., slice(10, 22), slice(10, 22))
    for noise in noises:
        assert 0.8 < float(noise[middle].std()) < 1.2
    many = detector.noise("gaussian", streams(60), slices(1).expand(60, -1, -1, -1), shared=True)
    straight = [n for n in many if any(torch.allclose(n, turn, atol=1e-5) for turn in turns)]
    assert 3 <= len(straight) <= 20  # four turns of 24
    start = detector.noise("gaussian", streams(2), slices())
    assert not torch.equal(start[0], start[1])


def test_the_lost_clamp_leaves_the_noise_of_the_last_step_in_the_first_reconstruction():
    # q(x_0 level | x_1, image) keeps sqrt(alpha_1) (1 - alpha_bar_0) / (1 - alpha_bar_1) of x_1.
    white = torch.ones(2, 2, EDGE, EDGE)
    own = autoddpm(Knowing(white), stride=1).first(white, streams())
    assert own.numpy() == pytest.approx(1, abs=1e-5)
    lost = autoddpm(Knowing(white), stride=1, published_no_clamp=True).first(white, streams())
    beta = np.linspace(1e-4, 0.02, 1000)[:2]
    kept = np.sqrt(1 - beta[1]) * beta[0] / np.sqrt(1 - np.prod(1 - beta))
    assert lost.mean().item() == pytest.approx(np.sqrt(1 - beta[0]), abs=1e-3)
    assert lost.std().item() == pytest.approx(kept, rel=0.1)
    assert lost.max() > 1


def test_the_published_autoddpm_and_one_call_more_that_denoises_what_it_leaves():
    batch = slices(1)
    net = Knowing(batch)
    detector = AutoDDPM(AutoDDPMConfig(mask_threshold=0.1), SPEC)
    detector.net = net
    detector.score_slices(batch, streams(1))
    assert net.calls[:199] == list(range(199, 0, -1))
    assert net.calls[199:-1] == [t for t in range(49, 1, -1) for _ in range(5)]
    assert net.calls[-1] == 1
    assert len(net.calls) == 439 + 1


def test_the_maps_of_a_slice_do_not_depend_on_its_batch():
    healthy = slices(3)
    batch = with_lesion(healthy)
    for make in (anoddpm, autoddpm):
        together = make(Knowing(healthy)).score_slices(batch, streams(3))
        alone = make(Knowing(healthy[2:])).score_slices(batch[2:], streams(1, 2))
        assert torch.allclose(together[2:], alone, atol=1e-5)


def test_autoddpm_changes_nothing_outside_its_mask_and_restores_the_lesion_inside():
    healthy = slices()
    batch = with_lesion(healthy)
    detector = autoddpm(Knowing(healthy))
    image, mask = 2 * batch - 1, torch.zeros_like(batch)
    mask[:, :, 9:17, 9:17] = 1
    first = torch.rand_like(image)
    inpainted = detector.inpaint(image, first, mask, streams())
    assert torch.equal(inpainted[mask == 0], image[mask == 0])
    target = 2 * healthy - 1
    assert inpainted[mask == 1].numpy() == pytest.approx(target[mask == 1].numpy(), abs=1e-4)
    scores = detector.score_slices(batch, streams())
    lesion = (batch - healthy) > 0
    assert scores[lesion].mean() > 20 * scores[~lesion].mean()


def test_resampling_keeps_the_known_region_at_the_noise_level_of_its_time_step():
    # The network sees x_t; outside the mask x_t must be the slice noised to t, whatever was resampled before.
    batch = torch.zeros(1, 2, EDGE, EDGE) + 0.5
    seen: dict[int, list[float]] = {}

    class Watching(Knowing):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            seen.setdefault(int(t[0]), []).append(float(x[:, :, :16].var()))
            return super().forward(x, t)

    detector = autoddpm(Watching(batch), inpainting_steps=39, resampling=8, stride=6)
    mask = torch.zeros_like(batch)
    mask[:, :, 16:] = 1
    detector.inpaint(2 * batch - 1, 2 * batch - 1, mask, streams(1))
    assert list(seen) == [38, 32, 26, 20, 14, 8, 2]
    for t, variances in seen.items():
        level = 1 - linear_schedule().alpha_bar[t]
        assert len(variances) == (1 if t == 2 else 8)
        assert np.mean(variances) == pytest.approx(level, rel=0.1)


def test_the_mask_threshold_is_found_on_lesion_free_validation_voxels_alone():
    healthy = slices(4)
    images = with_lesion(healthy)
    noise = torch.rand(healthy.shape, generator=torch.Generator().manual_seed(3))
    images = images + 0.1 * noise  # so that the first mask is spread
    lesion = np.zeros((EDGE, EDGE, 4), bool)
    lesion[10:16, 10:16] = True
    brain = np.ones((EDGE, EDGE, 4), bool)
    native = NativeGrid((EDGE, EDGE, 4), np.eye(4), np.zeros((3, 2)), ((0, 0), (0, 0)))
    volume = Volume("S1", images.permute(1, 2, 3, 0).numpy(), brain, lesion, np.eye(4), native)
    detector = autoddpm(Knowing(healthy), mask_threshold=None, mask_rate=0.1)
    assert detector.needs_calibration
    engine = ScoreEngine(0, torch.device("cpu"), ScoringConfig(batch_size=4))
    found = detector.calibrate([volume], engine)["mask_threshold"]
    _, batch, generator = next(iter(engine.batches(volume)))
    mask = detector.first_mask(2 * batch - 1, detector.first(2 * batch - 1, generator))
    values = mask.permute(2, 3, 0, 1).numpy()[~lesion]
    assert (values > found).mean() <= 0.1
    assert (values > found - 3e-4).mean() >= 0.1
    assert not autoddpm(Knowing(healthy)).needs_calibration
    with pytest.raises(UserError, match="no lesion-free validation voxel"):
        detector.calibrate([], engine)


def test_structural_dissimilarity_of_one_scale_is_that_of_scikit_image():
    first, second = slices(1)[:, :1], with_lesion(slices(1))[:, :1]
    x, y = (
        2 * image[0, 0].double().numpy() - 1
        for image in (first[..., :20, :20], second[..., :20, :20])
    )
    _, wanted = structural_similarity(
        x, y, data_range=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    found = structural_dissimilarity(2 * first[..., :20, :20] - 1, 2 * second[..., :20, :20] - 1)[
        0, 0
    ].numpy()
    inner = (slice(6, -6),) * 2
    assert found[inner] == pytest.approx(1 - np.clip(wanted[inner], 0, 1), abs=1e-4)


def test_structural_dissimilarity_is_zero_for_equal_images_and_highest_at_the_change():
    image = 2 * slices(1) - 1
    changed = 2 * with_lesion(slices(1)) - 1
    assert structural_dissimilarity(image, image).abs().max() < 1e-3
    found = structural_dissimilarity(image, changed)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[:, 1].abs().max() < 1e-3  # the other modality did not change
    peak = np.unravel_index(int(found[0, 0].argmax()), (EDGE, EDGE))
    assert all(6 <= place < 20 for place in peak)


def test_lpips_without_its_package_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(UserError, match=r"andi-bench\[lpips\]"):
        perceptual_distance("lpips")


def test_the_label_names_the_perceptual_distance_that_ran():
    assert autoddpm(nn.Identity()).label() == "autoddpm (ms-ssim)"


def test_chains_longer_than_the_training_are_refused():
    with pytest.raises(ValidationError, match=r"trained on 1\.\.149"):
        AnoDDPMConfig(training_t_high=150, noise_steps=250)
    with pytest.raises(ValidationError, match=r"trained on 1\.\.149"):
        AutoDDPMConfig(training_t_high=150, noise_steps=200)
    with pytest.raises(ValidationError, match="stride"):
        AnoDDPMConfig(noise_steps=20, stride=19)


def test_detectors_whose_training_agrees_have_one_training():
    andi = ANDi(ANDiConfig(training_noise="gaussian"), SPEC)
    auto = AutoDDPM(AutoDDPMConfig(), SPEC)
    ano = AnoDDPM(AnoDDPMConfig(training_noise="gaussian", residual="squared"), SPEC)
    assert andi.training_config() == auto.training_config() == ano.training_config()
    assert andi.training_name == auto.training_name == ano.training_name
    assert AnoDDPM(AnoDDPMConfig(), SPEC).training_config() != auto.training_config()


def test_the_reconstruction_that_is_shown_is_the_one_behind_the_map():
    healthy = slices()
    batch = with_lesion(healthy) + 0.05 * slices().flip(0)
    detector = anoddpm(Knowing(healthy))
    shown = detector.reconstruct_slices(batch, streams())
    assert torch.equal(batch - shown, detector.score_slices(batch, streams()))
    of_a_batch = anoddpm(Knowing(healthy), published_batch_noise=True)
    assert of_a_batch.reconstruct_slices(batch, streams()) is None  # no slice alone has one

    masking = autoddpm(Knowing(healthy))
    scores = masking.score_slices(batch, streams())
    mask = masking.first_mask(2 * batch - 1, masking.first(2 * batch - 1, streams()))
    inpainted = masking.reconstruct_slices(batch, streams())
    assert scores.abs().max() > 0.1
    assert ((batch - inpainted) * mask).numpy() == pytest.approx(scores.numpy(), abs=1e-5)


def test_the_published_end_of_anoddpm_is_the_mean_at_time_step_0():
    batch = torch.ones(2, 2, EDGE, EDGE)
    own = anoddpm(Knowing(batch), stride=1).reconstruct(batch, streams())
    assert own.numpy() == pytest.approx(1, abs=1e-5)
    published = anoddpm(Knowing(batch), stride=1, published_end=True).reconstruct(batch, streams())
    beta = np.linspace(1e-4, 0.02, 1000)[:2]
    kept = np.sqrt(1 - beta[1]) * beta[0] / np.sqrt(1 - np.prod(1 - beta)) / 2
    assert published.std().item() == pytest.approx(kept, rel=0.1)
    assert published.max() > 1


def test_the_paper_preset_of_anoddpm_squares_its_residual():
    run = load_run_config(method_entry("anoddpm"), "paper", [], "anoddpm")
    assert run.detector["residual"] == "squared"


def test_autoddpms_published_steps_are_the_formulas(monkeypatch):
    batch = slices()
    plain = autoddpm(Knowing(batch))
    published = autoddpm(Knowing(batch), published_start=True, published_resampling=True)
    noised = []
    original = type(plain.schedule).q_sample

    def keep(schedule, image, t, noise):
        noised.append(t)
        return original(schedule, image, t, noise)

    monkeypatch.setattr(type(plain.schedule), "q_sample", keep)
    for detector in (plain, published):
        detector.first(2 * batch - 1, streams())
    assert noised == [39, 40]
    x, noise = torch.randn(1, 2, 8, 8), torch.randn(1, 2, 8, 8)
    beta = np.linspace(1e-4, 0.02, 1000)
    for detector, step in ((plain, 12), (published, 11)):
        wanted = np.sqrt(1 - beta[step]) * x + np.sqrt(beta[step]) * noise
        assert torch.allclose(detector._noised_again(x, 11, 12, noise), wanted.float(), atol=1e-6)


def test_the_last_clamp_takes_from_the_map_what_lies_beyond_white():
    healthy = slices()
    batch = 2 * healthy  # brighter than 1 in places
    maps = [
        autoddpm(Knowing(batch), published_last_clamp=clamp, published_no_clamp=True).score_slices(
            batch, streams()
        )
        for clamp in (False, True)
    ]
    beyond = batch > 1.05
    assert beyond.any()
    assert (maps[1] - maps[0])[~(batch > 0.98)].abs().max() < 1e-4
    assert (maps[1] - maps[0])[beyond].abs().max() > 0


def test_the_scale_of_lpips_without_lpips_is_refused():
    with pytest.raises(ValidationError, match="lpips wanted"):
        autoddpm(Knowing(slices()), published_lpips_scale=True)
