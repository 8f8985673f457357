"""The statistics of a leaderboard as plain values, for JSON."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

from leaderboard.statistics.families import DRAW_SEED, RANK_RESAMPLES, RESAMPLES, TableStatistics


def plain(value: Any) -> Any:
    """Turn a tree of frozen dataclasses into what JSON knows: keys of rows become ``[label, chain]``."""
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, dict):
        return [{"row": plain(key), "value": plain(item)} for key, item in value.items()]
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def statistics_content(statistics: TableStatistics) -> dict[str, Any]:
    """Return the statistics of a table, with how its resamples were drawn."""
    return {
        "resamples": RESAMPLES,
        "rank_resamples": RANK_RESAMPLES,
        "draw_seed": DRAW_SEED,
        **plain(statistics),
    }
