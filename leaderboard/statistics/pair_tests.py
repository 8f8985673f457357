"""Pairs of rows compared on the same subjects: by Wilcoxon's test, and by resampling pooled average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.statistics.rankings import ALPHA
from leaderboard.statistics.signed_ranks import holm, wilcoxon
from leaderboard.tables.table import Row

Key = tuple[str, str]
"""A row of a table: label and chain."""

FEW_SUBJECTS = 30
"""With fewer, a bootstrap is too sure of itself: its intervals are shown, but no difference of pooled average precision
is called significant."""


@dataclass(frozen=True)
class PairTest:
    """Two rows compared.

    Parameters
    ----------
    first, second : (str, str)
        Labels and chains.
    difference : float
        First less second: of the means over subjects, or of pooled average precision.
    low, high : float
        95 % paired bootstrap interval of it over subjects (percentile).
    p, adjusted : float
        Two-sided, and corrected by Holm's method within the family.
    effect : float or None
        Matched-pairs rank-biserial correlation, positive where the first is better; None for pooled figures.
    subjects, zeros : int
        Subjects compared, and how many of them show no difference.
    how : str
        ``exact`` or ``approximate`` (Wilcoxon), ``bootstrap``.
    better : (str, str) or None
        The better of the two where the difference is significant at 5 % within the family; never for pooled
        figures of fewer than :data:`FEW_SUBJECTS` subjects.
    """

    first: Key
    second: Key
    difference: float
    low: float
    high: float
    p: float
    adjusted: float
    effect: float | None
    subjects: int
    zeros: int
    how: str
    better: Key | None


def wilcoxon_tests(
    keys: Sequence[Key],
    values: NDArray[np.float64],
    worth: NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
    draws: NDArray[np.int64],
) -> tuple[PairTest, ...]:
    """Test pairs of rows by their subjects' values.

    Parameters
    ----------
    keys : sequence of (str, str)
        K rows.
    values : float64 (S, K)
        A value per subject and row.
    worth : float64 (S, K)
        The same with higher = better.
    pairs : sequence of (int, int)
        Which rows to compare; one family.
    draws : int (R, S)
        Resamples of the subjects, for the intervals.
    """
    means = draws.astype(np.float64) @ values / len(values)
    found = [wilcoxon(worth[:, first] - worth[:, second]) for first, second in pairs]
    adjusted = holm([test.p for test in found])
    out = []
    for (first, second), test, p in zip(pairs, found, adjusted, strict=True):
        low, high = np.percentile(means[:, first] - means[:, second], [2.5, 97.5])
        winner = None
        if p < ALPHA and test.effect:
            winner = keys[first] if test.effect > 0 else keys[second]
        out.append(
            PairTest(
                first=keys[first],
                second=keys[second],
                difference=float((values[:, first] - values[:, second]).mean()),
                low=float(low),
                high=float(high),
                p=test.p,
                adjusted=float(p),
                effect=test.effect,
                subjects=len(values),
                zeros=test.zeros,
                how=test.how,
                better=winner,
            )
        )
    return tuple(out)


def bootstrap_tests(
    rows: Sequence[Row],
    pairs: Sequence[tuple[int, int]],
    pooled: dict[Key, NDArray[np.float64]],
    subjects: int,
) -> tuple[PairTest, ...]:
    """Test pairs of rows by their pooled average precision.

    Parameters
    ----------
    rows : sequence of Row
        Of the leaderboard.
    pairs : sequence of (int, int)
        Which rows to compare; one family.
    pooled : dict
        By row: its pooled average precision on the same resamples of the subjects, float64 (R,).
    subjects : int
        How many there are.
    """
    found = []
    for first, second in pairs:
        drawn = pooled[rows[first].key] - pooled[rows[second].key]
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.percentile(drawn, [2.5, 97.5])
        # the share of the resamples on the wrong side of 0; never 0 with finitely many
        tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
        found.append((float(low), float(high), min(1.0, 2 * (tail + 1) / (len(drawn) + 1))))
    adjusted = holm([p for _, _, p in found])
    out = []
    for (first, second), (low, high, p), corrected in zip(pairs, found, adjusted, strict=True):
        one, other = rows[first], rows[second]
        values = one.figures["pooled_ap"].value, other.figures["pooled_ap"].value
        assert values[0] is not None
        assert values[1] is not None
        difference = values[0] - values[1]
        winner = None
        if corrected < ALPHA and difference and subjects >= FEW_SUBJECTS:
            winner = one.key if difference > 0 else other.key
        out.append(
            PairTest(
                first=one.key,
                second=other.key,
                difference=difference,
                low=low,
                high=high,
                p=p,
                adjusted=float(corrected),
                effect=None,
                subjects=subjects,
                zeros=0,
                how="bootstrap",
                better=winner,
            )
        )
    return tuple(out)
