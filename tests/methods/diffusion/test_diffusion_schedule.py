import numpy as np
import pytest
import torch

from methods.diffusion.schedule import cosine_schedule, linear_schedule
from methods.diffusion.single_precision import single_precision


def test_the_published_schedule_is_linear_and_ends_in_noise():
    schedule = linear_schedule()
    assert schedule.beta[0] == pytest.approx(1e-4)
    assert schedule.beta[-1] == pytest.approx(0.02)
    assert np.ptp(np.diff(schedule.beta)) < 1e-12
    product = 1.0
    for t in range(1000):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * t / 999)
        assert schedule.alpha_bar[t] == pytest.approx(product, rel=1e-9)
    assert schedule.alpha_bar[-1] < 1e-4


def test_posterior_mean_and_variance_are_those_of_a_chain_walked_step_by_step():
    # x_0 fixed; many chains; the regression of x_{t-1} on x_t is the posterior mean, its residual the variance.
    schedule = linear_schedule(4, 0.1, 0.4)
    rng = np.random.default_rng(0)
    count, x_0 = 2_000_000, 0.7
    before = np.full(count, x_0)
    for t in range(3):
        before = np.sqrt(1 - schedule.beta[t]) * before
        before += np.sqrt(schedule.beta[t]) * rng.standard_normal(count)
    after = np.sqrt(1 - schedule.beta[3]) * before
    after += np.sqrt(schedule.beta[3]) * rng.standard_normal(count)
    slope, intercept = np.polyfit(after, before, 1)
    residual = before - (slope * after + intercept)
    assert residual.var() == pytest.approx(schedule.posterior_variance[3], rel=5e-3)
    for value in (-1.0, 0.5):
        mean, deviation = schedule.posterior(
            torch.full((1, 1, 1, 1), x_0), torch.full((1, 1, 1, 1), value), 3, 2
        )
        assert mean.item() == pytest.approx(slope * value + intercept, abs=5e-3)
        assert deviation**2 == pytest.approx(schedule.posterior_variance[3])
    assert after.var() == pytest.approx(1 - schedule.alpha_bar[3], rel=5e-3)
    assert after.mean() == pytest.approx(np.sqrt(schedule.alpha_bar[3]) * x_0, abs=2e-3)


@pytest.mark.parametrize("t", [0, 1, 75, 199, 999])
def test_the_two_forms_of_the_denoising_mean_agree_for_the_noise_that_was_added(t):
    schedule = linear_schedule()
    image, noise = torch.randn(2, 3, 8, 8, dtype=torch.float64).chunk(2)
    x_t = schedule.q_sample(image, t, noise)
    mean, deviation = schedule.posterior(image, x_t, t, t - 1)
    assert torch.allclose(schedule.mean(x_t, t, noise), mean)
    assert deviation**2 == pytest.approx(schedule.posterior_variance[t])
    assert torch.allclose(schedule.predict_image(x_t, t, noise), image)


def test_a_jump_over_time_steps_has_the_posterior_of_a_chain_walked_step_by_step():
    schedule = linear_schedule(4, 0.1, 0.4)
    rng = np.random.default_rng(1)
    count, x_0 = 2_000_000, -0.4
    states = [np.full(count, x_0)]
    for beta in schedule.beta:
        states.append(np.sqrt(1 - beta) * states[-1] + np.sqrt(beta) * rng.standard_normal(count))
    early, late = states[1], states[4]  # after one and after all four steps: t = 0 and t = 3
    slope, intercept = np.polyfit(late, early, 1)
    spread = (early - (slope * late + intercept)).std()
    mean, deviation = schedule.posterior(torch.full((1,), x_0), torch.full((1,), 0.8), 3, 0)
    assert mean.item() == pytest.approx(slope * 0.8 + intercept, abs=5e-3)
    assert deviation == pytest.approx(spread, rel=5e-3)
    mean, deviation = schedule.posterior(torch.full((1,), x_0), torch.full((1,), 0.8), 3, -1)
    assert (mean.item(), deviation) == (pytest.approx(x_0), 0.0)


def test_noising_on_from_a_time_step_keeps_the_noise_level_of_the_process():
    schedule = linear_schedule()
    image = torch.full((1, 1, 400, 400), 0.3)
    noise = torch.Generator().manual_seed(0)
    x_t = schedule.q_sample(image, 20, torch.randn(image.shape, generator=noise))
    later = schedule.diffuse(x_t, 20, 60, torch.randn(image.shape, generator=noise))
    assert later.var().item() == pytest.approx(1 - schedule.alpha_bar[60], rel=0.02)
    assert later.mean().item() == pytest.approx(0.3 * np.sqrt(schedule.alpha_bar[60]), abs=5e-3)


def test_a_time_step_per_slice_equals_slice_by_slice():
    schedule = linear_schedule()
    image, noise = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    steps = [1, 250, 999]
    together = schedule.q_sample(image, torch.tensor(steps), noise)
    for k, t in enumerate(steps):
        alone = schedule.q_sample(image[k : k + 1], t, noise[k : k + 1])
        assert torch.allclose(together[k : k + 1], alone, atol=1e-6)


def test_the_variance_after_the_first_step_of_the_posterior_is_zero():
    assert linear_schedule().posterior_variance[0] == 0
    assert (linear_schedule().posterior_variance[1:] > 0).all()


def test_the_cosine_schedule_is_nichols_and_has_the_published_middle():
    schedule = cosine_schedule()
    f = lambda k: np.cos((k / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2  # noqa: E731
    wanted = [f(k) / f(0) for k in (1, 500, 998)]
    assert [schedule.alpha_bar[k - 1] for k in (1, 500, 998)] == pytest.approx(wanted, rel=1e-9)
    # pDDPM scores at t = 499: alpha_bar .4938, noise of deviation .711.
    assert schedule.alpha_bar[499] == pytest.approx(0.4938, abs=5e-5)
    assert np.sqrt(1 - schedule.alpha_bar[499]) == pytest.approx(0.711, abs=5e-4)
    assert schedule.beta.max() == 0.999


@pytest.mark.parametrize("t", [1, 75, 199, 999])
def test_in_single_precision_the_formulas_are_the_same_to_rounding(t):
    single, double = single_precision(1000, 1e-4, 0.02), linear_schedule()
    image, noise = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for name in ("q_sample", "mean"):
        found = getattr(single, name)(image, t, noise)
        wanted = getattr(double, name)(image.double(), t, noise.double())
        assert found.dtype == torch.float32
        assert found.numpy() == pytest.approx(wanted.numpy(), rel=2e-4, abs=2e-5)
    assert single_precision(1000, 1e-4, 0.02) is single
