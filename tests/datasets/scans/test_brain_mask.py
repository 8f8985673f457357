from __future__ import annotations

import numpy as np
from scipy import ndimage
from support.small_heads import head

from datasets.scans.brain import _spread, brain_mask

SPACING = (1.0, 1.0, 1.0)


def ball(shape: tuple[int, int, int] = (48, 52, 44), radius: float = 0.8) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes)) < radius


def test_a_clean_brain_is_found_as_it_is() -> None:
    inside = ball()
    np.testing.assert_array_equal(brain_mask([inside * 80.0], [100.0], SPACING), inside)


def test_small_values_of_either_sign_outside_are_not_brain() -> None:
    inside = ball()
    image = inside * 80.0
    rng = np.random.default_rng(0)
    # what a spline leaves: alternating in sign, a hundredth of the brain's edge
    ringing = ndimage.binary_dilation(inside, iterations=4) & ~inside
    image[ringing] = rng.uniform(-1.5, 1.5, ringing.sum())
    found = brain_mask([image], [100.0], SPACING)
    assert (image != 0).sum() > 1.3 * inside.sum()
    np.testing.assert_array_equal(found, inside)


def test_dark_fluid_inside_is_brain() -> None:
    inside = ball()
    ventricle = ball(radius=0.25)
    image = np.where(ventricle, 0, inside * 80.0)
    np.testing.assert_array_equal(brain_mask([image], [100.0], SPACING), inside)


def test_islands_are_not_brain() -> None:
    image = np.zeros((60, 60, 60))
    image[10:40, 10:40, 10:40] = 80
    image[50:55, 50:55, 50:55] = 200
    found = brain_mask([image], [100.0], SPACING)
    assert found.sum() == 30**3


def test_a_brain_that_touches_the_border_is_kept_whole() -> None:
    image = np.full((20, 20, 20), 80.0)
    image[0, 0, 0] = 0
    assert brain_mask([image], [100.0], SPACING)[1:-1].all()
    assert not brain_mask([np.zeros((4, 4, 4))], [1.0], SPACING).any()


def test_axes_in_any_memory_order_give_the_same_mask() -> None:
    image = head((40, 36, 30))
    masks = [brain_mask([np.asarray(image, order=order)], [150.0], SPACING) for order in ("C", "F")]
    np.testing.assert_array_equal(*masks)


def test_the_dilation_is_scipys() -> None:
    mask = np.random.default_rng(0).uniform(size=(14, 12, 10)) > 0.97
    wanted = ndimage.binary_dilation(mask, np.ones((3, 5, 1)))
    np.testing.assert_array_equal(_spread(mask, [1, 2, 0]), wanted)
