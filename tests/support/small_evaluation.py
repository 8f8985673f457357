"""A run record made by the real evaluation of small drawn maps: seconds, no scan, no detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from andi_bench.config import EvaluationConfig
from andi_bench.records.store import (
    Costs,
    DataInfo,
    MethodInfo,
    Protocol,
    RunInfo,
    RunRecord,
    identity,
    write_record,
)
from benchmark.evaluation.protocol import evaluate
from benchmark.scoring.map_store import ScoredSubject

VAL = ("v0", "v1")
TEST = ("t0", "t1", "t2", "t3")
CONFIG = EvaluationConfig(median=3, bootstraps=20)


def scored(name: str, skill: float = 2.0) -> ScoredSubject:
    """Return a subject with a ball of a brain and of a lesion; ``t3`` has no lesion."""
    rng = np.random.default_rng([ord(name[0]), int(name[1:])])
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (16, 14, 10)], indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.9
    lesion = (sum((axis - 0.2) ** 2 for axis in axes) < 0.1) & brain & (name != "t3")
    scores = (rng.gamma(2, size=brain.shape) + skill * lesion).astype(np.float32) * brain
    site = "AB"[int(name[1:]) % 2]
    return ScoredSubject(name, scores, brain, lesion, (4.0, 4.0, 5.0), site)


def record_of(records: Path, method: str, skill: float = 2.0) -> Path:
    """Evaluate drawn maps and write the record; returns its folder."""
    found = evaluate(lambda name: scored(name, skill), VAL, TEST, CONFIG, workers=1)
    record = RunRecord(
        run=RunInfo(
            method=method,
            label=method,
            dataset="drawn",
            identity=identity({"method": method, "skill": skill}),
            created="2026-01-01T00:00:00+00:00",
        ),
        protocol=Protocol(
            version=2,
            spacing_mm=found.spacing,
            shape=found.shape,
            chains=tuple(chain.name for chain in found.chains),
            subjects={"val": len(VAL), "test": len(TEST)},
        ),
        method=MethodInfo(title=method),
        data=DataInfo(title="Drawn maps", val=VAL, test=TEST),
        operating_points=found.operating_points,
        summary=found.summary,
        groups=found.groups,
        costs=Costs(seconds_per_volume=1.0, device="cpu"),
        notes=tuple(found.notes),
    )
    return write_record(records, record, found.subjects, found.histograms)
