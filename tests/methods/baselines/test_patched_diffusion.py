import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from andi_bench.config import load_run_config, method_entry, validated
from andi_bench.randomness import SliceGenerator
from methods.base import ImageSpec
from methods.baselines.mddpm import MDDPM, MDDPMConfig, mahalanobis_parts
from methods.baselines.pddpm import PDDPM, PDDPMConfig

SMALL = {"base_width": 8, "multipliers": (1, 2), "blocks": 1, "attention": ()}


def streams(count: int, start: int = 0) -> SliceGenerator:
    return SliceGenerator(range(start, start + count))


def detector(cls=PDDPM, size=(24, 40), **values):
    torch.manual_seed(0)
    out = cls(cls.Config(**(SMALL | values)), ImageSpec(("flair", "t2"), size))
    out.net = out.network().eval()
    for parameter in out.net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return out


@pytest.mark.parametrize(("cells", "size"), [(1, (8, 8)), (2, (24, 40)), (3, (32, 20))])
def test_cells_part_the_slice(cells, size):
    masks = detector(size=size, cells=cells).cell_masks(torch.device("cpu"))
    assert len(masks) == cells**2
    assert (masks.sum(dim=0) == 1).all()
    sizes = masks.flatten(1).sum(dim=1)
    assert sizes.max() - sizes.min() <= max(size)
    if cells == 2:
        assert masks[1, 0, :12, 20:].all()
        assert masks[1].sum() == 12 * 20


def test_one_cell_alone_is_noised_and_it_alone_counts(monkeypatch):
    found, batch, seen = detector(), torch.rand(40, 2, 24, 40), {}

    def net(x, t):
        seen["x"], seen["t"] = x, t
        return torch.zeros_like(x)

    monkeypatch.setattr(found, "net", net)
    loss = float(found.loss(batch, streams(40)))
    changed = (seen["x"] != 2 * batch - 1).any(dim=1)
    wanted, cells = [], set()
    masks = found.cell_masks(torch.device("cpu"))[:, 0]
    for k in range(40):
        touched = [c for c, mask in enumerate(masks) if bool((changed[k] & mask).any())]
        assert len(touched) == 1
        cells.add(touched[0])
        wanted.append((2 * batch[k] - 1).abs()[:, masks[touched[0]]].mean())
    assert loss == pytest.approx(float(np.mean(wanted)), rel=1e-5)
    assert cells == {0, 1, 2, 3}
    assert 1 <= seen["t"].min() < 200
    assert 800 < seen["t"].max() <= 999


def test_a_reconstruction_takes_from_each_call_its_cell(monkeypatch):
    found, batch, calls = detector(), torch.rand(2, 2, 24, 40), []

    def net(x, t):
        calls.append((x, t))
        return torch.full_like(x, float(len(calls)))

    monkeypatch.setattr(found, "net", net)
    restored = found.restored(2 * batch - 1, 499, streams(2))
    masks = found.cell_masks(torch.device("cpu"))
    for k, (x, t) in enumerate(calls):
        assert (t == 499).all()
        assert torch.equal(x[:, :, ~masks[k, 0]], (2 * batch - 1)[:, :, ~masks[k, 0]])
        assert (restored[:, :, masks[k, 0]] == k + 1).all()
    assert len(calls) == 4


def test_the_map_is_the_residual_with_its_sign(monkeypatch):
    batch = torch.full((1, 2, 24, 40), 0.6)
    batch[..., :6] = 0
    for residual, wanted in (("absolute", 0.1), ("squared", 0.01)):
        found = detector(residual=residual)
        monkeypatch.setattr(found, "net", lambda x, t: torch.zeros_like(x))
        assert float(found.score_slices(batch, streams(1))[0, 0, 5, 20]) == pytest.approx(
            wanted, abs=1e-6
        )
    eroded = detector(published_eroded_mask=True)
    monkeypatch.setattr(eroded, "net", lambda x, t: torch.zeros_like(x))
    scores = eroded.score_slices(batch, streams(1))[0, 0]
    assert not scores[:, :9].any()
    assert (scores[:, 9:] > 0.09).all()


