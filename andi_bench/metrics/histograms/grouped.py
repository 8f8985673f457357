"""Score histograms cut down to what resampling the subjects needs: the same few hundred groups for all subjects.

A run's histograms hold some 10,000 bins a subject; ten thousand resamples of 250 subjects need far fewer. Bins of all
subjects are joined to about :data:`GROUPS` groups along the merged ranking, at equal steps of recall and of log rank
together; scores that repeat much keep a group to themselves, as ties. What is drawn then is a sum of rows of two small
tables. Against the full histograms, the average precision of a resample changes by less than 5e-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.histograms.histogram import ScoreHistogram
from andi_bench.metrics.histograms.scores import Region

GROUPS = 256
_CHUNK = 512
_COUNTS = ("lesion", "healthy", "tied")


@dataclass(frozen=True, eq=False)
class GroupedCounts:
    """Voxels of each subject in groups of scores, from the highest scores down.

    Parameters
    ----------
    subjects : tuple of str
        S names.
    lesion, healthy : uint32 (S, G)
        Lesion and lesion-free voxels.
    tied : bool (G,)
        Whether a group is a single score, whose voxels enter together.
    """

    subjects: tuple[str, ...]
    lesion: NDArray[np.uint32]
    healthy: NDArray[np.uint32]
    tied: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        subjects: Sequence[str],
        histograms: Sequence[ScoreHistogram],
        region: Region = "brain",
    ) -> GroupedCounts:
        """Group the histograms of some subjects, which are read twice, one by one."""
        merged = ScoreHistogram.merge(histograms)
        group_of, tied = _groups(merged, region)
        code, groups = merged.code, len(tied)
        tables = np.zeros((2, len(histograms), groups), dtype=np.uint32)
        for row, histogram in enumerate(histograms):
            group = group_of[np.searchsorted(code, histogram.code)]
            for table, label in zip(tables, histogram.labels(region), strict=True):
                table[row] = np.bincount(group, weights=label, minlength=groups)
        return cls(tuple(subjects), tables[0], tables[1], tied)

    def only(self, subjects: Sequence[str]) -> GroupedCounts:
        """Return the counts of some of the subjects, in that order.

        Raises
        ------
        KeyError
            For a subject that is not there.
        """
        place = {subject: row for row, subject in enumerate(self.subjects)}
        rows = [place[subject] for subject in subjects]
        return GroupedCounts(tuple(subjects), self.lesion[rows], self.healthy[rows], self.tied)

    def average_precision(self, draws: NDArray[Any]) -> NDArray[np.float64]:
        """Return the pooled average precision of resamples of the subjects.

        Parameters
        ----------
        draws : (R, S)
            How often each subject occurs in each resample.

        Returns
        -------
        float64 (R,)
            NaN for a resample without a lesion voxel.
        """
        out = np.empty(len(draws))
        tables = self._sums(np.float32)
        for begin in range(0, len(draws), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            weights = np.asarray(draws[part], dtype=np.float32)
            hits, marked = (weights @ table for table in tables)
            out[part] = _average_precision(hits, marked, self.tied)
        return out

    def whole(self) -> float:
        """Return the pooled average precision of all subjects; NaN without a lesion voxel."""
        hits, marked = (table.sum(axis=0, keepdims=True) for table in self._sums(np.float64))
        return float(_average_precision(hits, marked, self.tied)[0])

    def left_out(self) -> NDArray[np.float64]:
        """Return the pooled average precision without each of the subjects, float64 (S,); NaN where no lesion is left."""
        hits, marked = (table.sum(axis=0) - table for table in self._sums(np.float64))
        return _average_precision(hits, marked, self.tied)

    def curves(self, draws: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return recall and precision after each group, float64 (R, G) each; NaN where undefined."""
        weights = np.asarray(draws, dtype=np.float64)
        hits, marked = (weights @ table for table in self._sums(np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            return hits / hits[:, -1:], hits / marked

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return plain arrays, by name; see :meth:`from_arrays`."""
        return {
            "lesion": self.lesion.astype(np.min_scalar_type(int(self.lesion.max(initial=0)))),
            "healthy": self.healthy.astype(np.min_scalar_type(int(self.healthy.max(initial=0)))),
            "tied": self.tied,
            "subjects": np.array(self.subjects, dtype=np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> GroupedCounts:
        """Take what :meth:`arrays` returned.

        Raises
        ------
        ValueError
            Names the array that is missing or does not fit.
        """
        for name in (*_COUNTS, "subjects"):
            if name not in arrays:
                raise ValueError(f"grouped counts: array '{name}' is missing")
        shape = (len(arrays["subjects"]), len(arrays["tied"]))
        for name in ("lesion", "healthy"):
            if arrays[name].shape != shape or arrays[name].dtype.kind != "u":
                raise ValueError(
                    f"grouped counts: array '{name}' is {arrays[name].dtype} {arrays[name].shape}, "
                    f"unsigned {shape} wanted"
                )
        return cls(
            tuple(str(subject) for subject in arrays["subjects"]),
            arrays["lesion"].astype(np.uint32),
            arrays["healthy"].astype(np.uint32),
            arrays["tied"].astype(bool),
        )

    def _sums(self, kind: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Lesion voxels, and all voxels, of each subject down to the end of each group."""
        hits = np.cumsum(self.lesion, axis=1, dtype=np.int64)
        marked = hits + np.cumsum(self.healthy, axis=1, dtype=np.int64)
        return hits.astype(kind), marked.astype(kind)


def _average_precision(
    hits: NDArray[Any], marked: NDArray[Any], tied: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the figure of each curve; changes the curves, lesion voxels and all voxels down to each group, (R, G)."""
    gain, entered = hits.copy(), marked.copy()
    gain[:, 1:] -= hits[:, :-1]
    entered[:, 1:] -= marked[:, :-1]
    total = hits[:, -1].astype(np.float64) if len(tied) else np.zeros(len(hits))
    # precision at the middle of a group, as its voxels are taken to be mixed evenly; at the end of a tie
    middle = np.where(tied, 0.0, 0.5).astype(hits.dtype)
    hits -= middle * gain
    marked -= middle * entered
    np.divide(hits, marked, out=hits, where=marked > 0)
    gain *= hits
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = gain.sum(axis=1, dtype=np.float64) / total
    return found


def _groups(merged: ScoreHistogram, region: Region) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the group of every bin of the merged histogram, and which groups are ties."""
    positives, negatives = merged.labels(region)
    if not len(positives):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)
    # Nested bins are ordered by their middles, which differ from each other.
    order = np.argsort(-(merged.start.astype(np.float64) + merged.last), kind="stable")
    positives, negatives = positives[order], negatives[order]
    rank = np.cumsum(positives + negatives)
    travelled = np.cumsum(positives) / max(int(positives.sum()), 1)
    travelled = travelled + np.log1p(rank) / max(np.log1p(rank[-1]), 1.0)
    step = np.floor(travelled * (GROUPS / 2)).astype(np.int64)
    jump = np.diff(travelled, prepend=0.0) > 1 / GROUPS
    alone = jump & (merged.shift[order] == 0)
    new = np.ones(len(step), dtype=bool)
    new[1:] = (step[1:] != step[:-1]) | alone[1:] | alone[:-1]
    group_of = np.empty(len(step), dtype=np.int64)
    group_of[order] = np.cumsum(new) - 1
    return group_of, alone[new]
