"""Augmentation: what a slice becomes depends on the slice, its stream and the strengths, and background stays background."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from andi_bench.randomness import SliceGenerator, derive_seed
from andi_bench.training_config import AugmentationConfig
from benchmark.training.augmentation import intensity
from benchmark.training.augmentation.modality_dropout import modality_dropout
from benchmark.training.augmentation.pipeline import INTENSITY, augment
from benchmark.training.augmentation.shape import affine_matrices, elastic_shifts, resample
from benchmark.training.augmentation.smooth_fields import smooth_field

EVERYTHING = {
    "rotation": 15.0,
    "scale": 0.2,
    "shift": 0.05,
    "shear": 0.1,
    "elastic": 0.05,
    "gamma": 0.4,
    "contrast": 0.3,
    "brightness": 0.3,
    "bias": 0.4,
    "noise": 0.1,
    "modality_dropout": 0.3,
}
SHAPE = ("rotation", "scale", "shift", "shear", "elastic")


def heads(count=6, channels=3, size=(24, 20)):
    """Slices with a round head of positive values in a background of 0."""
    x, y = (np.linspace(-1, 1, edge) for edge in size)
    inside = x[:, None] ** 2 + y[None, :] ** 2 < 0.6
    values = np.random.default_rng(3).uniform(0.05, 1.5, (count, channels, *size))
    return torch.from_numpy(np.where(inside, values, 0)).float()


def streams(count=6, first=0):
    return SliceGenerator([derive_seed("here", k) for k in range(first, first + count)])


def test_nothing_is_on_by_default_and_slices_keep_their_bytes():
    config = AugmentationConfig()
    assert not config.active
    assert torch.equal(augment(heads(), streams(), config), heads())
    assert config.model_dump() == {}


@pytest.mark.parametrize("name", EVERYTHING)
def test_each_change_is_on_by_its_own_strength_and_changes_slices(name):
    config = AugmentationConfig(**{name: EVERYTHING[name], "probability": 1.0})
    assert config.active
    images = heads()
    before = images.clone()
    changed = augment(images, streams(), config)
    assert torch.equal(images, before)
    assert torch.isfinite(changed).all()
    assert not torch.equal(changed, images)
    if name not in SHAPE:
        assert torch.equal(changed[images == 0], images[images == 0])


@settings(deadline=None, max_examples=15)
@given(
    cuts=st.sets(st.integers(1, 5)),
    order=st.permutations(range(6)),
    size=st.sampled_from([(24, 20), (15, 17), (32, 32)]),
    probability=st.sampled_from([0.3, 1.0]),
)
def test_a_slice_becomes_the_same_in_whatever_batch_and_order(cuts, order, size, probability):
    config = AugmentationConfig(probability=probability, **EVERYTHING)
    images, generator = heads(size=size), streams()
    whole = augment(images, generator, config)
    places = np.split(np.array(order), sorted(cuts))
    for part in places:
        alone = SliceGenerator([generator.seeds[k] for k in part])
        assert torch.equal(augment(images[part], alone, config), whole[part])


def test_streams_are_not_advanced_and_give_the_same_again():
    generator, config = streams(), AugmentationConfig(probability=1.0, **EVERYTHING)
    first = augment(heads(), generator, config)
    assert torch.equal(first, augment(heads(), generator, config))
    assert torch.equal(generator.normal(3), streams().normal(3))
    assert not torch.equal(first, augment(heads(), streams(first=6), config))


@pytest.mark.parametrize("name", ["rotation", "elastic", *INTENSITY])
def test_a_change_is_made_to_the_share_of_slices_that_is_asked_for(name):
    config = AugmentationConfig(**{name: EVERYTHING[name], "probability": 0.25})
    images = heads(1).expand(800, -1, -1, -1)
    changed = (augment(images, streams(800), config) != images).flatten(1).any(dim=1)
    assert float(changed.float().mean()) == pytest.approx(0.25, abs=0.06)


@settings(deadline=None, max_examples=30)
@given(name=st.sampled_from(sorted(INTENSITY)), strength=st.floats(0, 2), seed=st.integers(0, 99))
def test_intensities_stay_above_0_in_tissue_and_untouched_in_the_background(name, strength, seed):
    images = heads()
    images[0, 1] = 0  # a channel that is missing
    images[1, :, 0, 0] = -0.01  # as real backgrounds may be
    changed = INTENSITY[name](images, streams(first=seed), strength)
    inside = images > 0
    assert torch.equal(changed[~inside], images[~inside])
    assert torch.isfinite(changed).all()
    assert (changed[inside] > 0).all()


@pytest.mark.parametrize("name", sorted(INTENSITY))
def test_no_strength_is_no_change_of_intensity(name):
    assert torch.allclose(INTENSITY[name](heads(), streams(), 0.0), heads(), rtol=1e-6, atol=0)


def test_brightness_multiplies_and_divides_alike_within_its_bounds():
    images = heads(1, channels=1).expand(2000, -1, -1, -1)
    factor = intensity.brightness(images, streams(2000), 0.5)[:, 0, 12, 10] / images[:, 0, 12, 10]
    assert 1 / 1.5 <= factor.min() < 0.68
    assert 1.47 < factor.max() <= 1.5
    assert float(factor.log().mean()) == pytest.approx(0, abs=0.02)


def test_gamma_keeps_the_mean_and_the_order_and_contrast_the_mean():
    images = heads()
    inside = images > 0
    changed = intensity.gamma(images, streams(), 1.0)
    for before, after, here in zip(images[:, 0], changed[:, 0], inside[:, 0], strict=True):
        assert float(after[here].mean()) == pytest.approx(float(before[here].mean()), rel=1e-4)
        assert torch.equal(after[here].argsort(), before[here].argsort())
    stretched = intensity.contrast(images, streams(), 0.05)
    assert float(stretched[0, 0][inside[0, 0]].mean()) == pytest.approx(
        float(images[0, 0][inside[0, 0]].mean()), rel=1e-2
    )


def test_noise_is_of_the_deviation_that_is_drawn():
    images = torch.full((400, 1, 16, 16), 50.0)
    images[:, :, 0, 0] = 1.0  # the lowest value: noise is not cut
    deviation = (
        (intensity.noise(images, streams(400), 0.4) - images)[:, :, 1:].flatten(1).std(dim=1)
    )
    assert float(deviation.mean()) == pytest.approx(0.2, abs=0.02)
    assert float(deviation.max()) < 0.45


def test_a_smooth_field_is_bounded_smooth_and_uneven():
    field = smooth_field(streams(50), "field", 5, 2, (40, 48))
    assert field.shape == (50, 2, 40, 48)
    assert field.abs().max() <= 1
    assert 0.1 < float(field.std()) < 0.6
    assert float(field.diff(dim=-1).abs().max()) <= 2 * 5 / 48 + 1e-6
    assert float(field.diff(dim=-2).abs().max()) <= 2 * 5 / 40 + 1e-6


def test_splines_sum_to_one():
    from benchmark.training.augmentation.smooth_fields import _splines

    for size, spans in ((64, 5), (7, 2), (33, 1)):
        table = _splines(size, spans)
        assert torch.allclose(table.sum(dim=0), torch.ones(size))
        assert (table >= 0).all()


def test_a_quarter_turn_and_a_shift_are_what_they_say():
    images = heads(1, size=(16, 16)).repeat(2, 1, 1, 1)
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    turned = resample(images[:1], turn, None)
    assert torch.allclose(turned[0], images[0].rot90(-1, (1, 2)), atol=1e-5)
    along_x = torch.tensor([[[1.0, 0.0, 2 / 16], [0.0, 1.0, 0.0]]])
    moved = resample(images[:1], along_x, None)
    assert torch.allclose(moved[0, :, :-2], images[0, :, 2:], atol=1e-5)
    assert torch.equal(moved[0, :, -2:], torch.zeros_like(moved[0, :, -2:]))


def test_a_turn_keeps_shapes_on_a_grid_that_is_not_square():
    wide = torch.zeros(1, 1, 20, 40)
    wide[:, :, 8:12, 10:30] = 1.0  # 4 by 20
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    turned = resample(wide, turn, None)[0, 0]
    assert torch.allclose(turned[:, 18:22], torch.ones(20, 4), atol=1e-5)
    assert float(turned.sum()) == pytest.approx(80.0, rel=1e-4)


def test_affine_maps_stay_within_their_bounds():
    matrices = affine_matrices(streams(3000), rotation=20, scale=0.25, shift=0.1)
    size = torch.linalg.det(matrices[:, :, :2]).sqrt()
    assert 1 / 1.25 - 1e-5 <= size.min() < 0.82
    assert 1.23 < size.max() <= 1.25 + 1e-5
    angle = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]).rad2deg()
    assert 19 < angle.abs().max() <= 20 + 1e-4
    assert abs(float(angle.mean())) < 1
    assert 0.098 < matrices[:, :, 2].abs().max() <= 0.1
    sheared = affine_matrices(streams(50), shear=0.2)
    assert torch.allclose(torch.linalg.det(sheared[:, :, :2]), torch.ones(50), atol=1e-5)


def test_the_strongest_elastic_deformation_folds_nowhere():
    size = 64
    shifts = elastic_shifts(streams(400), 0.09, (size, size)) * size  # in voxels
    across = shifts.diff(dim=2)[..., :-1]
    along = shifts.diff(dim=3)[:, :, :-1]
    area = (1 + across[:, 0]) * (1 + along[:, 1]) - along[:, 0] * across[:, 1]
    assert float(area.min()) > 0
    assert float(shifts.abs().max()) > 0.04 * size


@settings(deadline=None, max_examples=20)
@given(share=st.floats(0, 0.9), channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_dropout_takes_whole_channels_and_never_all(share, channels, seed):
    images = heads(20, channels)
    left = modality_dropout(images, streams(20, first=seed), share)
    there = (left != 0).flatten(2).any(dim=2)
    assert there.any(dim=1).all()
    assert torch.equal(left[there], images[there])
    assert (left[~there] == 0).all()


def test_dropout_takes_about_its_share_of_channels_and_each_alike():
    there = (modality_dropout(heads(3000, 4), streams(3000), 0.3) != 0).flatten(2).any(dim=2)
    assert np.allclose(there.float().mean(dim=0), 0.7 + 0.3**4 / 4, atol=0.03)


def test_counted_draws_are_uniform_and_differ_by_slice_purpose_and_place():
    drawn = streams(400).counted("a", 50, low=-2.0, high=2.0)
    assert drawn.dtype == torch.float32
    assert float(drawn.mean()) == pytest.approx(0, abs=0.05)
    assert float(drawn.var()) == pytest.approx(16 / 12, abs=0.05)
    assert drawn.abs().max() <= 2
    assert len(drawn.unique()) > 19_900
    assert not torch.equal(drawn, streams(400).counted("b", 50, low=-2.0, high=2.0))
    correlation = np.corrcoef(drawn[:, :10].T.numpy()) - np.eye(10)
    assert np.abs(correlation).max() < 5 / math.sqrt(400)


@pytest.mark.parametrize(
    ("name", "value"),
    [("elastic", 0.2), ("modality_dropout", 1.0), ("noise", -0.1), ("probability", 0.0)],
)
def test_strengths_out_of_bounds_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        AugmentationConfig(**{name: value})
