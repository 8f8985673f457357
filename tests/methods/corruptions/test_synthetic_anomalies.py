import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from andi_bench.randomness import SliceGenerator
from methods.base import SliceBatch
from methods.corruptions.shapes import soft_shapes
from methods.corruptions.synthetic_anomalies import synthetic_anomalies
from methods.corruptions.texture_bank import TextureBank, texture_bank
from methods.corruptions.window import blurred, place, window_centres


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def brains(count: int, channels: int = 2, size: int = 48, seed: int = 0) -> torch.Tensor:
    """Round slices of tissue in three classes, black around."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size)
    inside = axis[:, None] ** 2 + axis**2 < 0.6
    levels = (
        rng.choice([0.3, 0.5, 0.9], (count, channels, size // 4, size // 4))
        .repeat(4, 2)
        .repeat(4, 3)
    )
    noise = 0.02 * rng.standard_normal(levels.shape)
    return torch.from_numpy(((levels + noise) * inside).astype(np.float32))


def bank(images: torch.Tensor) -> TextureBank:
    return texture_bank(batches(images), seed=0)


def batches(images: torch.Tensor, subjects: str = "ab"):
    for name in subjects:
        z = np.arange(len(images))
        yield SliceBatch(images, (name,) * len(z), z, np.full(len(z), 155))


def test_a_window_lies_in_the_slice_and_its_centre_in_the_brain():
    brain = brains(400)[:, :1] > 0
    centres = window_centres(streams(400), brain, 20).numpy()
    assert all(brain[k, 0, row, column] for k, (row, column) in enumerate(centres))
    assert centres.min() >= 10
    assert centres.max() <= 48 - 10
    assert len(np.unique(centres, axis=0)) > 200


def test_centres_are_uniform_over_the_allowed_pixels():
    brain = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
    brain[0, 0, 3, 4:8] = True
    centres = window_centres(streams(4000), brain.expand(4000, 1, 12, 12), 4).numpy()
    columns, counts = np.unique(centres[:, 1], return_counts=True)
    assert columns.tolist() == [4, 5, 6, 7]
    assert counts == pytest.approx(1000, abs=130)  # 4.7 standard deviations


def test_a_brain_at_the_edge_is_met_and_none_at_all_is_no_error():
    brain = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    brain[0, 0, 0, 3] = True
    assert window_centres(streams(2), brain, 8).tolist() == [[0, 3], [8, 8]]


@given(
    size=st.tuples(st.integers(6, 20), st.integers(6, 20)),
    edge=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_placing_is_pasting(size, edge, seed):
    rng = np.random.default_rng(seed)
    window = rng.random((1, edge, edge)).astype(np.float32)
    row, column = rng.integers(0, size[0]), rng.integers(0, size[1])
    found = place(torch.from_numpy(window), torch.tensor([[row, column]]), size)[0, 0].numpy()
    wanted = np.zeros((size[0] + 2 * edge, size[1] + 2 * edge), np.float32)
    top, left = row - edge // 2 + edge, column - edge // 2 + edge
    wanted[top : top + edge, left : left + edge] = window[0]
    assert np.array_equal(found, wanted[edge:-edge, edge:-edge])


def test_a_blur_is_scipys_and_each_slice_has_its_own():
    images = torch.rand(3, 2, 17, 23)
    found = blurred(images, torch.tensor([0.0, 1.0, 2.5])).numpy()
    assert found[0] == pytest.approx(images[0].numpy(), abs=1e-6)
    for k, width in ((1, 1.0), (2, 2.5)):
        wanted = ndimage.gaussian_filter(
            images[k].numpy(), width, mode="constant", truncate=20, axes=(1, 2)
        )
        assert found[k] == pytest.approx(wanted, abs=2e-4)


def test_shapes_stay_in_brain_and_window_and_have_the_published_sizes():
    brain = torch.ones(300, 1, 128, 128, dtype=torch.bool)
    shapes, centres = soft_shapes(streams(300), brain, 64)
    assert shapes.min() >= 0
    assert shapes.max() <= 1
    areas = []
    for shape, (row, column) in zip(shapes[:, 0].numpy(), centres.tolist(), strict=True):
        rows, columns = np.nonzero(shape)
        assert rows.min() >= row - 32
        assert rows.max() < row + 32
        assert columns.min() >= column - 32
        assert columns.max() < column + 32
        areas.append(shape.sum())
    # A disc of diameter 10 has 79 pixels, a blob a fifth of it at the least; a square of 44, the largest but for blobs, 1936.
    assert min(areas) > 15
    assert max(areas) < 2600
    soft = ((shapes > 0.01) & (shapes < 0.99)).flatten(1).any(dim=1).float().mean()
    assert 0.6 < soft < 0.8
    partly = brain.clone()
    partly[..., 64:] = False
    assert not soft_shapes(streams(300), partly, 64)[0][..., 64:].any()


def test_outside_its_shape_a_slice_is_what_it_was_and_inside_it_is_bounded():
    images = brains(64)
    textures = bank(brains(40, seed=5))
    corrupted, strength = synthetic_anomalies(streams(64), images, textures, 24)
    shape, _ = soft_shapes(streams(64), (images.sum(dim=1, keepdim=True) > 0.01), 24)
    outside = (shape == 0).expand_as(images)
    assert torch.equal(corrupted[outside], images[outside])
    assert corrupted.min() >= 0
    assert corrupted.max() <= max(float(textures.ceiling.max()), float(images.max()))
    change = (corrupted - images).abs().amax(dim=(1, 2, 3))
    assert (change > 0.02).float().mean() > 0.9
    assert strength.min() >= 0
    # Texture may change a voxel by a * range, the bias step by its own largest change.
    assert (change <= 2 * strength + 1e-5).all()


def test_the_strength_is_what_was_drawn_where_only_the_texture_changes(monkeypatch):
    monkeypatch.setattr(
        "methods.corruptions.synthetic_anomalies._with_bias", lambda _, mixed, *rest: mixed.clone()
    )
    images = brains(32)
    _, strength = synthetic_anomalies(streams(32), images, bank(brains(40, seed=5)), 24)
    drawn = streams(32).fork("texture").uniform(1)[:, 0]
    assert torch.allclose(strength, drawn)
    flat = torch.full((4, 1, 48, 48), 0.5)
    same = TextureBank(flat, torch.tensor([1.0]), torch.linspace(0.1, 0.9, 5)[None])
    unchanged, none = synthetic_anomalies(streams(4), flat, same, 24)
    assert torch.equal(unchanged, flat)
    assert not none.any()


def test_an_anomaly_does_not_depend_on_the_batch():
    images, textures = brains(6), bank(brains(40, seed=5))
    together = synthetic_anomalies(streams(6), images, textures, 24)
    for k in range(6):
        alone = synthetic_anomalies(streams(1, k), images[k : k + 1], textures, 24)
        assert torch.allclose(alone[0][0], together[0][k], atol=1e-6)
        assert float(alone[1][0]) == pytest.approx(float(together[1][k]), abs=1e-6)


def test_a_bank_is_the_same_in_any_order_and_holds_what_slices_hold():
    images = brains(30)
    first = texture_bank(batches(images, "ab"), seed=3, size=8)
    second = texture_bank(batches(images, "ba"), seed=3, size=8)
    other = texture_bank(batches(images, "ab"), seed=4, size=8)
    assert torch.equal(first.slices, second.slices)
    assert not torch.equal(first.slices, other.slices)
    assert first.slices.shape == (8, 2, 48, 48)
    assert torch.equal(first.ceiling, images.amax(dim=(0, 2, 3)))
    # Tissue has three classes; five centres lie among them.
    assert first.centres.shape == (2, 5)
    assert (first.centres.diff(dim=1) >= 0).all()
    assert (
        float((first.centres[0][:, None] - torch.tensor([0.3, 0.5, 0.9])).abs().amin(dim=0).max())
        < 0.05
    )


def test_patches_bring_another_slices_brain_to_the_window():
    images = torch.zeros(1, 1, 32, 32)
    images[0, 0, 10:20, 10:20] = torch.arange(100.0).reshape(10, 10) + 1
    textures = TextureBank(images, images.amax(dim=(0, 2, 3)), torch.zeros(1, 5))
    centres = torch.tensor([[16, 16]]).expand(50, 2)
    patches = textures.patches(streams(50), centres, 8, (32, 32))
    middles = patches[:, 0, 16, 16]
    assert (middles > 0).all()
    assert len(middles.unique()) > 20
    first = patches[0, 0]
    value = int(middles[0]) - 1
    row, column = 10 + value // 10, 10 + value % 10
    assert torch.equal(
        first[12:20, 12:20], images[0, 0, row - 4 : row + 4, column - 4 : column + 4]
    )


def test_a_bank_without_slices_is_refused():
    with pytest.raises(ValueError, match="needs training slices"):
        texture_bank([], seed=0)
