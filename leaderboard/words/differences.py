"""Tests and rankings as rows of text, for the terminal, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.resampling import PAIR_RESAMPLES, RANK_RESAMPLES
from leaderboard.statistics.families import (
    BETWEEN_METHODS,
    Agreement,
    Family,
    Key,
    PairTest,
    TableStatistics,
)
from leaderboard.statistics.pair_tests import FEW_SUBJECTS
from leaderboard.statistics.rankings import Ranking
from leaderboard.statistics.signed_ranks import EXACT_UP_TO
from leaderboard.tables.cells import DASH

RANK_NUMBERS = ("Mean", "Rank by mean", "Rank by mean rank", "Rank by tests")
RANK_HEADS = ("Method", *RANK_NUMBERS, "Significantly better than")
PAIR_NUMBERS = ("Difference", "p", "p (Holm)", "Effect", title_of("pooled_ap"), "p (Holm), pooled")
PAIR_HEADS = ("First", "Second", *PAIR_NUMBERS, "Better")

HOW = (
    "Subjects are the blocks of all tests; several seeds of a method are averaged within each subject first, and the "
    "spread over seeds stands apart. Only ranked rows take part.",
    "Families: all pairs of methods with the same post-processing make one family for each chain; each method's chains "
    "against each other make another. Holm's method corrects the p-values for the number of comparisons within a family.",
    "Wilcoxon: signed ranks of the paired differences, two-sided. Differences of 0 are left out, equal ones share their "
    f"mean rank. Up to {EXACT_UP_TO} differences other than 0 the null distribution is exact, beyond it is normal with "
    "correction for ties and continuity.",
    "Effect: matched-pairs rank-biserial correlation, from -1 to 1; positive where the first is better.",
    "Difference [95 %]: first less second, with the paired percentile bootstrap over subjects "
    f"({PAIR_RESAMPLES:,} resamples, the same for all pairs). Pooled AP likewise, from the score histograms; its p is twice "
    "the share of resamples on the wrong side of 0. In simulations with 10 subjects that p falls below 5 % between equal "
    f"methods twice as often as it should: of fewer than {FEW_SUBJECTS} subjects no such difference is called significant.",
    "Ranks by three schemes (challengeR): by the mean over subjects (aggregate-then-rank); by the mean of the ranks "
    "within each subject (rank-then-aggregate); by how many methods are significantly worse (test-then-rank). Equal "
    f"results share the better rank. In brackets 95 % of the ranks in {RANK_RESAMPLES:,} bootstraps of the subjects.",
    "Friedman: do the methods differ at all, over subjects; CD is Nemenyi's critical difference of mean ranks at 5 %.",
    "Kendall's tau-b: 1, two rankings agree; 0, they have nothing in common; -1, one is the other reversed; –: one of them ties all.",
    "Bold: significantly better than every other ranked row with the same post-processing. No bold: nobody is.",
    "Intervals are percentile bootstraps over subjects, as in the run records. In simulations of skewed Dice values with some "
    "zeros they cover the true mean in 91 % of the cases with 10 subjects, 93 % with 20, 95 % with 50 or more (BCa "
    "intervals: 93, 94 and 95 %).",
)
"""What a reader must know of the statistics, one item each."""


def rank_cells(family: Family) -> list[list[str]]:
    """Return the methods of a family under :data:`RANK_HEADS`, best mean first."""
    places = list(range(len(family.keys)))
    if family.rankings:
        places = sorted(places, key=lambda place: family.rankings[0].ranks[place])
    out = []
    for place in places:
        key = family.keys[place]
        score = f"{abs(family.rankings[0].scores[place]):.3f}" if family.rankings else DASH
        ranks = [_rank(ranking, place) for ranking in family.rankings]
        out.append([key[0], score, *ranks, _beaten(family, key)])
    return out


def _beaten(family: Family, key: Key) -> str:
    """Name the methods that one is significantly better than; of one chain, labels suffice."""
    worse = [test for test in family.wilcoxon if test.better == key]
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
            line.append(DASH if test is None else mark_of(test, key) + p_text(test.adjusted))
        cells.append(line)
    return heads, cells


def pair_cells(family: Family) -> list[list[str]]:
    """Return every pair of a family under :data:`PAIR_HEADS`."""
    within = family.kind == BETWEEN_METHODS
    out = []
    for place, test in enumerate(family.wilcoxon):
        pooled = family.pooled[place] if family.pooled else None
        out.append(
            [
                _name(test.first, within),
                _name(test.second, within),
                _difference(test),
                p_text(test.p),
                p_text(test.adjusted),
                DASH if test.effect is None else f"{test.effect:+.2f}",
                DASH if pooled is None else _difference(pooled),
                DASH if pooled is None else p_text(pooled.adjusted),
                _better(test, pooled, within),
            ]
        )
    return out


def sentences(family: Family) -> list[str]:
    """Return what a family's tests say beside their tables: the blocks, Friedman's test, agreement, warnings."""
    lines = [*_of_tests(family), *_of_pooled(family)]
    test = family.friedman
    if test is not None:
        degrees = len(family.keys) - 1
        f = "" if test.f is None else f"; F = {test.f:.2f}, p {p_is(test.f_p)} (Iman and Davenport)"
        ranks = ", ".join(
            f"{key[0]} {rank:.2f}"
            for key, rank in zip(family.keys, test.average_ranks, strict=True)
        )
        lines.append(
            f"Friedman: chi-squared = {test.chi2:.2f} ({degrees} degrees of freedom), p {p_is(test.p)}{f}. Mean ranks: "
            f"{ranks}; CD {test.critical_difference:.2f}."
        )
    if family.agreements:
        lines.append(f"Kendall's tau between schemes: {agreements_text(family.agreements)}.")
    return lines


def _of_tests(family: Family) -> list[str]:
    if not family.wilcoxon:
        return []
    exact = sum(test.how == "exact" for test in family.wilcoxon)
    how = "exact" if exact == len(family.wilcoxon) else "approximate"
    if 0 < exact < len(family.wilcoxon):
        how = f"{exact} exact, {len(family.wilcoxon) - exact} approximate"
    found = sum(test.better is not None for test in family.wilcoxon)
    return [
        f"{title_of(family.metric)} over {len(family.subjects)} subjects, {len(family.wilcoxon)} comparisons "
        f"({how}), {found} significant at 5 %."
    ]


def _of_pooled(family: Family) -> list[str]:
    if not family.pooled:
        return []
    title = title_of("pooled_ap")
    if family.pooled[0].subjects < FEW_SUBJECTS:
        return [
            f"{title}: intervals only. Of fewer than {FEW_SUBJECTS} subjects a bootstrap is too sure of itself: no "
            "difference is called significant, whatever its p."
        ]
    found = sum(test.better is not None for test in family.pooled)
    return [f"{title}: {found} of {len(family.pooled)} differences significant at 5 %."]


def agreements_text(agreements: Sequence[Agreement]) -> str:
    """Return agreements in words, separated by commas."""
    return ", ".join(
        f"{one.first} and {one.second} {DASH if one.tau is None else format(one.tau, '.2f')}"
        for one in agreements
    )


def bold_rows(metric: str, statistics: TableStatistics) -> dict[str, set[Key]]:
    """Return, by the key of a metric, the rows whose value is bold: significantly best of their chain.

    Parameters
    ----------
    metric : str
        What ranks.
    statistics : TableStatistics
        The table's.
    """
    by_metric, by_pooled = bold_keys(statistics)
    return {metric: by_metric, "pooled_ap": by_pooled}


def bold_keys(statistics: TableStatistics) -> tuple[set[Key], set[Key]]:
    """Return the rows that are significantly best of their chain: by the metric, and by pooled average precision."""
    by_metric, by_pooled = set(), set()
    for family in statistics.families:
        best = family.significantly_best
        if best is not None:
            by_metric.add(best)
        if family.kind != BETWEEN_METHODS or not family.pooled:
            continue
        for key in family.keys:
            tests = [test for test in family.pooled if key in (test.first, test.second)]
            if all(test.better == key for test in tests):
                by_pooled.add(key)
    return by_metric, by_pooled


def p_text(p: float) -> str:
    """Return a p-value: ``.031``, ``<.001``, ``1``."""
    if p < 0.001:
        return "<.001"
    return "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")


def p_is(p: float | None) -> str:
    """Return a p-value with its sign of comparison, for a sentence."""
    if p is None:
        return DASH
    return "< .001" if p < 0.001 else f"= {p_text(p)}"


def mark_of(test: PairTest, key: Key) -> str:
    """Return whether a row is significantly better or worse in a test: ``+``, ``-`` or nothing."""
    if test.better is None:
        return ""
    return "+" if test.better == key else "-"


def _rank(ranking: Ranking, place: int) -> str:
    low, high = ranking.low[place], ranking.high[place]
    return f"{ranking.ranks[place]} [{low}, {high}]"


def _name(key: Key, within: bool) -> str:
    return key[0] if within else f"{key[0]} ({key[1]})"


def _difference(test: PairTest) -> str:
    return f"{test.difference:+.3f} [{test.low:+.2f}, {test.high:+.2f}]".replace("0.", ".")


def _better(test: PairTest, pooled: PairTest | None, within: bool) -> str:
    words = [] if test.better is None else [_name(test.better, within)]
    if pooled is not None and pooled.better is not None and pooled.better != test.better:
        words.append(f"{_name(pooled.better, within)} (pooled)")
    return ", ".join(words) or DASH
