"""Lesions counted one by one, rather than by their voxels.

Lesions, and detections, are the 26-connected components of the two masks. Two questions are asked of them:

- Was the lesion seen? A lesion is *found* when at least 10 % of its voxels are detected; sensitivity: lesions found /
  lesions. Nothing else stands on this rule: one detection of the whole brain finds every lesion.
- Was it told apart? A lesion and a detection *match* when their intersection over union exceeds 0.1; every lesion has
  at most one detection and every detection at most one lesion, assigned so that as many as possible match. With TP
  matches, FP detections and FN lesions that have none: F1 = 2 TP / (2 TP + FP + FN), precision = TP / (TP + FP).
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

MATCHING_IOU = 0.1
"""A lesion and a detection may match when their intersection over union is larger."""

STRATA = ("<0.1 ml", "0.1-1 ml", "1-10 ml", ">10 ml")
"""Lesions by volume. A lesion of 0.1 or of 1 ml belongs to the larger stratum; one of 10 ml, which is not above
10 ml, to the third."""

LIMITS_ML = (0.1, 1.0, 10.0)
"""Volumes between these strata."""


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


@dataclass(frozen=True)
class LesionWise:
    """One subject's lesions and detections.

    Parameters
    ----------
    lesions, found : int
        Lesions, and those of which a tenth is detected.
    detections, matches : int
        Detected components, and pairs of a lesion and a detection, one to one.
    strata : dict
        :class:`Stratum` by each of :data:`STRATA`.
    """

    lesions: int
    found: int
    detections: int
    matches: int
    strata: dict[str, Stratum] = field(default_factory=dict)

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesions found, in [0, 1]; None without lesions."""
        return self.found / self.lesions if self.lesions else None

    @property
    def precision(self) -> float | None:
        """Share of the detections that match a lesion, in [0, 1]; None without lesions or without detections."""
        return self.matches / self.detections if self.lesions and self.detections else None

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN), in [0, 1]; 0 with nothing detected; None without lesions."""
        return 2 * self.matches / (self.lesions + self.detections) if self.lesions else None


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
    known, (detection_of, detections) = LesionLabels(lesion), components(detection)
    size, covered = known.size, known.covered(detection_of)
    # In integers, so that exactly a tenth counts as found.
    found = covered * round(1 / FOUND_SHARE) >= size
    # The tolerances keep a lesion of just a limit in its stratum whatever the rounding of the voxel's volume.
    limits = np.array(LIMITS_ML) * (1 - 1e-9, 1 - 1e-9, 1 + 1e-9)
    stratum = np.searchsorted(limits, size * voxel_ml, side="right")
    strata = {
        name: Stratum(
            int(np.count_nonzero(stratum == index)), int(np.count_nonzero(found[stratum == index]))
        )
        for index, name in enumerate(STRATA)
    }
    matches = known.matches(detection_of, detections)
    return LesionWise(len(size), int(np.count_nonzero(found)), detections, matches, strata)


class LesionLabels:
    """The lesions of one subject, found once and matched with any number of detections.

    Parameters
    ----------
    lesion : bool (X, Y, Z)
        Mask.

    Attributes
    ----------
    size : int64 (L,)
        Voxels of each lesion.
    """

    def __init__(self, lesion: NDArray[np.bool_]) -> None:
        labels, count = components(lesion)
        self._where = np.nonzero(lesion)
        self._label = labels[self._where]
        self.size = np.bincount(self._label, minlength=count + 1)[1:]

    def covered(self, detection_of: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many voxels of each lesion are detected, int64 (L,), from the detections' labels (X, Y, Z)."""
        hit = self._label[detection_of[self._where] > 0]
        return np.bincount(hit, minlength=len(self.size) + 1)[1:]

    def matches(self, detection_of: NDArray[Any], detections: int) -> int:
        """Return how many lesions match a detection, one to one.

        Parameters
        ----------
        detection_of : int (X, Y, Z)
            Labels of the detections, 1..N, 0 where nothing is detected.
        detections : int
            Their number N.
        """
        at_lesion = detection_of[self._where]
        both = at_lesion > 0
        if not both.any():
            return 0
        area = np.bincount(detection_of[detection_of > 0], minlength=detections + 1)[1:]
        return most_matches(*_overlapping(self._label[both], at_lesion[both], self.size, area))


def _overlapping(
    lesion_of: NDArray[Any], detection_of: NDArray[Any], size: NDArray[Any], area: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of lesion and detection, from 0, whose intersection over union exceeds :data:`MATCHING_IOU`.

    Parameters
    ----------
    lesion_of, detection_of : int (N,)
        Labels, from 1, of the voxels that are both.
    size, area : int (L,), (D,)
        Voxels of the lesions and of the detections.
    """
    code = (lesion_of.astype(np.int64) - 1) * len(area) + (detection_of.astype(np.int64) - 1)
    pairs, both = np.unique(code, return_counts=True)
    first, second = np.divmod(pairs, len(area))
    union = size[first] + area[second] - both
    # In integers, so that exactly a tenth is no match.
    near = both * round(1 / MATCHING_IOU) > union
    return first[near], second[near]


def most_matches(lesion: NDArray[np.int64], detection: NDArray[np.int64]) -> int:
    """Return how many pairs can be kept when each lesion and each detection may stand in one alone.

    Parameters
    ----------
    lesion, detection : int64 (P,)
        The pairs that may match, each once.
    """
    rows, row = np.unique(lesion, return_inverse=True)
    columns, column = np.unique(detection, return_inverse=True)
    if len(rows) == len(lesion) and len(columns) == len(detection):
        return len(lesion)  # nobody has a choice
    from scipy.optimize import linear_sum_assignment

    may = np.zeros((len(rows), len(columns)))
    may[row, column] = 1
    return int(may[linear_sum_assignment(may, maximize=True)].sum())


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


def detections(case: Case) -> int:
    """Return the number of detections."""
    return case.shared(matched).detections


def lesions_matched(case: Case) -> int:
    """Return the number of lesions that match a detection, one to one."""
    return case.shared(matched).matches


def matched_precision(case: Case) -> float | None:
    """Return the share of the detections that match a lesion, in [0, 1]; None without lesions or detections."""
    return case.shared(matched).precision


def matched_f1(case: Case) -> float | None:
    """Return F1 of the matches, in [0, 1]; None without lesions."""
    return case.shared(matched).f1


def unmatched_detections(case: Case) -> int | None:
    """Return the number of detections that match no lesion; None without lesions."""
    found = case.shared(matched)
    return found.detections - found.matches if found.lesions else None


def false_positive_volume(case: Case) -> float:
    """Return the volume detected outside the lesion mask, ml."""
    return false_positive_ml(case.detection, case.lesion, case.voxel_ml)


def any_detection(case: Case) -> float:
    """Return 1 where anything is detected, else 0."""
    return float(case.detection.any())


def false_positive_rate(case: Case) -> float | None:
    """Return the share of the lesion-free brain voxels that is detected, in [0, 1]; None without such a voxel."""
    lesion_free = np.count_nonzero(case.brain & ~case.lesion)
    found = np.count_nonzero(case.detection & ~case.lesion)
    return found / lesion_free if lesion_free else None


def stratum_lesions(case: Case, stratum: str) -> int:
    """Return the number of lesions of one of :data:`STRATA`."""
    return case.shared(matched).strata[stratum].lesions


def stratum_found(case: Case, stratum: str) -> int:
    """Return the number of lesions of one of :data:`STRATA` that were found."""
    return case.shared(matched).strata[stratum].found
