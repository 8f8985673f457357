"""What intervals and tests promise, measured on made-up benchmarks of which the truth is known: ``python -m perf.coverage``.

Writes ``leaderboard/statistics/coverage.json``, from which Markdown, LaTeX and page take every figure of coverage they quote.
Shares follow five skewed shapes, amounts three; trainings differ by a normal shift, the same for all subjects, and every
cell has noise of its own. Takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.mean_intervals import amount_intervals, share_interval
from andi_bench.metrics.resampling import resample_counts
from leaderboard.statistics.pooled_counts import degrees_of, pseudo_values
from leaderboard.statistics.pooled_swaps import on_common_grid, swap_tests
from leaderboard.statistics.sign_flips import Trainings, mean_tests

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "leaderboard" / "statistics" / "coverage.json"
SUBJECTS = (8, 10, 20, 30, 60, 250)
SEED_SDS = (0.0, 0.02, 0.05)
SEEDS = 3
NOISE = 0.05
"""Standard deviation of a training's noise in one subject."""

Array = NDArray[np.float64]


def _zeros(rng: np.random.Generator, share: float, values: Array) -> Array:
    return np.where(rng.random(values.shape) < share, 0.0, values)


SHARES: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "a tenth 0": lambda rng, size: _zeros(rng, 0.1, rng.beta(1.2, 1.6, size)),
    "mostly low": lambda rng, size: rng.beta(0.6, 4.0, size),
    "mostly high": lambda rng, size: rng.beta(5.0, 1.5, size),
    "three tenths 0": lambda rng, size: _zeros(rng, 0.3, rng.beta(2.0, 2.0, size)),
    "low or high": lambda rng, size: rng.beta(0.5, 0.5, size),
}
AMOUNTS: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "exponential": lambda rng, size: rng.exponential(10.0, size),
    "log-normal": lambda rng, size: rng.lognormal(2.0, 0.8, size),
    "gamma": lambda rng, size: rng.gamma(3.0, 4.0, size),
}


def shares_of(rng: np.random.Generator, shape: str, size: tuple[int, int, int], sd: float) -> Array:
    """Draw (cases, subjects, seeds) of a share; one seed and no spread: the shape itself."""
    cases, subjects, seeds = size
    own = SHARES[shape](rng, (cases, subjects, 1))
    if seeds == 1:
        return own
    shift = rng.normal(0, sd, (cases, 1, seeds)) if sd else 0.0
    return np.clip(own + shift + rng.normal(0, NOISE, size), 0, 1)


@lru_cache
def _truth(shape: str, seeds: int, sd: float) -> float:
    rng = np.random.default_rng(1)
    if seeds == 1:
        return float(SHARES[shape](rng, 4_000_000).mean())
    own = SHARES[shape](rng, 4_000_000)
    return float(np.clip(own + rng.normal(0, np.hypot(sd, NOISE), own.shape), 0, 1).mean())


@lru_cache
def _true_amount(shape: str) -> float:
    return float(AMOUNTS[shape](np.random.default_rng(1), 4_000_000).mean())


