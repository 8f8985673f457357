"""How the scores of slices become one map, where that is not what the preset says."""

from __future__ import annotations

from functools import cache

from andi_bench.config import ScoringConfig, load_run_config, names_in
from leaderboard.tables.comparability import scoring_of
from leaderboard.tables.table import Table

Scoring = tuple[str, str, str]

_REDUCED = {
    "max": "the highest of the modalities",
    "mean": "the mean of the modalities",
    "first": "the first modality's",
}
_DEVIATIONS = {
    "both": "deviations of both signs",
    "brighter": "what is brighter than expected",
    "darker": "what is darker than expected",
}


def scoring_sentences(table: Table) -> list[str]:
    """Return a sentence for each way of scoring that is not the preset's, with the methods where not all share it; [] for none."""
    found: dict[tuple[Scoring, str], list[str]] = {}
    for row in table.rows:
        for run in row.runs[:1]:
            scoring = scoring_of(run)
            if scoring is not None:
                found.setdefault((scoring, run.run.preset), []).append(row.label)
    scored = sum(bool(row.runs) for row in table.rows)
    lines = []
    for (scoring, preset), labels in found.items():
        if scoring != _of_preset(preset):
            whose = "" if len(labels) == scored else f" of {', '.join(labels)}"
            usual = f", where preset {preset} takes {_said(_of_preset(preset))}" if preset else ""
            lines.append(f"Scores{whose}: {_said(scoring)}{usual}.")
    return lines


@cache
def _of_preset(preset: str) -> Scoring:
    known = preset in names_in("presets")
    own = load_run_config(None, preset, [], "any").scoring if known else ScoringConfig()
    return own.reduction, own.calibration, own.deviations


def _said(scoring: Scoring) -> str:
    reduction, calibration, deviations = scoring
    words = [_DEVIATIONS[deviations], _REDUCED.get(reduction, f"{reduction}'s alone")]
    if calibration != "none":
        words.append("each modality first brought to its healthy validation voxels' scale")
    return " and ".join(words)
