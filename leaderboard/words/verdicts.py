"""What the tests of a table say, in sentences, and which rows have earned bold type."""

from __future__ import annotations

from collections.abc import Sequence

from andi_bench.metrics.compared import metric_at, title_of
from andi_bench.names import counted, part_of
from leaderboard.statistics.family import Agreement, Family, TableStatistics
from leaderboard.statistics.pair_tests import Key
from leaderboard.statistics.power import Need, Power
from leaderboard.statistics.rankings import ALPHA
from leaderboard.tables.cells import DASH


def sentences(family: Family) -> list[str]:
    """Return what a family's tests say beside their tables: how many differ, discordance, power, agreement."""
    lines = [*_of_tests(family), *_of_discordance(family), *_of_pooled(family)]
    lines += _of_equivalence(family)
    lines += power_sentences(family)
    if family.agreements:
        lines.append(f"Kendall's tau between schemes: {agreements_text(family.agreements)}.")
    return lines


def _of_tests(family: Family) -> list[str]:
    if not family.tests:
        return []
    how = "all sign flips" if family.tests[0].how.endswith("all") else "random sign flips"
    found = sum(test.better is not None for test in family.tests)
    return [
        f"{title_of(family.metric)} over {counted(len(family.subjects), 'subject')}, {counted(len(family.tests), 'comparison')} ({how}), "
        f"{found} significant at 5 %."
    ]


def _of_discordance(family: Family) -> list[str]:
    """Say where the second opinion names another winner than the mean."""
    found = [test for test in family.tests if test.discordant is not None]
    if not found:
        return []
    pairs = "; ".join(
        f"{test.discordant[0]}, though the mean favours {test.favoured[0]}"
        if test.favoured is not None
        else f"{test.discordant[0]}, though the means are equal"
        for test in found
        if test.discordant is not None
    )
    return [
        f"In {part_of(len(found), len(family.tests), 'pair')} Wilcoxon's signed ranks call another row better than the mean "
        f"does: {pairs}. The mean ranks and is what is tested."
    ]


def _of_pooled(family: Family) -> list[str]:
    if not family.pooled:
        return []
    how = "all swaps" if family.pooled[0].how.endswith("all") else "random swaps"
    found = sum(test.better is not None for test in family.pooled)
    title = title_of("pooled_ap")
    return [
        f"{title}: {part_of(found, len(family.pooled), 'difference')} significant at 5 % ({how})."
    ]


def _of_equivalence(family: Family) -> list[str]:
    asked = [test for test in family.tests if test.equivalent is not None]
    if not asked:
        return []
    found = sum((test.equivalent or 0.0) < ALPHA for test in asked)
    return [f"Equivalent within the margin asked for: {part_of(found, len(asked), 'pair')}."]


def power_sentences(family: Family) -> list[str]:
    """Say what so many subjects and seeds could have shown; [] where nothing tells."""
    return [] if family.power is None else _of_power(family.power, family.metric)


def _of_power(power: Power, metric: str) -> list[str]:
    title = title_of(metric)
    have = counted(power.subjects, "subject") + (
        f" and {power.seeds} seeds" if power.seeds > 1 else ""
    )
    found = f"a difference of {power.detectable:.3f} in {title} between two typical rows is found"
    if metric_at(metric).metric.share and power.detectable > 1:  # no difference is larger than 1
        found = f"no difference in {title} between two typical rows is found, however large,"
    needs = "".join(f"; {_needed(need, power)}" for need in power.needs)
    lines = [f"Power: with {have} {found} in 4 of 5 repetitions{needs}."]
    if power.ratio is not None:
        lines.append(
            f"The rows' means spread {power.ratio:.1f} times as far as the standard error of one of them in comparison "
            "(about 1: no more than chance)."
        )
    return lines


def _needed(need: Need, power: Power) -> str:
    text = f"{need.difference:g} takes "
    seeds = f" with {power.seeds} seeds" if power.seeds > 1 else ""
    if need.subjects is not None:
        text += f"{counted(need.subjects, 'subject', form=',')}{seeds}"
        if need.seeds == power.seeds:
            return text
        return f"{text}, or {need.subjects_then:,} with {need.seeds}"
    return (
        f"{text}more seeds: no number of subjects suffices{seeds}, {need.subjects_then:,} do with "
        f"{need.seeds}"
    )


def agreements_text(agreements: Sequence[Agreement]) -> str:
    """Return agreements in words, separated by commas."""
    return ", ".join(
        f"{one.first} and {one.second} {DASH if one.tau is None else format(one.tau, '.2f')}"
        for one in agreements
    )


def bold_rows(metric: str, statistics: TableStatistics) -> dict[str, set[Key]]:
    """Return, by the key of a metric, the rows whose value is bold: significantly better than every other.

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
    """Return the rows that are significantly better than every other: by the metric, and by pooled average precision."""
    family = statistics.family
    if family is None:
        return set(), set()
    best = family.significantly_best
    by_pooled = {
        key
        for key in family.keys
        if family.pooled
        and all(test.better == key for test in family.pooled if key in (test.first, test.second))
    }
    return set() if best is None else {best}, by_pooled
