"""Average precision and AUROC without approximation: of one subject, or pooled over subjects in two passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.case import Case
from andi_bench.metrics.histograms.scores import as_scores, same_shape


@dataclass(frozen=True)
class Ranking:
    """How well scores rank lesion voxels above lesion-free ones.

    Parameters
    ----------
    average_precision : float or None
        Step-wise, as ``sklearn.metrics.average_precision_score``, in (0, 1]; None without lesion voxels.
    auroc : float or None
        Area under the ROC curve, ties counting half, in [0, 1]; None without lesion voxels or without others.
    positives, negatives : int
        Lesion and lesion-free voxels.
    """

    average_precision: float | None
    auroc: float | None
    positives: int
    negatives: int


def exact_ranking(scores: NDArray[Any], lesion: NDArray[np.bool_]) -> Ranking:
    """Rank the voxels of one subject.

    Parameters
    ----------
    scores : array, any shape
        Scores of the voxels of the region, such as ``anomaly_map[brain]``; read as float32.
    lesion : bool, same shape
        Lesion voxels among them.

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For arrays of different shapes.
    """
    scores, lesion = _checked(scores, lesion)
    values, count = np.unique(scores[lesion], return_counts=True)
    healthy = np.sort(scores[~lesion])
    below = np.searchsorted(healthy, values, side="left")
    not_above = np.searchsorted(healthy, values, side="right")
    return _ranking(count, below, not_above - below, len(healthy))


def average_precision(case: Case) -> float | None:
    """Return the average precision of a subject's brain voxels, in (0, 1]; None without a lesion."""
    return case.shared(_ranked).average_precision


def auroc(case: Case) -> float | None:
    """Return the area under the ROC curve of a subject's brain voxels, in [0, 1]; None without a lesion."""
    return case.shared(_ranked).auroc


def _ranked(case: Case) -> Ranking:
    return exact_ranking(case.scores[case.brain], case.lesion[case.brain])


def exact_pooled_ranking(
    subjects: Iterable[tuple[NDArray[Any], NDArray[np.bool_]]],
) -> Ranking:
    """Rank the voxels of all subjects together, exactly, reading the subjects twice.

    The first pass keeps the lesion voxels' scores, the second counts the lesion-free voxels below each of them. Memory:
    one subject, and about 30 bytes per lesion voxel of the whole set.

    Parameters
    ----------
    subjects : iterable of (scores, lesion)
        As for :func:`exact_ranking`. Must give the same subjects when it is iterated a second time: a list, or an
        object whose ``__iter__`` reads from disk, not a generator.

    Raises
    ------
    NonFiniteScores
        For NaN or infinities.
    ValueError
        For arrays of different shapes, or an iterable that can be read only once.
    """
    if iter(subjects) is subjects:
        raise ValueError("an iterable that can be read twice wanted, an iterator found")
    passes = PooledPasses()
    for scores, lesion in subjects:
        passes.first(scores, lesion)
    for scores, lesion in subjects:
        passes.second(scores, lesion)
    return passes.ranking()


class PooledPasses:
    """The two passes behind :func:`exact_pooled_ranking`, for a caller that does more in each of them.

    Call :meth:`first` for every subject, then :meth:`second` for every subject, then :meth:`ranking`.
    """

    def __init__(self) -> None:
        self._collected: list[NDArray[np.float32]] = []
        self._values = np.empty(0, dtype=np.float32)
        self._count = np.empty(0, dtype=np.int64)
        self._reached: NDArray[np.int64] | None = None
        self._tied = np.empty(0, dtype=np.int64)

    def first(self, scores: NDArray[Any], lesion: NDArray[np.bool_]) -> None:
        """Keep the lesion voxels' scores."""
        scores, lesion = _checked(scores, lesion)
        self._collected.append(scores[lesion])

    def second(self, scores: NDArray[Any], lesion: NDArray[np.bool_]) -> None:
        """Count the lesion-free voxels below, and at, each lesion score."""
        scores, lesion = _checked(scores, lesion)
        if self._reached is None:
            self._values, self._count = np.unique(
                np.concatenate([self._values, *self._collected]), return_counts=True
            )
            self._collected = []
            # reached[i]: lesion-free voxels whose highest lesion score not above them is values[i - 1].
            self._reached = np.zeros(len(self._values) + 1, dtype=np.int64)
            self._tied = np.zeros(len(self._values), dtype=np.int64)
        # Sorted needles are several times faster to place; the places come out sorted too.
        healthy = np.sort(scores[~lesion])
        place = np.searchsorted(self._values, healthy, side="right")
        where, repeats = _runs(place)
        self._reached[where] += repeats
        equal = place > 0
        equal[equal] = self._values[place[equal] - 1] == healthy[equal]
        where, repeats = _runs(place[equal] - 1)
        self._tied[where] += repeats

    def ranking(self) -> Ranking:
        """Return the pooled ranking."""
        reached = np.zeros(1, dtype=np.int64) if self._reached is None else self._reached
        below = np.cumsum(reached)[:-1]
        return _ranking(self._count, below, self._tied, int(reached.sum()))


def _runs(values: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct values of a sorted array, and how often each occurs."""
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])[: len(values)])
    return values[first], np.diff(first, append=len(values))


def _checked(
    scores: NDArray[Any], lesion: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    values, mask = as_scores(scores), np.asarray(lesion, dtype=bool)
    same_shape(scores=values, lesion=mask)
    return values.ravel(), mask.ravel()


def _ranking(
    count: NDArray[np.int64], below: NDArray[np.int64], tied: NDArray[np.int64], negatives: int
) -> Ranking:
    """Rank from the distinct lesion scores, ascending: how many lesion voxels have it, lesion-free below and equal."""
    positives = int(count.sum())
    if not positives:
        return Ranking(None, None, 0, negatives)
    hits = np.cumsum(count[::-1])[::-1]
    precision = hits / (hits + negatives - below)
    average_precision = float((count * precision).sum() / positives)
    auroc = None
    if negatives:
        auroc = float((count * (below + 0.5 * tied)).sum() / (positives * negatives))
    return Ranking(average_precision, auroc, positives, negatives)
