"""Lesions counted one by one, rather than by their voxels.

Lesions, and detections, are the 26-connected components of the two masks. A lesion is *found* when at least 10 % of its
voxels are detected. A detection is a *false-positive lesion* when none of its voxels is lesion. From these:

- sensitivity: lesions found / lesions
- precision: detections that touch a lesion / detections
- F1: their harmonic mean
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.case import Case
from andi_bench.metrics.histograms.scores import same_shape

FOUND_SHARE = 0.1
"""Least share of a lesion that must be detected for the lesion to count as found."""

STRATA = ("<0.1 ml", "0.1-1 ml", "1-10 ml", ">10 ml")
"""Lesions by volume. A lesion of 0.1 or of 1 ml belongs to the larger stratum; one of 10 ml, which is not above
10 ml, to the third."""

_LIMITS_ML = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Stratum:
    """Lesions of one size.

    Parameters
    ----------
    lesions, found : int
        How many there are, and how many of them were found.
    """

    lesions: int
    found: int

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesions found, in [0, 1]; None without lesions."""
        return self.found / self.lesions if self.lesions else None


@dataclass(frozen=True)
class LesionWise:
    """One subject's lesions and detections.

    Parameters
    ----------
    lesions, found : int
        Lesions, and those found.
    detections, false_positives : int
        Detected components, and those that touch no lesion.
    strata : dict
        :class:`Stratum` by each of :data:`STRATA`.
    """

    lesions: int
    found: int
    detections: int
    false_positives: int
    strata: dict[str, Stratum] = field(default_factory=dict)

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesions found, in [0, 1]; None without lesions."""
        return self.found / self.lesions if self.lesions else None

    @property
    def precision(self) -> float | None:
        """Share of the detections that touch a lesion, in [0, 1]; None without detections."""
        if not self.detections:
            return None
        return (self.detections - self.false_positives) / self.detections

    @property
    def f1(self) -> float | None:
        """Harmonic mean of sensitivity and precision, in [0, 1]; 0 with nothing detected; None without lesions."""
        if not self.lesions:
            return None
        sensitivity, precision = self.found / self.lesions, self.precision or 0.0
        both = sensitivity + precision
        return 2 * sensitivity * precision / both if both else 0.0


def lesion_wise(detection: NDArray[Any], lesion: NDArray[Any], voxel_ml: float) -> LesionWise:
    """Match lesions and detections of one subject.

    Parameters
    ----------
    detection, lesion : bool (X, Y, Z)
        Masks.
    voxel_ml : float
        Volume of a voxel, ml (mm^3 / 1000), > 0.

    Raises
    ------
    ValueError
        For arrays of different shapes.
    """
    detection, lesion = np.asarray(detection, dtype=bool), np.asarray(lesion, dtype=bool)
    same_shape(detection=detection, lesion=lesion)
    lesion_of, lesions = components(lesion)
    detection_of, detections = components(detection)
    shared = detection & lesion
    size = np.bincount(lesion_of[lesion], minlength=lesions + 1)[1:]
    covered = np.bincount(lesion_of[shared], minlength=lesions + 1)[1:]
    # In integers, so that exactly a tenth counts as found.
    found = covered * round(1 / FOUND_SHARE) >= size
    touching = np.count_nonzero(np.bincount(detection_of[shared], minlength=detections + 1)[1:])
    # The tolerances keep a lesion of just a limit in its stratum whatever the rounding of the voxel's volume.
    limits = np.array(_LIMITS_ML) * (1 - 1e-9, 1 - 1e-9, 1 + 1e-9)
    stratum = np.searchsorted(limits, size * voxel_ml, side="right")
    strata = {
        name: Stratum(
            int(np.count_nonzero(stratum == index)), int(np.count_nonzero(found[stratum == index]))
        )
        for index, name in enumerate(STRATA)
    }
    return LesionWise(
        lesions, int(np.count_nonzero(found)), detections, detections - int(touching), strata
    )


def components(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], int]:
    """Label the 26-connected components of a mask (X, Y, Z): labels 1..N, 0 outside; and N."""
    import cc3d

    if not mask.any():
        return np.zeros(mask.shape, dtype=np.uint16), 0
    row = sorted(mask.shape)[1] == 1
    # For a single row of voxels cc3d reserves one label too few, and fails: it gets an empty row beside it.
    padded = np.pad(mask, [(0, int(extent == 1)) for extent in mask.shape]) if row else mask
    labels, count = cc3d.connected_components(padded, connectivity=26, return_N=True)
    return labels[tuple(slice(extent) for extent in mask.shape)], int(count)


def false_positive_ml(detection: NDArray[Any], lesion: NDArray[Any], voxel_ml: float) -> float:
    """Return the volume detected outside the lesion mask, ml; on a lesion-free subject, all that is detected."""
    detection, lesion = np.asarray(detection, dtype=bool), np.asarray(lesion, dtype=bool)
    same_shape(detection=detection, lesion=lesion)
    return float(np.count_nonzero(detection & ~lesion) * voxel_ml)


def matched(case: Case) -> LesionWise:
    """Return the lesions and detections of a case, matched once for all metrics that count them."""
    return lesion_wise(case.detection, case.lesion, case.voxel_ml)


def lesions(case: Case) -> int:
    """Return the number of lesions."""
    return case.shared(matched).lesions


def lesions_found(case: Case) -> int:
    """Return the number of lesions found."""
    return case.shared(matched).found


def lesion_sensitivity(case: Case) -> float | None:
    """Return the share of the lesions found, in [0, 1]; None without lesions."""
    return case.shared(matched).sensitivity


def lesion_precision(case: Case) -> float | None:
    """Return the share of the detections that touch a lesion, in [0, 1]; None without detections."""
    return case.shared(matched).precision


def lesion_f1(case: Case) -> float | None:
    """Return the harmonic mean of both, in [0, 1]; None without lesions."""
    return case.shared(matched).f1


def false_positive_lesions(case: Case) -> int:
    """Return the number of detections that touch no lesion."""
    return case.shared(matched).false_positives


def false_positive_volume(case: Case) -> float:
    """Return the volume detected outside the lesion mask, ml."""
    return false_positive_ml(case.detection, case.lesion, case.voxel_ml)


def stratum_lesions(case: Case, stratum: str) -> int:
    """Return the number of lesions of one of :data:`STRATA`."""
    return case.shared(matched).strata[stratum].lesions


def stratum_found(case: Case, stratum: str) -> int:
    """Return the number of lesions of one of :data:`STRATA` that were found."""
    return case.shared(matched).strata[stratum].found


def stratum_sensitivity(case: Case, stratum: str) -> float | None:
    """Return the share of the lesions of one of :data:`STRATA` that were found; None without one."""
    return case.shared(matched).strata[stratum].sensitivity
