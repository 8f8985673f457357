"""Tests and rankings as the page shows them: texts for its tables, numbers for its figures."""

from __future__ import annotations

from typing import Any

from andi_bench.metrics.compared import title_of
from leaderboard.statistics.family import Family, TableStatistics
from leaderboard.statistics.pair_tests import Key, PairTest
from leaderboard.tables.table import Table
from leaderboard.words.differences import (
    SPREAD_HEADS,
    pair_cells,
    pair_heads,
    rank_cells,
    rank_heads,
    spread_cells,
)
from leaderboard.words.run_facts import plain
from leaderboard.words.verdicts import agreements_text, bold_keys, sentences


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
        "family": _family(found.family, places) if found.family is not None else None,
        "agreement": plain(agreements_text(found.agreements)) if found.agreements else "",
        "warnings": [plain(text) for text in found.warnings],
        "best": sorted(places[key] for key in bold_keys(found)[0]),
    }


def _family(family: Family, places: dict[Key, int]) -> dict[str, Any]:
    return {
        "name": plain(family.name),
        "metric": title_of(family.metric),
        "rows": [places[key] for key in family.keys],
        "subjects": len(family.subjects),
        "sentences": [plain(text) for text in sentences(family)],
        "warnings": [plain(text) for text in family.warnings],
        "ranks": _cells(rank_heads(family), rank_cells(family)) if family.rankings else None,
        "spread": _cells(SPREAD_HEADS, spread_cells(family)) if family.rankings else None,
        "pairs": _cells(pair_heads(family), pair_cells(family)) if family.tests else None,
        "tests": [_test(test, places) for test in family.tests],
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
        "low": None if test.low is None else float(f"{test.low:.5g}"),
        "high": None if test.high is None else float(f"{test.high:.5g}"),
        "p": float(f"{test.adjusted:.4g}"),
        "better": None if test.better is None else places[test.better],
    }
