"""What a run's stages took, beside its record: no result and no cost of the method, but what later runs will take follows from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from andi_bench.files import write_atomically

TIMES = "times.json"
SCORING, MEASURING = "scoring", "measuring"
"""Reading, scoring and filtering of what had no map yet; evaluation, figures and previews. Wall-clock seconds."""


def write_times(folder: Path, seconds: Mapping[str, float]) -> None:
    """Write what the stages of a run took into its record; the digests of the record do not know of it.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    shown = {name: round(value, 1) for name, value in seconds.items()}
    write_atomically(folder / TIMES, json.dumps(shown, indent=1) + "\n")


def read_times(folder: Path | None) -> dict[str, float]:
    """Return what the stages of a run took; {} where its record does not say, or not in numbers."""
    if folder is None:
        return {}
    try:
        found = json.loads((folder / TIMES).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and value >= 0
    }
