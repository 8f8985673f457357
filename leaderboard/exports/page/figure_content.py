"""What the page's figures of FROC, of thresholds and across data sets are drawn from, as plain values."""

from __future__ import annotations

from typing import Any

from andi_bench.metrics.points import RANKING, RANKING_POINT, UPPER_BOUND, rates
from leaderboard.compare import Comparison
from leaderboard.tables.crossing import CrossTable, main_by_view
from leaderboard.tables.detected_shares import detected_share
from leaderboard.tables.froc_curves import PAID, froc_curves, mean_sensitivity
from leaderboard.tables.parts import volumes_of
from leaderboard.tables.row import Row
from leaderboard.words.run_facts import plain


def froc_content(row: Row) -> dict[str, Any] | None:
    """Return a row's FROC curve, mean over seeds, by the places where it rises; None where a record has none.

    ``counts`` has lesions, subjects with a lesion and scans: of the seed with the fewest lesions, and of the one with the most.
    """
    curves = froc_curves(row)
    if not curves:
        return None
    reached = mean_sensitivity(curves)
    kept = [
        k
        for k, value in enumerate(reached)
        if k in (0, len(reached) - 1) or value != reached[k - 1]
    ]
    counts = sorted((curve.lesions, curve.with_lesion, curve.scans) for curve in curves)
    return {
        "false_positives": [float(f"{PAID[k]:.4g}") for k in kept],
        "sensitivity": [float(f"{reached[k]:.4g}") for k in kept],
        "counts": [list(counts[0]), list(counts[-1])],
    }


def shares_content(row: Row) -> dict[str, float]:
    """Return the share of lesion-free brain voxels above a row's thresholds, %, by the names of the operating points."""
    found = {
        name: detected_share(row, name) for name in (RANKING_POINT.name, UPPER_BOUND.name, *rates())
    }
    return {name: float(f"{share:.4g}") for name, share in found.items() if share is not None}


def crossed_content(comparison: Comparison) -> list[dict[str, Any]]:
    """Return, view by view, the Dice of every training on every data set: a value with its limits, or None."""
    return [
        {
            "view": crossed.view,
            "datasets": [plain(name) for name in crossed.datasets],
            "subjects": [
                _ill(comparison, crossed, place) for place in range(len(crossed.datasets))
            ],
            "lines": [
                {
                    "method": plain(line.method),
                    "trained_on": plain(line.trained_on),
                    "threshold_from": plain(line.threshold_from),
                    "cells": [
                        None if cell.value is None else [_short(cell.value), *map(_short, limits)]
                        for cell in line.cells
                        for limits in [(cell.low, cell.high)]
                    ],
                }
                for line in crossed.lines
                if line.key == RANKING
            ],
        }
        for crossed in comparison.crossed
    ]


def _ill(comparison: Comparison, crossed: CrossTable, place: int) -> int | None:
    """Return the subjects with a lesion of the table behind a column; None where no volumes are recorded."""
    volumes = volumes_of(main_by_view(comparison.tables)[crossed.view][place])
    return sum(volume > 0 for volume in volumes.values()) if volumes else None


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
