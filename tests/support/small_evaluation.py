"""A run record made by the real evaluation of small drawn maps: seconds, no scan, no detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from benchmark.evaluation.protocol import Evaluation, evaluate
from benchmark.scoring.map_store import ScoredSubject

VAL = ("v0", "v1")
TEST = ("t0", "t1", "t2", "t3")
CONFIG = EvaluationConfig(median=3, bootstraps=20)


def scored(name: str, skill: float = 2.0, seed: int = 0, scale: float = 1.0) -> ScoredSubject:
    """Return a subject with a ball of a brain and of a lesion; ``t3`` has no lesion.

    ``seed`` 0 is one training; others move the scores a little. ``scale``: of the scores of lesions and all.
    """
    rng = np.random.default_rng([ord(name[0]), int(name[1:])])
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in (16, 14, 10)], indexing="ij")
    brain = sum(axis**2 for axis in axes) < 0.9
    lesion = (sum((axis - 0.2) ** 2 for axis in axes) < 0.1) & brain & (name != "t3")
    scores = (rng.gamma(2, size=brain.shape) + skill * lesion).astype(np.float32) * brain
    if seed:
        scores *= np.random.default_rng([seed, *name.encode()]).gamma(9, 1 / 9, brain.shape)
    site = "AB"[int(name[1:]) % 2]
    scores = (scores * scale).astype(np.float32)
    return ScoredSubject(name, scores, brain, lesion, (4.0, 4.0, 5.0), site)


def record_of(
    records: Path,
    method: str,
    skill: float = 2.0,
    *,
    dataset: str = "drawn",
    seed: int = 0,
    val: Sequence[str] = VAL,
    test: Sequence[str] = TEST,
    scale: float = 1.0,
    trained_on: str = "",
    evaluation: EvaluationConfig = CONFIG,
    **changes: Any,
) -> Path:
    """Evaluate drawn maps and write the record; returns its folder."""
    found = evaluate(
        lambda name: scored(name, skill, seed, scale), val, test, evaluation, workers=1
    )
    parts = {"method": method, "skill": skill}
    if dataset != "drawn" or seed or trained_on:
        parts |= {"dataset": dataset, "seed": seed, "trained_on": trained_on}
    data = DataInfo(
        title="Drawn maps" if dataset == "drawn" else f"Maps of {dataset}",
        trained_on=trained_on,
        val=tuple(val),
        test=tuple(test),
    )
    run = made_run(method, dataset, seed, parts)
    return recorded(records, found, run, data, **{"method": MethodInfo(title=method), **changes})


def made_run(method: str, dataset: str, seed: int, parts: dict[str, Any]) -> RunInfo:
    """Return who ran what; ``parts`` name the run."""
    return RunInfo(
        method=method,
        label=method,
        dataset=dataset,
        seed=seed,
        identity=identity(parts),
        created="2026-01-01T00:00:00+00:00",
    )


def recorded(
    records: Path, found: Evaluation, run: RunInfo, data: DataInfo, **changes: Any
) -> Path:
    """Write the record of an evaluation; returns its folder."""
    record = RunRecord(
        run=run,
        protocol=Protocol(
            version=2,
            spacing_mm=found.spacing,
            shape=found.shape,
            chains=tuple(chain.name for chain in found.chains),
            subjects={"val": len(data.val), "test": len(data.test)},
        ),
        data=data,
        operating_points=found.operating_points,
        summary=found.summary,
        groups=found.groups,
        costs=Costs(seconds_per_volume=1.0, device="cpu"),
        notes=tuple(found.notes),
        unranked=found.unranked,
        **changes,
    )
    return write_record(records, record, found.subjects, found.histograms)
