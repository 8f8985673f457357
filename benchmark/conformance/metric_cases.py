"""Masks and scores that the metrics are checked on: random ones, and those on which a definition shows its edges."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

SHAPE = (11, 9, 7)
SPACINGS = ((1.0, 1.0, 1.0), (0.4, 1.875, 6.5), (1e-6, 1e-6, 1e-6), (1e5, 3.0, 1e-3))
"""Edges of a voxel, mm: a cube, a thick slice, and lengths that no scanner has."""

SEEDS = 12


@dataclass(frozen=True)
class MaskPair:
    """A detection and a lesion mask.

    Parameters
    ----------
    name : str
        What is special about them.
    detection, lesion : bool (X, Y, Z)
        The masks.
    spacing : (float, float, float)
        Edges of a voxel, mm.
    """

    name: str
    detection: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class ScoredVoxels:
    """Scores of voxels, and which of these are lesion.

    Parameters
    ----------
    name : str
        What is special about them.
    scores : float32 (N,)
        Finite.
    lesion : bool (N,)
        Lesion voxels.
    """

    name: str
    scores: NDArray[np.float32]
    lesion: NDArray[np.bool_]

    @property
    def has_lesion(self) -> bool:
        """Whether there is a lesion voxel."""
        return bool(self.lesion.any())

    @property
    def has_both(self) -> bool:
        """Whether there are lesion voxels and lesion-free ones."""
        return self.has_lesion and not self.lesion.all()


def mask_pairs(seed: int = 0) -> list[MaskPair]:
    """Return every pair of special masks, and random ones of all densities, in every spacing."""
    special = _special_masks()
    pairs = {
        f"{one} against {other}": (special[one], special[other])
        for one, other in product(special, repeat=2)
    }
    for k in range(SEEDS):
        rng = np.random.default_rng([seed, k])
        density, agreement = rng.uniform(0.01, 0.9), rng.uniform(0, 1)
        lesion = rng.random(SHAPE) < density
        detection = np.where(rng.random(SHAPE) < agreement, lesion, rng.random(SHAPE) < density)
        pairs[f"random, {density:.0%} lesion"] = (detection, lesion)
    return [
        MaskPair(f"{name}, voxels of {spacing} mm", *masks, spacing)
        for (name, masks), spacing in product(pairs.items(), SPACINGS)
    ]


def _special_masks() -> dict[str, NDArray[np.bool_]]:
    x, y, z = np.indices(SHAPE)
    last = np.zeros(SHAPE, dtype=bool)
    last[-1, -1, -1] = True
    return {
        "empty": np.zeros(SHAPE, dtype=bool),
        "full": np.ones(SHAPE, dtype=bool),
        "one voxel": (x == 4) & (y == 4) & (z == 3),
        "the last corner": last,
        "a face of the grid": x == 0,
        "one plane": z == 3,
        "a chequerboard": (x + y + z) % 2 == 0,
        "a hollow ball": np.abs(np.sqrt((x - 5) ** 2 + (y - 4) ** 2 + (z - 3) ** 2) - 3) < 0.8,
    }


def scored_voxels(seed: int = 0) -> list[ScoredVoxels]:
    """Return special scores under special and random lesions, and random ones of all sizes."""
    rng = np.random.default_rng([seed, 1000])
    count = 3000
    scores = _special_scores(rng, count)
    lesions = {
        "no lesion": np.zeros(count, dtype=bool),
        "lesion only": np.ones(count, dtype=bool),
        "one lesion voxel": np.arange(count) == 17,
        "one lesion-free voxel": np.arange(count) != 17,
        "a tenth lesion": rng.random(count) < 0.1,
    }
    cases = [
        ScoredVoxels(f"{name}, {which}", values, lesion)
        for (name, values), (which, lesion) in product(scores.items(), lesions.items())
    ]
    for k in range(SEEDS):
        rng = np.random.default_rng([seed, 2000 + k])
        size = int(rng.integers(1, 6000))
        lesion = rng.random(size) < rng.uniform(0, 0.3)
        values = rng.normal(size=size) + rng.uniform(-1, 3) * lesion
        if k % 3 == 0:
            values = values.round(1)
        cases.append(ScoredVoxels(f"random, {size} voxels", values.astype(np.float32), lesion))
    return cases


def cohorts(seed: int = 0) -> list[tuple[str, list[ScoredVoxels]]]:
    """Return the subjects that are pooled with one another: each kind of score, all of them, and large subjects.

    Only the large ones have score histograms that hold several scores in a bin.
    """
    cases = scored_voxels(seed)
    found: dict[str, list[ScoredVoxels]] = {"all kinds of scores together": cases}
    for case in cases:
        found.setdefault(case.name.rsplit(",", 1)[0], []).append(case)
    rng = np.random.default_rng([seed, 3000])
    found["large subjects"] = large = []
    for share in (0.02, 0.3, 0.6):
        lesion = rng.random(60_000) < share
        scores = rng.gamma(2.0, 1.0, lesion.size) + 1.5 * lesion
        large.append(ScoredVoxels(f"{share:.0%} lesion", scores.astype(np.float32), lesion))
    return list(found.items())


def _special_scores(rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float32]]:
    plain = rng.normal(size=count)
    largest = float(np.finfo(np.float32).max)
    smallest = float(np.finfo(np.float32).smallest_subnormal)
    neighbours = np.float32(1) + np.arange(count) % 5 * np.spacing(np.float32(1))
    values = {
        "normal scores": plain,
        "scores of four values": rng.integers(0, 4, count),
        "all scores 0": np.zeros(count),
        "all scores 0, of either sign": np.where(plain > 0, 0.0, -0.0),
        "all scores alike": np.full(count, 0.7),
        "huge scores": np.clip(plain, -1, 1) * largest,
        "scores of the smallest numbers": rng.integers(-3, 4, count) * smallest,
        "scores of neighbouring numbers": rng.permutation(neighbours),
        "negative scores": -1 - np.abs(plain),
        "scores in order": np.arange(count),
    }
    return {name: np.asarray(found, dtype=np.float32) for name, found in values.items()}
