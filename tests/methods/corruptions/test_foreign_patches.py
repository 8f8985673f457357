import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import spsolve

from andi_bench.randomness import SliceGenerator
from methods.corruptions.interpolation import interpolated_patches, matching
from methods.corruptions.poisson import poisson_blended


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def directly(x, y, top, left, rows, columns):
    """Solve the equations of Poisson blending one by one, as a sparse system."""
    number = {(top + r, left + c): r * columns + c for r in range(rows) for c in range(columns)}
    matrix = sparse.lil_matrix((len(number), len(number)))
    right = np.zeros(len(number))
    for (row, column), k in number.items():
        for q in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            steps = x[row, column] - x[q], y[row, column] - y[q]
            right[k] += steps[1] if abs(steps[1]) > abs(steps[0]) else steps[0]
            matrix[k, k] += 1
            if q in number:
                matrix[k, number[q]] -= 1
            else:
                right[k] += x[q]
    out = x.copy()
    out[top : top + rows, left : left + columns] = spsolve(matrix.tocsr(), right).reshape(
        rows, columns
    )
    return out


@given(
    places=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 7), st.integers(1, 8)),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_blending_solves_the_equations(places, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.random((2, len(places), 2, 12, 14)).astype(np.float32)
    top, left, rows, columns = torch.tensor(places).T
    found = poisson_blended(
        torch.from_numpy(x), torch.from_numpy(y), top, left, torch.stack([rows, columns], dim=1)
    )
    for k, place in enumerate(places):
        for channel in range(2):
            wanted = directly(x[k, channel].astype(float), y[k, channel].astype(float), *place)
            assert found[k, channel].numpy() == pytest.approx(wanted, abs=1e-4)


def test_a_flat_partner_and_an_equal_one_change_nothing():
    x = torch.rand(1, 1, 10, 10)
    place = torch.tensor([2]), torch.tensor([3]), torch.tensor([[4, 5]])
    assert torch.allclose(poisson_blended(x, torch.full_like(x, 0.4), *place), x, atol=1e-6)
    assert torch.allclose(poisson_blended(x, x + 0.3, *place), x, atol=1e-6)


def test_a_rectangle_at_the_edge_is_refused():
    x = torch.rand(1, 1, 10, 10)
    for top, rows in ((0, 3), (5, 5)):
        with pytest.raises(ValueError, match="border of one pixel"):
            poisson_blended(x, x, torch.tensor([top]), torch.tensor([3]), torch.tensor([[rows, 2]]))


def slices(count: int, size: int = 40, radius: float = 0.6) -> torch.Tensor:
    rng = np.random.default_rng(count)
    axis = np.linspace(-1, 1, size)
    inside = axis[:, None] ** 2 + axis**2 < radius
    return torch.from_numpy(
        (rng.uniform(0.2, 1.2, (count, 2, size, size)) * inside).astype(np.float32)
    )


@pytest.mark.parametrize("blend", [False, True])
def test_patches_are_squares_in_the_brain_with_their_factor_as_label(blend):
    x, others = slices(120), slices(121)[:120]
    mixed, label = interpolated_patches(streams(120), x, others, blend=blend)
    changed = (mixed != x).any(dim=1)
    brain = x.sum(dim=1) > 0.01
    assert not changed[~brain].any()
    assert (mixed >= 0).all()
    factors = []
    for k in range(120):
        here = label[k, 0] > 0
        if not here.any():
            continue
        rows, columns = np.nonzero(here.numpy())
        assert rows.max() - rows.min() < 16
        assert columns.max() - columns.min() < 16
        values = label[k, 0][here].unique()
        assert len(values) == 1
        factors.append(float(values))
        if not blend:
            wanted = (1 - values) * x[k] + values * others[k]
            assert torch.allclose(mixed[k][:, here], wanted[:, here], atol=1e-5)
    assert len(factors) > 100
    assert min(factors) >= 0.05
    assert max(factors) <= 0.95
    assert max(factors) - min(factors) > 0.8


def test_the_partner_is_the_one_whose_brain_lies_alike():
    x = slices(8, radius=0.5)
    small, alike, large = (slices(n, radius=r)[:1] for n, r in ((2, 0.1), (3, 0.48), (4, 0.95)))
    found = matching(streams(8), x, torch.cat([small, alike, large, x]))
    assert all(
        torch.equal(partner, alike[0])
        or any(torch.equal(partner, x[j]) for j in range(8) if j != k)
        for k, partner in enumerate(found)
    )
    assert all(
        torch.equal(partner, alike[0])
        for partner in matching(streams(8), x, torch.cat([small, alike, large]))
    )


def test_patches_do_not_depend_on_the_batch():
    x, others = slices(5), slices(6)[:5]
    together = interpolated_patches(streams(5), x, others, blend=True)
    for k in range(5):
        alone = interpolated_patches(streams(1, k), x[k : k + 1], others[k : k + 1], blend=True)
        assert torch.allclose(alone[0][0], together[0][k], atol=1e-6)
        assert torch.equal(alone[1][0], together[1][k])
