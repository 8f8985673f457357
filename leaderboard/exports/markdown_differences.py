"""Tests and rankings in the Markdown leaderboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from andi_bench.names import counted
from leaderboard.compare import Comparison
from leaderboard.exports.markdown_cells import warned
from leaderboard.statistics.family import Family, TableStatistics
from leaderboard.words.across_text import (
    CROSSED,
    RANKS_MEAN,
    Listing,
    agreement_sentence,
    cross_listing,
    cross_notes,
    ranks_listing,
)
from leaderboard.words.differences import (
    PAIR_NUMBERS,
    RANK_NUMBERS,
    SPREAD_HEADS,
    SPREAD_NUMBERS,
    matrix_cells,
    pair_cells,
    pair_heads,
    rank_cells,
    rank_heads,
    spread_cells,
)
from leaderboard.words.how import how_tested
from leaderboard.words.verdicts import agreements_text, sentences

Tabulate = Callable[[Sequence[str], list[list[str]], Sequence[str]], str]
"""Heads, cells and the heads of number columns to a table."""


def statistics_parts(
    statistics: TableStatistics, tabulate: Tabulate, escape: Callable[[str], str]
) -> list[str]:
    """Return the paragraphs that follow a table: ranks and groups, sources of variance, all pairs."""
    parts = []
    if statistics.warnings:
        parts.append(warned(statistics.warnings))
    family = statistics.family
    if family is not None:
        parts.append(f"### Differences: {escape(family.name)}")
        if family.warnings:
            parts.append(warned(family.warnings))
        if family.rankings:
            parts.append(tabulate(rank_heads(family), rank_cells(family), RANK_NUMBERS))
        parts += [escape(sentence) for sentence in sentences(family)]
        parts += _details(family, tabulate, escape)
    if statistics.agreements:
        text = f"Kendall's tau between the rankings of the pipelines: {agreements_text(statistics.agreements)}."
        parts.append(escape(text))
    return parts


def method_parts(
    comparison: Comparison,
    tabulate: Tabulate,
    escape: Callable[[str], str],
    figures: Sequence[str] = (),
) -> list[str]:
    """Return what is said and drawn of several data sets together, and the section that defines everything."""
    parts = [*_across(comparison, tabulate, escape), *figures]
    if any(statistics.family for statistics in comparison.statistics):
        parts += [
            "## How differences are tested",
            "\n".join(f"- {escape(line)}" for line in how_tested()),
        ]
    return parts


def _across(comparison: Comparison, tabulate: Tabulate, escape: Callable[[str], str]) -> list[str]:
    def listed(found: Listing) -> list[str]:
        return [escape(found.title), tabulate(found.heads, found.cells, found.numbers)]

    parts = [text for one in comparison.mean_ranks for text in listed(ranks_listing(one))]
    if parts:
        parts.append(escape(RANKS_MEAN))
    if comparison.agreements:
        lines = [f"- {escape(agreement_sentence(one))}" for one in comparison.agreements]
        text = "Kendall's tau between the rankings of two data sets (by the mean over subjects):"
        parts += [text, "\n".join(lines)]
    for table in comparison.crossed:
        parts += [*listed(cross_listing(table)), *map(escape, cross_notes(table))]
    if comparison.crossed:
        parts.append(escape(CROSSED))
    return ["## Across data sets", *parts] if parts else []


def _details(family: Family, tabulate: Tabulate, escape: Callable[[str], str]) -> list[str]:
    if not family.tests:
        return []
    parts = []
    if family.rankings and len(family.keys) > 2:
        heads, cells = matrix_cells(family)
        parts += [
            "<details><summary>Significance matrix</summary>",
            escape(
                "p (family) of the row against the column; +: the row is significantly better, -: worse."
            ),
            tabulate(heads, cells, heads[1:]),
            "</details>",
        ]
    if family.rankings:
        parts += [
            "<details><summary>Where the spread comes from</summary>",
            tabulate(SPREAD_HEADS, spread_cells(family), SPREAD_NUMBERS),
            "</details>",
        ]
    return [
        *parts,
        f"<details><summary>All {counted(len(family.tests), 'comparison')}</summary>",
        tabulate(pair_heads(family), pair_cells(family), PAIR_NUMBERS),
        "</details>",
    ]
