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
    return (
        f"How often 95 % intervals hold the truth, in simulations ({found['made_by']}, {found['cases']:,} each, 8 to 250 "
        f"subjects): means in [0, 1] {_covered(found['shares'])}; amounts {_covered(found['amounts'])}. Pooled AP, where "
        f"a few large lesions are most of the voxels: {_by_subjects(found['pooled'])}: too narrow, and to be read so.",
        f"How often tests at 5 % find a difference that is none, in simulations ({found['cases_of_tests']:,} each): one method trained twice with three seeds each "
        f"{_range(found['twice'], 'different')}; families of five methods, all or three of them equal, "
        f"{_range(found['families'], 'wrong')}; pooled AP {_range(found['pooled_tests'], 'wrong')}.",
    )


def _covered(cells: Sequence[dict[str, Any]]) -> str:
    """Say the range, apart for one seed and several, and where it is not good."""
    parts = []
    for several in (False, True):
        own = [cell for cell in cells if (cell["seeds"] > 1) is several]
        name = f"{own[0]['seeds']} seeds" if several else "one seed"
        bad = [cell for cell in own if not GOOD[0] <= cell["covered"] <= GOOD[1]]
        text = f"{_range(own, 'covered')} with {name}"
        if bad:
            worst = min(bad, key=lambda cell: cell["covered"])
            text += f" (outside 93 to 97 % in {len(bad)} of {len(own)} cases, the lowest {_case(worst)})"
        parts.append(text)
    return ", ".join(parts)


def _case(cell: dict[str, Any]) -> str:
    text = f"of {cell['subjects']} subjects, {cell['shape']}"
    return text + (f", SD over seeds {cell['sd']:g}" if cell["seeds"] > 1 else "")


def _by_subjects(cells: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{cell['subjects']} subjects {_percent(cell['covered'])}" for cell in cells)


def _range(cells: Sequence[dict[str, Any]], key: str) -> str:
    values = [cell[key] for cell in cells]
    low, high = (f"{100 * value:.1f}" for value in (min(values), max(values)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
