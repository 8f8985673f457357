import numpy as np

from datasets.phantom.noise import smooth_noise


def _axes(spacing, half=60.0):
    axis = np.arange(-half, half + 1e-9, spacing)
    return axis, axis, axis


def test_a_field_is_the_same_on_a_fine_and_on_a_coarse_grid():
    fine = smooth_noise(np.random.default_rng(3), 12.0, _axes(2.0))
    coarse = smooth_noise(np.random.default_rng(3), 12.0, _axes(6.0))
    np.testing.assert_allclose(fine[::3, ::3, ::3], coarse, atol=1e-5)


def test_a_field_has_zero_mean_and_unit_variance():
    fields = [smooth_noise(np.random.default_rng(seed), 8.0, _axes(4.0)) for seed in range(12)]
    assert abs(np.mean(fields)) < 0.05
    assert abs(np.std(fields) - 1) < 0.05


def test_a_field_varies_smoothly_over_its_length():
    field = smooth_noise(np.random.default_rng(0), 20.0, _axes(2.0))
    assert np.abs(np.diff(field, axis=0)).max() < 0.5
    assert field.dtype == np.float32


def test_two_draws_of_one_generator_are_independent():
    generator = np.random.default_rng(0)
    first, second = (smooth_noise(generator, 8.0, _axes(4.0)) for _ in range(2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
