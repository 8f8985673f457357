"""A comparison as JSON: everything, unrounded. The same records give the same bytes."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

from andi_bench.metrics.resampling import DRAW_SEED, MEAN_RESAMPLES, RANK_RESAMPLES
from leaderboard.compare import Comparison
from leaderboard.exports.plain_rows import flat, flat_groups
from leaderboard.statistics.family import TableStatistics
from leaderboard.statistics.pooled_swaps import SWAPS
from leaderboard.statistics.sign_flips import FLIPS
from leaderboard.tables.columns import columns_of
from leaderboard.tables.pipelines import Choice
from leaderboard.words.headline import headline
from leaderboard.words.notes import notes_of


def to_json(comparison: Comparison) -> str:
    """Return the comparison as JSON: tables with protocol, definitions, rows and statistics, sub-groups, what was skipped."""
    tables = [
        {
            "dataset": table.dataset,
            "title": table.title,
            "split": table.split,
            "differs": list(table.differs),
            "view": table.view,
            "result": headline(table, comparison.statistics_of(table)),
            "protocol": table.protocol.model_dump(),
            "definitions": {column.header: column.definition for column in columns_of(table)},
            "notes": notes_of(table),
            "metric": table.metric,
            "rows": [flat(table, row) for row in table.rows],
            "pipelines": {row.label: _plain_choice(row.choice) for row in table.rows},
            "references": [flat(table, row) for row in table.references],
            "statistics": _statistics(comparison.statistics_of(table)),
            "paper": {
                run.run.folder_name: run.paper.model_dump() for run in table.runs if run.paper
            },
        }
        for table in comparison.tables
    ]
    content: dict[str, Any] = {
        "schema": 3,
        "tables": tables,
        "groups": [line for part in comparison.groups for line in flat_groups(part)],
        "group_tests": [
            {"dataset": part.table.dataset, "differs": list(part.table.differs), **_plain(tests)}
            for part, tests in zip(comparison.groups, comparison.group_tests, strict=True)
        ],
        "agreements": _plain(comparison.agreements),
        "mean_ranks": _plain(comparison.mean_ranks),
        "crossed": _plain(comparison.crossed),
        "skipped": list(comparison.skipped),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain_choice(choice: Choice) -> dict[str, Any]:
    """Return which pipeline stands for a method and why, with the validation Dice of each."""
    return {"chosen": choice.chain, "why": choice.why, "validation_dice": choice.values}


def _plain(value: Any) -> Any:
    """Turn a tree of frozen dataclasses into what JSON knows: keys of rows become ``[label, chain]``."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, dict):
        return [{"row": _plain(key), "value": _plain(item)} for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _statistics(statistics: TableStatistics) -> dict[str, Any]:
    """Return the statistics of a table, with how often it was resampled."""
    return {
        "resamples": MEAN_RESAMPLES,
        "flips": FLIPS,
        "swaps": SWAPS,
        "rank_resamples": RANK_RESAMPLES,
        "draw_seed": DRAW_SEED,
        **_plain(statistics),
    }
