"""Figures of the publication's protocol on three maps that are computed from formulas: the values must stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.exact import exact_pooled_ranking
from andi_bench.metrics.median import median_filter
from andi_bench.metrics.paper import PaperResult, paper_protocol
from benchmark.conformance.comparison import Comparison, Pair, compare

Subject = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""An anomaly map and a lesion mask, (X, Y, Z)."""

SHAPE = (32, 32, 24)
SINGLE = 1e-6
"""The published Dice are sums in float32."""


def golden_values() -> dict[str, Any]:
    """Return the values, by chain (``raw``, ``median5``) and name."""
    text = files("benchmark.conformance").joinpath("golden_values.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def golden_subjects(chain: str = "raw") -> list[Subject]:
    """Return the three maps, raw or after a median filter of 5 voxels, and their lesion masks.

    Each map is a Gaussian hill over an ellipsoid, a ripple, and a step that repeats every 11 voxels, inside a brain that is an
    ellipsoid as well; 0 outside. The lesion is the inside of the hill's ellipsoid.
    """
    subjects = [_subject(k) for k in range(3)]
    if chain == "raw":
        return subjects
    return [(median_filter(scores, 5), lesion) for scores, lesion in subjects]


def _subject(k: int) -> Subject:
    x, y, z = np.indices(SHAPE, dtype=np.float64)
    radius = _ellipsoid((x, y, z), (12 + 3 * k, 16 - 2 * k, 11 + k), (5 - k, 4 + 0.5 * k, 4))
    hill = (1 + 0.3 * k) * np.exp(-(radius**2))
    ripple = 1 + np.sin(0.9 * x + 1.3 * k) * np.cos(0.7 * y) * np.sin(1.1 * z + k)
    step = np.floor(31.7 * x + 17.3 * y + 7.1 * z + k) % 11 == 0
    brain = _ellipsoid((x, y, z), (15.5, 15.5, 11.5), (14, 14, 11)) < 1
    scores = (hill + 0.15 * ripple + 0.05 * step) * brain
    return scores.astype(np.float32), (radius < 1) & brain


def _ellipsoid(
    places: tuple[NDArray[np.float64], ...],
    centre: tuple[float, ...],
    radii: tuple[float, ...],
) -> NDArray[np.float64]:
    """Return the distance from the centre in units of the radii: below 1 inside the ellipsoid."""
    terms = [((at - c) / r) ** 2 for at, c, r in zip(places, centre, radii, strict=True)]
    return np.sqrt(sum(terms[1:], terms[0]))


def against_golden_values() -> list[Comparison]:
    """Compare the protocol's figures, and the exact pooled AUROC, with the values, one row a chain."""
    note = "Dice, thresholds, Yen and AP as the publication's code prints them; AUROC"
    return [
        compare(f"paper's protocol, {chain}", "golden values", _pairs(chain, values), SINGLE, note)
        for chain, values in golden_values().items()
    ]


def _pairs(chain: str, wanted: dict[str, Any]) -> Iterator[Pair]:
    subjects = golden_subjects(chain)
    found = paper_protocol(subjects)
    threshold, dice = found.best
    exact = exact_pooled_ranking(subjects)
    yield "AP", found.auprc, wanted["auprc"]
    yield "exact pooled AP", exact.average_precision, wanted["auprc"]
    yield "exact pooled AUROC", exact.auroc, wanted["auroc"]
    yield "threshold of the best Dice", threshold, wanted["best_threshold_in_window"]
    yield "best Dice", dice, wanted["best_dice_in_window"]
    yield "Dice at Yen's thresholds", found.yen_dice, wanted["yen_dice"]
    yield from _by_threshold(found, wanted)


def _by_threshold(found: PaperResult, wanted: dict[str, Any]) -> Iterator[Pair]:
    dice = dict(zip(found.thresholds, found.dice, strict=True))
    for at, value in wanted["dice_at"].items():
        yield f"Dice at {at}", dice.get(float(at)), value
    yen = zip(found.yen_thresholds, wanted["yen_thresholds"], strict=True)
    for k, (threshold, value) in enumerate(yen):
        yield f"Yen's threshold of map {k}", threshold, value
