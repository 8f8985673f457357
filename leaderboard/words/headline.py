"""A table's result as one sentence, made from its tests alone: who can be told apart from whom, and in which direction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from andi_bench.metrics.compared import title_of
from andi_bench.metrics.points import RANKING
from leaderboard.statistics.family import Family, TableStatistics
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.table import Table

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
_NAMED = 8
"""More methods than these are counted, not named."""
_WORSE_SAID = 3
"""Among methods that overlap, so many statements are made; where there are more, they are counted."""


def headline(table: Table, statistics: TableStatistics) -> str:
    """Return the result of a table as one sentence, without its full stop.

    Parameters
    ----------
    table : Table
        Of the leaderboard.
    statistics : TableStatistics
        The table's: what is said of a pair is its test, significant at 5 % within the family or not.
    """
    family = statistics.family
    ranked = [row.label for row in table.rows if row.rank is not None]
    by = (
        ""
        if table.metric == RANKING
        else f", by {title_of(family.metric if family else table.metric)}"
    )
    unranked = len(table.rows) - len(ranked)
    rest = f"; {unranked} without a rank" if unranked and ranked else ""
    if not ranked:
        result = "no method has a rank"
    elif family is None:
        result = f"{ranked[0]} is the only method with a rank"
    elif not family.tests:
        result = f"too few subjects to compare {_listed(ranked)}"
    else:
        result = verdict(*_in_order(family))
    return f"{_counted(table, family)}{by}: {result}{rest}"


def verdict(names: Sequence[str], worse: Sequence[set[int]]) -> str:
    """Return what the tests of some methods say, in one sentence.

    Parameters
    ----------
    names : sequence of str
        The methods, best mean first; two at least.
    worse : sequence of set of int
        For each the places of those that are significantly better than it.
    """
    blocks = _blocks(worse)
    if len(blocks) == len(names) > 2:
        return f"all differ, from best to worst {_listed(names, most=len(names))}"
    parts: list[str] = []
    led = (
        len(blocks[0]) == 1
    )  # the first is said to be better than all others, which the second need not repeat
    alone: list[int] = []  # methods behind each other, each worse than all before it

    def tell_alone() -> None:
        if len(alone) > 1:
            own = _listed([names[place] for place in alone], most=len(names))
            parts.append(f"{own} follow, each worse than all before it")
        elif alone:
            parts.append(f"{names[alone[0]]} is worse than {_than(names, alone[0])}")
        alone.clear()

    for number, block in enumerate(blocks):
        if len(block) == 1:
            if number == 0:
                parts.append(f"{names[0]} is better than {_others(names)}")
            elif number > led:
                alone.append(block[0])
            continue
        tell_alone()
        text = _among(names, block, worse)
        if number > led:
            whole = all(not worse[place] & set(block) for place in block)
            text += f", and {'are' if whole else 'all are'} worse than {_than(names, block[0])}"
        parts.append(text)
    tell_alone()
    return "; ".join(parts)


def _in_order(family: Family) -> tuple[list[str], list[set[int]]]:
    """Return the names, best mean first, and for each the places of those that are significantly better."""
    ranks = family.rankings[0].ranks
    order = sorted(range(len(family.keys)), key=lambda place: (ranks[place], place))
    keys = [family.keys[place] for place in order]
    worse: list[set[int]] = [set() for _ in keys]
    for test in family.tests:
        if test.better is not None:
            loser = test.second if test.better == test.first else test.first
            worse[keys.index(loser)].add(keys.index(test.better))
    return [label for label, _ in keys], worse


def _blocks(worse: Sequence[set[int]]) -> list[range]:
    """Cut the methods, in order, wherever everyone behind is worse than everyone before."""
    count = len(worse)
    cuts = [
        place
        for place in range(1, count)
        if all(worse[behind] >= set(range(place)) for behind in range(place, count))
    ]
    return [range(a, b) for a, b in itertools.pairwise([0, *cuts, count])]


def _among(names: Sequence[str], block: range, worse: Sequence[set[int]]) -> str:
    """Say of methods that are not all told apart which are, if any."""
    own = [names[place] for place in block]
    pairs = sum(len(worse[place] & set(block)) for place in block)
    if not pairs:
        return f"{_listed(own)} cannot be told apart"
    said: dict[tuple[int, ...], list[str]] = {}
    for place in block:
        better = tuple(sorted(worse[place] & set(block)))
        if better:
            said.setdefault(better, []).append(names[place])
    if len(said) > _WORSE_SAID or len(own) > _NAMED:
        total = len(own) * (len(own) - 1) // 2
        return f"{_listed(own)} are partly told apart ({pairs} of {total} pairs; see the groups)"
    parts = [
        f"{_listed(who)} {'is' if len(who) == 1 else 'are'} worse than {_listed([names[place] for place in better])}"
        for better, who in said.items()
    ]
    return f"{_listed(own)} are partly told apart ({'; '.join(parts)}; no other two)"


def _than(names: Sequence[str], above: int) -> str:
    """Name those who stand before a place."""
    if above == 1:
        return names[0]
    return "both" if above == 2 else f"all {_number(above)}"


def _others(names: Sequence[str]) -> str:
    others = len(names) - 1
    if others == 1:
        return names[1]
    return "both others" if others == 2 else f"all {_number(others)} others"


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _listed(words: Sequence[str], most: int = _NAMED) -> str:
    if len(words) > most:
        return f"{words[0]} and {len(words) - 1} others"
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _counted(table: Table, family: Family | None) -> str:
    """Return the sizes: subjects that are compared, lesion-free ones, seeds."""
    volumes: dict[str, float] = {}
    volumes = volumes_of(table)
    free = sum(volume == 0 for volume in volumes.values())
    if family is not None:
        count = len(family.subjects)
    else:
        count = sum(volume > 0 for volume in volumes.values()) or max(
            (len(row.values.get(RANKING, {})) for row in table.rows), default=0
        )
    parts = [f"n = {count} with a lesion"]
    if free:
        parts.append(f"{free} lesion-free")
    seeds = sorted({len(row.seeds) for row in table.rows if row.rank is not None and row.chance})
    if seeds:
        span = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
        parts.append(f"{span} seed{'' if seeds == [1] else 's'}")
    return ", ".join(parts)
