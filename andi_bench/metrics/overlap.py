"""Voxel-wise overlap of a detection with the lesion mask at one threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.case import Case
from andi_bench.metrics.histograms.scores import same_shape


@dataclass(frozen=True)
class Overlap:
    """Voxels by agreement of a detection with the lesion mask.

    Parameters
    ----------
    true_positives, false_positives, false_negatives : int
        Voxels detected and lesion, detected only, lesion only.
    """

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def dice(self) -> float:
        """2 |P and T| / (|P| + |T|), in [0, 1]. Both masks empty: 1. One empty: 0."""
        both = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / both if both else 1.0

    @property
    def lesion(self) -> int:
        """Voxels of the lesion."""
        return self.true_positives + self.false_negatives

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesion that is detected, in [0, 1]; None without a lesion."""
        return self.true_positives / self.lesion if self.lesion else None

    @property
    def precision(self) -> float | None:
        """Share of the detection that is lesion, in [0, 1]; None without a detection."""
        detected = self.true_positives + self.false_positives
        return self.true_positives / detected if detected else None


def overlap(
    detection: NDArray[Any], lesion: NDArray[Any], region: NDArray[Any] | None = None
) -> Overlap:
    """Count the voxels of a detection and of a lesion mask.

    Parameters
    ----------
    detection, lesion : bool (X, Y, Z)
        Masks.
    region : bool (X, Y, Z), optional
        Where voxels count; None: everywhere.

    Raises
    ------
    ValueError
        For arrays of different shapes.
    """
    detection, lesion = np.asarray(detection, dtype=bool), np.asarray(lesion, dtype=bool)
    same_shape(detection=detection, lesion=lesion)
    if region is not None:
        region = np.asarray(region, dtype=bool)
        same_shape(detection=detection, region=region)
        detection, lesion = detection & region, lesion & region
    both = int(np.count_nonzero(detection & lesion))
    return Overlap(
        both, int(np.count_nonzero(detection)) - both, int(np.count_nonzero(lesion)) - both
    )


def counts(case: Case) -> Overlap:
    """Return the voxels of a case by agreement; three metrics share them."""
    return overlap(case.detection, case.lesion)


def dice(case: Case) -> float | None:
    """Return Dice of the detection, in [0, 1]; None without a lesion, where silence would be rewarded."""
    found = case.shared(counts)
    return found.dice if found.lesion else None


NORMAL_SHARE = 0.001
"""Share of the brain that is lesion to which :func:`normalised_dice` brings every subject."""


def normalised_dice(case: Case) -> float | None:
    """Return Dice with the false positives weighed as if the lesions held :data:`NORMAL_SHARE` of the brain, in [0, 1].

    2 TP / (2 TP + FN + k FP) with k = (1 - r) L / (r (N - L)), r that share, L and N the lesion's and the brain's voxels: a
    rate of false positives costs a large and a small lesion alike (Raina et al. 2023; Shifts challenge). None without a
    lesion, and where all of the brain is one.
    """
    found, brain = case.shared(counts), int(np.count_nonzero(case.brain))
    if not 0 < found.lesion < brain:
        return None
    weight = (1 - NORMAL_SHARE) * found.lesion / (NORMAL_SHARE * (brain - found.lesion))
    twice = 2 * found.true_positives
    return twice / (twice + found.false_negatives + weight * found.false_positives)


def sensitivity(case: Case) -> float | None:
    """Return the share of the lesion that is detected, see :attr:`Overlap.sensitivity`."""
    return case.shared(counts).sensitivity


def precision(case: Case) -> float | None:
    """Return the share of the detection that is lesion, see :attr:`Overlap.precision`; None without a lesion too."""
    found = case.shared(counts)
    return found.precision if found.lesion else None
