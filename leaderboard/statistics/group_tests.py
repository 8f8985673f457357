"""Sub-groups: whether a method works otherwise in one of them, and whether the difference of two methods depends on it.

One construction for both questions. A subject's value is a method's (mean over the seeds), or the difference of two
methods', which is free of how hard the subject is for both: that is the interaction of method and group. Its mean in a group is
held against the mean of all other subjects, divided by Welch's standard error (the groups may differ in spread), and the
labels of the groups are permuted over the subjects, of all methods, pairs and groups at once. The largest statistic of all is what
each is compared with, step-down (Westfall and Young): one correction over groups, methods and pairs. A permutation test
of such a studentised statistic holds its level where spreads differ too, the nearer the larger the groups are (Janssen, 1997).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andi_bench.metrics.compared import tested_metric
from andi_bench.metrics.resampling import DRAW_SEED
from andi_bench.records.schema import SMALLEST_GROUP
from leaderboard.statistics.families import values_of
from leaderboard.statistics.pair_tests import Key
from leaderboard.statistics.sign_flips import StepDown, on_normal_scale
from leaderboard.tables.table import Table

PERMUTATIONS = 9_999
"""Random permutations of the labels: p-values down to 1 in 10,000."""

_CHUNK = 64
_NOTHING = 1e-12


@dataclass(frozen=True)
class GroupContrast:
    """A group held against all other subjects, in one method or in the difference of two.

    Parameters
    ----------
    group : str
        Its name.
    subjects, others : int
        How many are in it, and how many are not.
    first : (str, str)
        A row of the table.
    second : (str, str) or None
        The row that is taken from it; None where the question is about the first alone.
    difference : float
        Mean in the group less mean of the others.
    p, adjusted : float
        Two-sided; by itself, and corrected over all groups, methods and pairs.
    """

    group: str
    subjects: int
    others: int
    first: Key
    second: Key | None
    difference: float
    p: float
    adjusted: float


@dataclass(frozen=True)
class GroupTests:
    """The tests of one grouping of a table's subjects.

    Parameters
    ----------
    by : str
        What the subjects are grouped by.
    metric : str
        Per-subject metric that is tested.
    subjects : int
        For which every ranked row has a value, and whose group is known.
    too_few : tuple of (str, int)
        Groups that are not tested, with the number of such subjects in them.
    contrasts : tuple of GroupContrast
        Group by group: methods, then pairs; () where there is nothing to test.
    floor : float
        The smallest p that there can be.
    """

    by: str
    metric: str
    subjects: int
    too_few: tuple[tuple[str, int], ...] = ()
    contrasts: tuple[GroupContrast, ...] = ()
    floor: float = 1 / (PERMUTATIONS + 1)


def group_tests(table: Table, by: str, groups: Mapping[str, AbstractSet[str]]) -> GroupTests:
    """Test the groups of a table's subjects.

    Parameters
    ----------
    table : Table
        Its ranked rows are compared.
    by : str
        What the subjects are grouped by.
    groups : mapping of str to set of str
        Subjects by group; each in one at most, those in none are left out.
    """
    rows = [row for row in table.rows if row.rank is not None]
    metric = tested_metric(table.metric)
    names, values, _ = values_of(rows) if rows else ((), [], 0)
    kept = [
        place for place, name in enumerate(names) if any(name in own for own in groups.values())
    ]
    sizes = {group: sum(names[place] in own for place in kept) for group, own in groups.items()}
    tested = [
        group
        for group, size in sizes.items()
        if size >= SMALLEST_GROUP and len(kept) - size >= SMALLEST_GROUP
    ]
    few = tuple((group, size) for group, size in sizes.items() if size < SMALLEST_GROUP)
    if not tested:
        return GroupTests(by, metric, len(kept), few)
    if len(tested) == 2 and sum(sizes[group] for group in tested) == len(kept):
        tested = tested[:1]  # the other group says the same with the other sign
    means = np.stack([own.mean(axis=1)[kept] for own in values], axis=1)
    pairs = list(itertools.combinations(range(len(rows)), 2))
    columns = [means, *(means[:, [i]] - means[:, [j]] for i, j in pairs)]
    quantities: list[tuple[Key, Key | None]] = [(row.key, None) for row in rows]
    quantities += [(rows[i].key, rows[j].key) for i, j in pairs]
    member = np.array([[names[place] in groups[group] for place in kept] for group in tested])
    found = permuted_groups(np.hstack(columns), member)
    contrasts = tuple(
        GroupContrast(
            group,
            sizes[group],
            len(kept) - sizes[group],
            first,
            second,
            *(float(part[g, q]) for part in found),
        )
        for g, group in enumerate(tested)
        for q, (first, second) in enumerate(quantities)
    )
    return GroupTests(by, metric, len(kept), few, contrasts)


def permuted_groups(
    values: NDArray[np.float64], member: NDArray[np.bool_], permutations: int = PERMUTATIONS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Hold the mean of each group against that of the other subjects, labels permuted over subjects.

    Parameters
    ----------
    values : float64 (S, Q)
        Of every quantity by subject.
    member : bool (G, S)
        Who is in which group; at least two in each and two not.
    permutations : int
        Random ones, beside the labels as they are.

    Returns
    -------
    difference, p, adjusted : float64 (G, Q)
    """
    contrast = _Contrast(values, member.sum(axis=1))
    difference, observed = contrast(member[None].astype(np.float64))
    steps = StepDown(observed.ravel())
    steps.add(observed.reshape(1, -1))
    rng = np.random.default_rng(DRAW_SEED)
    whole, subjects = member.astype(np.float64), len(values)
    for begin in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - begin)
        order = rng.random((size, subjects)).argsort(axis=1)
        # (size, G, S): every group gets the same permutation
        again = whole[:, order].transpose(1, 0, 2)
        steps.add(contrast(again)[1].reshape(size, -1))
    return (
        difference[0],
        steps.p.reshape(observed.shape[1:]),
        steps.adjusted.reshape(observed.shape[1:]),
    )


