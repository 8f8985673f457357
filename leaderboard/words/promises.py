"""What intervals and tests keep of what they promise, from the simulations: no figure of it stands in a text by hand.

``leaderboard/statistics/coverage.json`` is written by ``python -m perf.coverage``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

GOOD = (0.93, 0.97)
"""A 95 % interval that covers the truth so often is called good."""


@cache
def simulations() -> dict[str, Any]:
    """Return what was measured: see :mod:`perf.coverage`."""
    path = Path(__file__).resolve().parents[1] / "statistics" / "coverage.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def promises() -> tuple[str, ...]:
    """Return in sentences how often intervals cover the truth, and how often tests find what is not there."""
    found = simulations()
    kinds = "; ".join(
        f"{name} {_covered(found[kind])}" for kind, name in INTERVALS.items() if kind != "pooled"
    )
    ranks = [cell for cell in found["families"] if cell["by_ranks"] is not None]
    return (
        f"How often 95 % intervals hold the truth, in simulations ({found['made_by']}, {found['cases']:,} each, of differences "
        f"and of pooled AP {found['cases_of_tests']:,}, 8 to 250 subjects): {kinds}. {INTERVALS['pooled']}, where a few large "
        f"lesions are most of the voxels, {_covered(found['pooled'])}{_narrow(found['pooled'])}.",
        f"How often tests at 5 % find a difference that is none, in simulations ({found['cases_of_tests']:,} each): one method trained twice with three seeds each "
        f"{_range(found['twice'], 'different')}; families of five methods, all or three of them equal, "
        f"{_range(found['families'], 'wrong')}, by Wilcoxon with Holm, one seed, {_range(ranks, 'by_ranks')}; pooled AP of "
        f"three methods, all or two of them equal, {_range(found['pooled_tests'], 'wrong')}. Wilcoxon knows nothing of trainings: it calls "
        f"one method trained twice two methods in {_range(found['twice'], 'by_ranks')}. Methods that differ by the whole margin "
        f"count as equivalent in {_range(found['equivalent'], 'wrong')}. The difference that is said to be found in 4 of 5 "
        f"repetitions was found in {_range(found['power'], 'found')}.",
    )


INTERVALS = {
    "shares": "means in [0, 1]",
    "amounts": "amounts",
    "counted": "shares of all lesions",
    "yes_or_no": "shares of subjects (yes or no)",
    "differences": "differences",
    "pooled": "Pooled AP",
}
"""What the simulations have intervals of, in words."""


def outside(cells: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the settings in which intervals do not cover the truth as often as is good."""
    return [cell for cell in cells if not GOOD[0] <= cell["covered"] <= GOOD[1]]


def _covered(cells: Sequence[dict[str, Any]]) -> str:
    """Say the range, apart for one seed and several, and where it is not good."""
    parts = []
    for several in (False, True):
        own = [cell for cell in cells if (cell["seeds"] > 1) is several]
        name = f"{own[0]['seeds']} seeds" if several else "one seed"
        bad = outside(own)
        text = f"{_range(own, 'covered')} with {name}"
        if bad:
            worst = min(bad, key=lambda cell: cell["covered"])
            text += f" (outside 93 to 97 % in {len(bad)} of {len(own)} settings, the lowest of these {_case(worst)})"
        parts.append(text)
    return ", ".join(parts)


def _narrow(cells: Sequence[dict[str, Any]]) -> str:
    below = [cell["subjects"] for cell in cells if cell["covered"] < GOOD[0]]
    return f": too narrow with up to {max(below)} subjects, and to be read so" if below else ""


def _case(cell: dict[str, Any]) -> str:
    text = f"of {cell['subjects']} subjects"
    if "shape" in cell:
        text += f", {cell['shape']}"
    return text + (f", SD over seeds {cell['sd']:g}" if cell.get("sd") else "")


def _range(cells: Sequence[dict[str, Any]], key: str) -> str:
    values = [cell[key] for cell in cells]
    low, high = (f"{100 * value:.1f}" for value in (min(values), max(values)))
    return f"{low} %" if low == high else f"{low} to {high} %"
