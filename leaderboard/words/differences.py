"""Tests, groups and ranks as rows of text, for the terminal, Markdown, LaTeX and the page."""

from __future__ import annotations

from andi_bench.metrics.compared import title_of
from leaderboard.statistics.family import Family
from leaderboard.statistics.pair_tests import Key, PairTest
from leaderboard.statistics.rankings import Ranking
from leaderboard.tables.cells import DASH, NO_SEED, signed

RANK_HEADS = ("Method", "Mean", "Group", "Rank", "Significantly better than")
RANK_NUMBERS = ("Mean", "Rank", "Rank by mean rank", "Rank by tests")
SPREAD_HEADS = ("Method", "Seeds", "SD subjects", "SD seeds", "SD subject x seed")
SPREAD_NUMBERS = SPREAD_HEADS[1:]
PAIR_NUMBERS = (
    "Difference",
    "p",
    "p (family)",
    "Wilcoxon p (Holm)",
    "Effect",
    title_of("pooled_ap"),
    "p (family), pooled",
    "p equivalent (Holm)",
)
_PAIR_HEADS = ("First", "Second", *PAIR_NUMBERS[:-1], "Better")


def rank_heads(family: Family) -> tuple[str, ...]:
    """Return the heads of :func:`rank_cells`: further schemes stand there where they were asked for."""
    others = [f"Rank {ranking.scheme}" for ranking in family.rankings[1:]]
    return (*RANK_HEADS[:-1], *others, RANK_HEADS[-1])


def rank_cells(family: Family) -> list[list[str]]:
    """Return the methods of a family under :func:`rank_heads`, best mean first; [] without a ranking."""
    if not family.rankings:
        return []
    first = family.rankings[0]
    out = []
    for place in sorted(range(len(family.keys)), key=lambda place: (first.ranks[place], place)):
        key = family.keys[place]
        ranks = [_rank(ranking, place) for ranking in family.rankings]
        score = f"{abs(first.scores[place]):.3f}"
        out.append(
            [key[0], score, family.letters[place], ranks[0], *ranks[1:], _beaten(family, key)]
        )
    return out


def spread_cells(family: Family) -> list[list[str]]:
    """Return where the variance of each row's mean comes from, under :data:`SPREAD_HEADS`."""
    out = []
    for key, found, chance in zip(family.keys, family.spread, family.chance, strict=False):
        seeds = str(found.trainings) if chance else NO_SEED
        apart = [f"{found.sd_of_trainings:.3f}", f"{found.sd_of_rest:.3f}"]
        if found.trainings == 1:
            apart = [DASH, DASH]
        out.append([key[0], seeds, f"{found.sd_of_subjects:.3f}", *apart])
    return out


def _beaten(family: Family, key: Key) -> str:
    """Name the methods that one is significantly better than; every row is another method, labels suffice."""
    worse = [test for test in family.tests if test.better == key]
    names = [(test.second if test.first == key else test.first)[0] for test in worse]
    others = len(family.keys) - 1
    return f"all {others}" if len(names) == others else ", ".join(names) or "none"


def matrix_cells(family: Family) -> tuple[list[str], list[list[str]]]:
    """Return the significance matrix: heads, and for every method its adjusted p against each other.

    ``+`` before p: the row is significantly better than the column; ``-``: worse.
    """
    heads = ["", *(str(place) for place in range(1, len(family.keys) + 1))]
    cells = []
    for place, key in enumerate(family.keys, start=1):
        line = [f"{place} {key[0]}"]
        for other in family.keys:
            test = family.test(key, other) if other != key else None
            line.append(
                DASH if test is None else mark_of(test, key) + p_text(test.adjusted, test.floor)
            )
        cells.append(line)
    return heads, cells


def pair_heads(family: Family) -> tuple[str, ...]:
    """Return the heads of :func:`pair_cells`."""
    asked = any(test.equivalent is not None for test in family.tests)
    return (*_PAIR_HEADS[:-1], PAIR_NUMBERS[-1], _PAIR_HEADS[-1]) if asked else _PAIR_HEADS


def pair_cells(family: Family) -> list[list[str]]:
    """Return every pair of a family under :func:`pair_heads`."""
    out = []
    for place, test in enumerate(family.tests):
        pooled = family.pooled[place] if family.pooled else None
        ranks = test.ranks
        line = [
            test.first[0],
            test.second[0],
            _difference(test),
            p_text(test.p, test.floor),
            p_text(test.adjusted, test.floor),
            DASH if ranks is None else p_text(ranks.adjusted),
            DASH if ranks is None else f"{ranks.effect:+.2f}",
            DASH if pooled is None else _difference(pooled),
            DASH if pooled is None else p_text(pooled.adjusted, pooled.floor),
        ]
        if test.equivalent is not None:
            line.append(p_text(test.equivalent))
        out.append([*line, _better(test, pooled)])
    return out


def p_text(p: float, floor: float = 0.0) -> str:
    """Return a p-value: ``.031``, ``<.001``, ``1``; as "below" where it is the smallest that there can be.

    Parameters
    ----------
    p : float
        In [0, 1].
    floor : float
        The smallest p that a test by resampling can give; 0 where there is none.
    """
    if p < 0.001:
        return "<.001"
    sign = "≤" if 0 < p <= floor * 1.000001 else ""
    return "1" if p > 0.9995 else sign + f"{p:.3f}".removeprefix("0")


def mark_of(test: PairTest, key: Key) -> str:
    """Return whether a row is significantly better or worse in a test: ``+``, ``-`` or nothing."""
    if test.better is None:
        return ""
    return "+" if test.better == key else "-"


def _rank(ranking: Ranking, place: int) -> str:
    rank = str(ranking.ranks[place])
    return f"{rank} [{ranking.low[place]}, {ranking.high[place]}]" if ranking.low else rank


def _difference(test: PairTest) -> str:
    text = signed(test.difference)
    if test.low is not None and test.high is not None:
        text += f" [{signed(test.low, 2)}, {signed(test.high, 2)}]"
    return text


def _better(test: PairTest, pooled: PairTest | None) -> str:
    words = [] if test.better is None else [test.better[0]]
    if test.discordant is not None:
        words.append(f"Wilcoxon names {test.discordant[0]}")
    if pooled is not None and pooled.better is not None and pooled.better != test.better:
        words.append(f"{pooled.better[0]} (pooled)")
    return ", ".join(words) or DASH