class _Contrast:
    """The contrast of each group and quantity under some labels, and its statistic."""

    def __init__(self, values: NDArray[np.float64], sizes: NDArray[np.int64]) -> None:
        moved = values - values.mean(axis=0)
        self._parts = np.hstack([moved, np.square(moved)])
        self._total = self._parts.sum(axis=0)
        self._least = _NOTHING * np.square(moved).mean(axis=0) + np.finfo(float).tiny
        self._sizes = sizes[:, None].astype(np.float64)

    def __call__(
        self, member: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return difference and |t| on the normal's scale, (B, G, Q) each, of labels (B, G, S)."""
        batch, groups, subjects = member.shape
        sums = (member.reshape(-1, subjects) @ self._parts).reshape(batch, groups, -1)
        mean, error = self._moments(sums, self._sizes)
        others, rest = self._moments(self._total - sums, subjects - self._sizes)
        both = error + rest
        with np.errstate(invalid="ignore", divide="ignore"):
            degrees = np.square(both) / (
                np.square(error) / (self._sizes - 1)
                + np.square(rest) / (subjects - self._sizes - 1)
            )
        degrees = np.where(both > self._least, degrees, float(subjects - 2))
        spread = np.where(both > self._least, np.sqrt(both), 0.0)
        difference = mean - others
        apart = np.where(np.square(difference) > self._least, np.abs(difference), 0.0)
        return difference, on_normal_scale(apart, spread, degrees)

    @staticmethod
    def _moments(
        sums: NDArray[np.float64], sizes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and the variance of the mean."""
        first, second = np.split(sums, 2, axis=-1)
        mean = first / sizes
        variance = np.maximum(second / sizes - np.square(mean), 0.0) / (sizes - 1)
        return mean, variance
