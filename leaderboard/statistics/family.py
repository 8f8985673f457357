"""What is found of the rows of a table: families of comparisons, and the statistics of the table as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from andi_bench.metrics.mean_intervals import TwoWay
from leaderboard.statistics.pair_tests import Key, PairTest
from leaderboard.statistics.power import Power
from leaderboard.statistics.rankings import Ranking
from leaderboard.tables.pipelines import View


@dataclass(frozen=True)
class Extra:
    """What is computed on demand.

    Parameters
    ----------
    older : bool
        Also rows of runs whose data were corrected since.
    schemes : bool
        Also ranks by mean rank and by tests.
    margin : float or None
        Differences up to this count as none: equivalence is tested.
    carry_thresholds : bool
        Also Dice of each data set at the thresholds of the others, which reads the score histograms.
    """

    older: bool = False
    schemes: bool = False
    margin: float | None = None
    carry_thresholds: bool = False


NOTHING_MORE = Extra()


@dataclass(frozen=True)
class Agreement:
    """How far two rankings of the same methods agree: Kendall's tau-b, None where one of them ties all.

    ``first`` and ``second`` name the schemes, pipelines or data sets; ``view`` what both tables show, "" where they differ
    in it. Between data sets ``low`` and ``high`` are 95 % with other subjects of both, ``p`` is that of as much agreement by
    chance, two-sided, and ``needed`` the smallest tau that so many methods can show at 5 %, None where they cannot. ``differing``: what runs on the
    two data sets differ in beside the data (training, seeds, scoring), with the methods that do.
    """

    first: str
    second: str
    view: View | Literal[""]
    methods: int
    tau: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    needed: float | None = None
    differing: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Family:
    """Comparisons that are corrected together: all pairs of a table's ranked rows.

    Parameters
    ----------
    name : str
        In words.
    view : str
        What the table shows of every method.
    metric : str
        Per-subject metric of the tests.
    keys : tuple of (str, str)
        Rows, in the order of the table.
    subjects : tuple of str
        Subjects for which every row has a value: the blocks.
    left_out : int
        Subjects for which some row has none.
    tests, pooled : tuple of PairTest
        Of the metric's means, and of pooled average precision; () where a record has no histograms.
    letters : tuple of str
        Of each row: rows that share a letter are not told apart; () where there are no tests.
    spread : tuple of TwoWay
        Of each row: where its mean's variance comes from.
    chance : tuple of bool
        Of each row: whether another seed could have given other maps.
    rankings : tuple of Ranking
        The one that ranks, others on demand; () where there are no tests.
    agreements : tuple of Agreement
        Between the schemes.
    power : Power or None
        None where no pair varies.
    warnings : tuple of str
        What a reader must know before believing it.
    """

    name: str
    view: View
    metric: str
    keys: tuple[Key, ...]
    subjects: tuple[str, ...]
    left_out: int
    tests: tuple[PairTest, ...]
    pooled: tuple[PairTest, ...]
    letters: tuple[str, ...] = ()
    spread: tuple[TwoWay, ...] = ()
    chance: tuple[bool, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    power: Power | None = None
    warnings: tuple[str, ...] = ()

    def test(self, first: Key, second: Key, pooled: bool = False) -> PairTest | None:
        """Return the test of two rows, in whatever order; None where there is none."""
        for test in self.pooled if pooled else self.tests:
            if {test.first, test.second} == {first, second}:
                return test
        return None

    @property
    def significantly_best(self) -> Key | None:
        """The row that is significantly better than every other, where there is one."""
        for key in self.keys if self.tests else ():
            if all(test.better == key for test in self.tests if key in (test.first, test.second)):
                return key
        return None


@dataclass(frozen=True)
class TableStatistics:
    """The statistics of one table.

    Parameters
    ----------
    family : Family or None
        All pairs of its ranked rows; None where there are fewer than two.
    agreements : tuple of Agreement
        Between the rankings (by mean) of the raw and of the filtered rows of the methods.
    pooled_intervals : dict
        By row: the 95 % limits of pooled average precision, over subjects and seeds.
    warnings : tuple of str
        Of the table as a whole.
    """

    family: Family | None = None
    agreements: tuple[Agreement, ...] = ()
    pooled_intervals: dict[Key, tuple[float, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def letters(self) -> dict[Key, str]:
        """The groups, by row."""
        return dict(zip(self.family.keys, self.family.letters, strict=False)) if self.family else {}
