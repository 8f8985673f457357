"""Tests and rankings as the page shows them: texts for its tables, numbers for its figures."""

from __future__ import annotations

from typing import Any

from andi_bench.metrics.compared import title_of
from leaderboard.statistics.families import Family, Key, PairTest, TableStatistics
from leaderboard.tables.table import Table
from leaderboard.words.differences import (
    PAIR_HEADS,
    RANK_HEADS,
    agreements_text,
    bold_keys,
    pair_cells,
    rank_cells,
    sentences,
)
from leaderboard.words.run_facts import plain


def statistics_content(table: Table, found: TableStatistics) -> dict[str, Any]:
    """Return the statistics of one table; rows are named by their places in it.

    Parameters
    ----------
    table : Table
        The table.
    found : TableStatistics
        Its statistics.
    """
    places = {row.key: k for k, row in enumerate(table.rows)}
    return {
        "families": [_family(family, places) for family in found.families],
        "agreement": plain(agreements_text(found.agreements)) if found.agreements else "",
        "warnings": [plain(text) for text in found.warnings],
        "best": sorted(places[key] for key in bold_keys(found)[0]),
    }


def _family(family: Family, places: dict[Key, int]) -> dict[str, Any]:
    return {
        "kind": family.kind,
        "name": plain(family.name),
        "chain": plain(family.chain),
        "metric": title_of(family.metric),
        "rows": [places[key] for key in family.keys],
        "subjects": len(family.subjects),
        "sentences": [plain(text) for text in sentences(family)],
        "warnings": [plain(text) for text in family.warnings],
        "ranks": _cells(RANK_HEADS, rank_cells(family)) if family.rankings else None,
        "pairs": _cells(PAIR_HEADS, pair_cells(family)) if family.wilcoxon else None,
        "tests": [_test(test, places) for test in family.wilcoxon],
        "pooled": [_test(test, places) for test in family.pooled],
        "rankings": [
            {
                "scheme": ranking.scheme,
                "ranks": list(ranking.ranks),
                "low": list(ranking.low),
                "high": list(ranking.high),
                "frequencies": [[round(v, 4) for v in line] for line in ranking.frequencies],
            }
            for ranking in family.rankings
        ],
    }


def _cells(heads: tuple[str, ...], lines: list[list[str]]) -> dict[str, Any]:
    return {"heads": list(heads), "lines": [[plain(cell) for cell in line] for line in lines]}


def _test(test: PairTest, places: dict[Key, int]) -> dict[str, Any]:
    return {
        "first": places[test.first],
        "second": places[test.second],
        "difference": float(f"{test.difference:.5g}"),
        "low": float(f"{test.low:.5g}"),
        "high": float(f"{test.high:.5g}"),
        "p": float(f"{test.adjusted:.4g}"),
        "better": None if test.better is None else places[test.better],
    }