def covered_shares(shape: str, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of a share's mean holds the truth."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), *shape.encode()])
    truth = _truth(shape, seeds, sd)
    hits = 0
    for values in shares_of(rng, shape, (cases, subjects, seeds), sd):
        found = share_interval(values)
        hits += found is not None and found[0] <= truth <= found[1]
    return hits / cases


def covered_amounts(shape: str, subjects: int, seeds: int, sd: float, cases: int) -> float:
    """Return how often the interval of an amount's mean holds the truth; ``sd`` is a share of the mean."""
    rng = np.random.default_rng([subjects, seeds, round(1000 * sd), *shape.encode()])
    truth = _true_amount(shape)
    hits, together = 0, min(cases, 100)
    for _ in range(cases // together):
        values = AMOUNTS[shape](rng, (together, subjects, 1))
        if seeds > 1:
            scale = 1 + rng.normal(0, sd, (together, 1, seeds)) if sd else 1.0
            values = values * scale * (1 + rng.normal(0, NOISE, (together, subjects, seeds)))
        for found in amount_intervals(list(values), resample_counts(subjects, 1000, rng)):
            hits += found is not None and found[0] <= truth <= found[1]
    return hits / (cases // together * together)


def made_up_counts(
    rng: np.random.Generator, subjects: int, methods: int, groups: int = 48
) -> list[GroupedCounts]:
    """Draw the histograms of equally good methods on the same subjects: lesions differ in size and in how bright they are."""
    size = rng.lognormal(5.0, 1.2, subjects).clip(5, 20_000).astype(np.int64)
    bright = rng.normal(1.2, 0.5, subjects)
    edges = np.linspace(4.0, -4.0, groups + 1)
    names = tuple(f"S{k}" for k in range(subjects))
    out = []
    for _ in range(methods):
        own = bright + rng.normal(0, 0.4, subjects)
        above = _normal(edges[None, :] - own[:, None])
        healthy = _normal(edges)
        lesion_share = np.abs(np.diff(above, axis=1))
        healthy_share = np.abs(np.diff(healthy))
        lesion = np.array(
            [rng.multinomial(n, p / p.sum()) for n, p in zip(size, lesion_share, strict=True)]
        )
        rest = rng.multinomial(60_000, healthy_share / healthy_share.sum(), size=subjects)
        tied = np.zeros(groups, dtype=bool)
        out.append(GroupedCounts(names, lesion.astype(np.uint32), rest.astype(np.uint32), tied))
    return out


def covered_pooled(subjects: int, cases: int) -> float:
    """Return how often the interval of pooled average precision holds that of 20,000 subjects."""
    rng = np.random.default_rng([subjects, 7])
    whole = made_up_counts(np.random.default_rng(3), 20_000, 1)[0]
    truth = float(whole.average_precision(np.ones((1, 20_000)))[0])
    hits = 0
    for _ in range(cases):
        (counts,) = made_up_counts(rng, subjects, 1)
        pseudo = pseudo_values([counts], counts.subjects)
        value = float(counts.average_precision(np.ones((1, subjects)))[0])
        found = None if pseudo is None else share_interval(pseudo, value, degrees_of(counts))
        hits += found is not None and found[0] <= truth <= found[1]
    return hits / cases


def twice(subjects: int, sd: float, noise: float, cases: int, flips: int = 499) -> float:
    """Return how often one method trained twice, three seeds each, is called two methods."""
    rng = np.random.default_rng([subjects, round(1000 * sd), round(1000 * noise)])
    wrong = 0
    for _ in range(cases):
        own = SHARES["a tenth 0"](rng, (subjects, 1, 1))
        shift = rng.normal(0, sd, (1, 2, SEEDS)) if sd else 0.0
        values = np.clip(own + shift + rng.normal(0, noise, (subjects, 2, SEEDS)), 0, 1)
        found = mean_tests([values[:, 0], values[:, 1]], [(0, 1)], flips)
        wrong += found.adjusted[0] < 0.05
    return wrong / cases


def family_errors(subjects: int, seeds: int, differing: int, cases: int, flips: int = 499) -> float:
    """Return how often a family of five methods, the first ``differing`` of them better, finds a difference that is none."""
    rng = np.random.default_rng([subjects, seeds, differing])
    methods = 5
    pairs = list(itertools.combinations(range(methods), 2))
    equal = np.array([i >= differing for i, _ in pairs])
    wrong = 0
    for _ in range(cases):
        own = SHARES["a tenth 0"](rng, (subjects, 1, 1))
        gain = np.where(np.arange(methods) < differing, 0.1 * (1 + np.arange(methods)), 0.0)
        shift = rng.normal(0, 0.02, (1, methods, seeds)) if seeds > 1 else 0.0
        noise = rng.normal(0, 0.1, (subjects, methods, seeds))
        values = own + gain[None, :, None] + shift + noise
        found = mean_tests([values[:, k] for k in range(methods)], pairs, flips)
        wrong += bool((found.adjusted[equal] < 0.05).any())
    return wrong / cases


def pooled_errors(subjects: int, cases: int, swaps: int = 399) -> float:
    """Return how often two equally good methods differ in pooled average precision."""
    rng = np.random.default_rng([subjects, 11])
    wrong = 0
    one = np.array([1, 1])
    for _ in range(cases):
        counts = made_up_counts(rng, subjects, 2)
        tables = [on_common_grid([own], own.subjects) for own in counts]
        trainings = Trainings(np.zeros(2), one, np.array([0]), np.array([1]))
        found = swap_tests([t for t in tables if t is not None], [(0, 1)], trainings, swaps)
        wrong += found.adjusted[0] < 0.05
    return wrong / cases


def _settings() -> Iterator[tuple[int, int, float]]:
    """Yield subjects, seeds and their standard deviation."""
    for subjects in SUBJECTS:
        yield subjects, 1, 0.0
        for sd in SEED_SDS:
            yield subjects, SEEDS, sd


def measured(cases: int) -> dict[str, Any]:
    """Return all that is promised, measured over so many cases each."""
    shares = [
        {"shape": shape, "subjects": n, "seeds": k, "sd": sd}
        | {"covered": round(covered_shares(shape, n, k, sd, cases), 4)}
        for shape in SHARES
        for n, k, sd in _settings()
    ]
    amounts = [
        {"shape": shape, "subjects": n, "seeds": k, "sd": sd}
        | {"covered": round(covered_amounts(shape, n, k, sd, cases), 4)}
        for shape in AMOUNTS
        for n, k, sd in _settings()
    ]
    fewer = max(cases // 4, 100)
    return {
        "made_by": "python -m perf.coverage",
        "cases": cases,
        "cases_of_tests": fewer,
        "shares": shares,
        "amounts": amounts,
        "pooled": [
            {"subjects": n, "covered": round(covered_pooled(n, fewer), 4)} for n in SUBJECTS
        ],
        "twice": [
            {"subjects": n, "sd": sd, "noise": noise}
            | {"different": round(twice(n, sd, noise, fewer), 4)}
            for n in (10, 30, 250)
            for sd in SEED_SDS
            for noise in (0.02, 0.1)
        ],
        "families": [
            {"subjects": n, "seeds": k, "differing": d}
            | {"wrong": round(family_errors(n, k, d, fewer), 4)}
            for n in (8, 10, 30, 250)
            for k in (1, SEEDS)
            for d in (0, 2)
        ],
        "pooled_tests": [
            {"subjects": n, "wrong": round(pooled_errors(n, fewer), 4)} for n in (8, 10, 30, 60)
        ],
    }


def _normal(values: Array) -> Array:
    from scipy.special import ndtr

    found: Array = ndtr(values)
    return found


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4000, help="of each setting of an interval")
    parser.add_argument("--out", type=Path, default=TARGET)
    given = parser.parse_args()
    lines = json.dumps(measured(given.cases), indent=1)
    given.out.write_text(lines + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
