"""What a record says of a run beside what was measured, for a run that nobody made."""

from __future__ import annotations

from typing import Any

from andi_bench.config import MethodEntry, RunConfig
from andi_bench.records.store import Costs, RunInfo, identity
from benchmark.recording.facts import Cohorts, LearningFacts, MethodFacts, RunFacts
from benchmark.recording.guards import Guard
from support.small_evaluation import CONFIG, TEST, VAL

ENTRY = MethodEntry(title="A method", paper="Nobody, nowhere", year=2020, family="made up")


def run_facts(
    learning: LearningFacts | None = None,
    settings: dict[str, Any] | None = None,
    unlabelled: int = 0,
    **changes: Any,
) -> RunFacts:
    """Return the facts of a run of :mod:`support.small_evaluation`'s subjects."""
    info = RunInfo(
        method="a-method",
        label="A method",
        dataset="folder",
        identity=identity({"made": "up"}),
        created="2026-01-01T00:00:00+00:00",
    )
    hashes = {name: f"hash of {name}" for name in (*VAL, *TEST)}
    asked: dict[str, Any] = {
        "info": info,
        "config": RunConfig(evaluation=CONFIG),
        "method": MethodFacts(ENTRY, settings or {}),
        "learning": learning or LearningFacts("nothing to learn"),
        "cohorts": Cohorts(list(VAL), list(TEST), unlabelled, hashes),
        "guards": [Guard("splits disjoint", True, "none in both")],
        "costs": Costs(parameters=3, device="cpu"),
        **changes,
    }
    return RunFacts(**asked)
