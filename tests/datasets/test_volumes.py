"""A volume: what a detector sees of a subject."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.volume import MODALITIES, NativeGrid, Volume

edges = st.floats(0.2, 8)


@given(edges, edges, edges, st.floats(-3, 3))
def test_the_spacing_is_in_millimetres_however_the_axes_are_turned(x, y, z, angle):
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = turned @ np.diag([x, -y, z, 1.0])
    shape = (5, 6, 7)
    grid = NativeGrid(shape, affine, np.zeros((3, 2)), ((0, 0), (0, 0)))
    image, brain = np.zeros((4, *shape), np.float32), np.ones(shape, bool)
    volume = Volume("S01", image, brain, None, affine, grid)
    assert volume.shape == shape
    assert volume.spacing == pytest.approx((x, y, z))
    assert len(volume.modalities) == len(MODALITIES) == len(volume.image)
