"""What a modality's score says, in units that are the same for all modalities: how rare it is in healthy brain.

Scores of several modalities are brought into line before they are reduced: a score s becomes -log10 of the share of healthy
validation voxels that score s or more. So the noisiest modality does not win by its noise. The maximum over modalities then takes the
smallest of their shares (Tippett 1931), the mean is Fisher's combination of them (1925). Brain voxels that are neither lesion nor
ignored are healthy, those of lesion-free subjects too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench.metrics.histograms.scores import key_scores, score_keys

VERSION = 1
"""Raised when the same scores would give another curve, or the same curve another map."""
STEP = 0.005
"""Distance between knots, in decades of the share: 1 % of it."""
LEAST_TAIL, TAIL_SHARE = 100, 1e-3
"""Highest scores that the course beyond all of them is taken from: so many, or such a share."""
_DROPPED = 12
"""Bits of a score's key that are not counted: bins are 2^-11 of the score wide at the most."""
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Curve:
    """A function of one modality's scores that never falls.

    Between the knots it is linear. Below the first it is 0. Beyond the last, where no healthy voxel scored, it goes on
    as for an exponential tail, so that the order of the highest scores is kept.

    Parameters
    ----------
    scores : tuple of float
        Knots, rising, two or more.
    rarity : tuple of float
        There -log10 of the share of healthy voxels that score as much or more, >= 0, rising.
    slope : float
        Beyond the last knot, per unit of score, > 0.
    """

    scores: tuple[float, ...]
    rarity: tuple[float, ...]
    slope: float

    def __call__(self, scores: torch.Tensor) -> torch.Tensor:
        """Map scores of any shape to float32; what is not finite stays so."""
        values = scores.float()
        knots = torch.tensor(self.scores, dtype=torch.float32, device=values.device)
        rarity = torch.tensor(self.rarity, dtype=torch.float32, device=values.device)
        place = torch.searchsorted(knots, values.contiguous(), right=True) - 1
        low = place.clamp(0, len(knots) - 2)
        share = ((values - knots[low]) / (knots[low + 1] - knots[low])).clamp(0, 1)
        within = rarity[low] + share * (rarity[low + 1] - rarity[low])
        within = torch.minimum(within, rarity[low + 1])
        beyond = (rarity[-1] + (values - knots[-1]) * self.slope).clamp(max=_LARGEST)
        mapped = torch.where(values > knots[-1], beyond, within)
        return torch.where(torch.isfinite(values), mapped, values)

    def at(self, rarity: float) -> float:
        """Return the score at which the curve reaches a rarity within its knots."""
        return float(np.interp(rarity, self.rarity, self.scores))


class ScoreCounts:
    """Counts of one modality's healthy scores, in bins that are narrow for any range; 8 MiB, however many there are.

    Attributes
    ----------
    values : int64 (2^20,)
        Scores in each bin, the lowest first.
    """

    def __init__(self) -> None:
        self.values: NDArray[np.int64] = np.zeros(1 << (32 - _DROPPED), dtype=np.int64)

    @property
    def total(self) -> int:
        """Scores counted."""
        return int(self.values.sum())

    def add(self, scores: NDArray[np.float32]) -> None:
        """Count finite scores, float32 (M,)."""
        self.values += np.bincount(score_keys(scores) >> _DROPPED, minlength=len(self.values))

    def curve(self) -> Curve:
        """Return the curve of what was counted, one score or more."""
        places = np.flatnonzero(self.values)
        counts = self.values[places]
        edges = key_scores(places.astype(np.uint32) << np.uint32(_DROPPED)).astype(np.float64)
        above = np.cumsum(counts[::-1])[::-1]
        rarity = np.maximum(0.0, -np.log10(above / above[0]))
        slope = _tail_slope(edges, counts, above)
        if len(edges) == 1:
            width = max(abs(edges[0]), 1.0)
            return Curve((edges[0] - width, edges[0]), (0.0, 0.0), slope)
        kept = _knots(rarity)
        return Curve(tuple(edges[kept].tolist()), tuple(rarity[kept].tolist()), slope)


def _knots(rarity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose knots a step apart; both ends of a jump are knots, so that a score that repeats is not smeared."""
    step = np.floor(rarity / STEP)
    begins = np.concatenate([[True], np.diff(step) > 0])
    return begins | np.append(begins[1:], True)


def _tail_slope(
    edges: NDArray[np.float64], counts: NDArray[np.int64], above: NDArray[np.int64]
) -> float:
    """Return the slope of an exponential tail, 1 / (mean excess * ln 10), from the highest scores.

    Where they are all one score, their distance to 0 stands for the mean excess.
    """
    wanted = min(above[0], max(LEAST_TAIL, int(TAIL_SHARE * above[0])))
    first = int(np.flatnonzero(above >= wanted)[-1])
    excess = float(np.average(edges[first:] - edges[first], weights=counts[first:]))
    if excess <= 0:
        excess = abs(float(edges[-1])) or 1.0
    return min(1 / (excess * math.log(10)), _LARGEST)