@given(
    count=st.integers(2, 6),
    regularisation=st.sampled_from([1e-2, 1.0]),
    seed=st.integers(0, 500),
)
@settings(max_examples=30, deadline=None)
def test_woodbury_is_the_direct_inverse(count, regularisation, seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 1, 4, 5, generator=generator)
    draws = image + torch.randn(count, 2, 1, 4, 5, generator=generator)
    inside = torch.rand(2, 1, 4, 5, generator=generator) < 0.8
    found = mahalanobis_parts(image, draws, inside, regularisation)
    for k in range(2):
        here = inside[k, 0].numpy()
        x = draws[:, k, 0].double().numpy()[:, here]
        d = image[k, 0].double().numpy()[here] - x.mean(axis=0)
        covariance = np.cov(x, rowvar=False).reshape(len(d), len(d))
        wanted = d * np.linalg.solve(covariance + regularisation * np.eye(len(d)), d)
        assert found[k, 0].numpy()[here] == pytest.approx(wanted, rel=1e-3, abs=1e-3)
        assert not found[k, 0].numpy()[~here].any()


def test_it_stays_finite_where_the_published_form_gives_nan():
    """An inverse cast to float16 overflows, and a product below 0 has no root."""
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 6, 6)
    shared = torch.randn(4, 1, 1, 1, 1) * 100
    draws = shared * torch.linspace(0.5, 1.5, 36).view(1, 1, 1, 6, 6) + 0.01 * torch.randn(
        4, 1, 1, 6, 6
    )
    inside = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    parts = mahalanobis_parts(image, draws, inside, 1e-2)
    assert torch.isfinite(parts).all()
    assert (parts < 0).any()
    x = draws[:, 0, 0].flatten(1).double()
    inverse = torch.linalg.inv(torch.cov(x.T) + 1e-2 * torch.eye(36))
    d = (image[0, 0].flatten() - x.mean(dim=0)).double()
    published = (d.half() * (inverse.half().float() @ d.float()).half()).float().sqrt()
    assert torch.isnan(published).any()


def test_the_mahalanobis_map_is_finite_signed_and_weighted(monkeypatch):
    batch = torch.rand(2, 2, 24, 40)
    maps = {}
    for weight in ("none", "absolute", "dissimilarity"):
        found = detector(MDDPM, draws=2, weight=weight)
        with torch.inference_mode():
            maps[weight] = found.score_slices(batch, streams(2))
            mean = found.reconstruct_slices(batch, streams(2))
        assert torch.isfinite(maps[weight]).all()
        assert torch.equal(maps[weight] > 0, (batch - mean > 0) & (maps[weight] != 0))
    expected = maps["none"].abs() * 2 * (batch - mean).abs()
    assert torch.allclose(maps["absolute"].abs(), expected, atol=1e-4)


@pytest.mark.parametrize(("cls", "values"), [(PDDPM, {}), (MDDPM, {"draws": 2})])
def test_a_slice_scores_the_same_in_any_batch(cls, values):
    found, batch = detector(cls, **values), torch.rand(3, 2, 24, 40)
    with torch.inference_mode():
        together = found.score_slices(batch, streams(3))
        alone = torch.cat([found.score_slices(batch[k : k + 1], streams(1, k)) for k in range(3)])
    assert torch.allclose(together, alone, rtol=1e-2, atol=1e-3 * float(together.abs().max()))


def test_both_share_one_training():
    assert PDDPM.training_name == MDDPM.training_name
    for preset in ("quick", "paper"):
        made = [
            detector(
                cls,
                **validated(
                    cls.Config, load_run_config(method_entry(name), preset, [], name).detector, name
                ).model_dump()
                | {"base_width": 8},
            )
            for name, cls in (("pddpm", PDDPM), ("mddpm", MDDPM))
        ]
        assert made[0].training_config() == made[1].training_config()


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (PDDPMConfig, {"t": 1000}),
        (MDDPMConfig, {"training_t_low": 499}),
        (PDDPMConfig, {"training_t_high": 1}),
        (MDDPMConfig, {"draws": 1}),
    ],
)
def test_impossible_hyper_parameters_are_refused(cls, values):
    with pytest.raises(ValidationError):
        cls(**values)


def test_the_paper_preset_is_the_published_one():
    run = load_run_config(method_entry("pddpm"), "paper", [], "pddpm")
    config = validated(PDDPMConfig, run.detector, "pddpm")
    published = {"base_width": 128, "multipliers": (1, 2, 2), "blocks": 3, "attention": (2, 4)}
    assert config == PDDPMConfig(**published, published_eroded_mask=True)
    assert run.preprocessing.size == 96
    assert (run.training.epochs, run.training.batch_size, run.training.learning_rate) == (
        1600,
        32,
        1e-4,
    )
