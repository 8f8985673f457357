"""Run records as a benchmark would leave them, made from drawn Dice values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from andi_bench.records.store import (
    ChainSummary,
    Costs,
    DataInfo,
    GuardResult,
    MethodInfo,
    Pooled,
    Protocol,
    RecordedThreshold,
    RunInfo,
    RunRecord,
    SubjectSummary,
    identity,
    write_record,
)

POINTS = ("val-dice", "val-fpr1", "val-fpr5", "yen", "oracle")
_SHARED: dict[str, Any] = {
    "guards": (GuardResult(name="splits disjoint", passed=True, detail="none in both"),),
    "provenance": {
        "andi_bench": "0.1.0",
        "python": "3.11.7",
        "packages": {"torch": "2.13.0"},
        "system": "Linux x86_64",
        "git": {"commit": "0123456789abcdef", "changed": True},
    },
}
COLUMNS = ["subject", "chain", "point", "dice", "ap", "auroc"]
_GRID = {
    "spacing_mm": (3.75, 3.75, 2.5),
    "shape": (64, 64, 62),
    "median_mm": (18.75, 18.75, 12.5),
    "split_fingerprint": "f" * 64,
}
Make = Callable[..., Path]


@pytest.fixture
def records_dir(tmp_path: Path) -> Path:
    return tmp_path / "records"


def _costs(seed: int) -> Costs:
    return Costs(
        seconds_per_volume=1.25 + seed,
        peak_memory_mb=1000 + seed,
        network_calls_per_slice=25,
        parameters=2_400_000,
        training_seconds=300.0,
        training_steps=700,
        device="cpu, 2 threads",
    )


def _of_chain(
    chain: str, values: list[float], prevalence: float
) -> tuple[ChainSummary, list[dict[str, Any]]]:
    """Return what a record says of a chain, and the lines of its table of subjects."""
    row = SubjectSummary(undefined=4)
    known = [value for value in values if not np.isnan(value)]
    if known:
        row = SubjectSummary(
            mean=float(np.mean(known)),
            median=float(np.median(known)),
            n=len(known),
            undefined=len(values) - len(known),
            low=min(known),
            high=max(known),
        )
    better = row.model_copy(update={"mean": None if row.mean is None else row.mean + 0.04})
    subjects = {f"dice@{p}": row if p != "oracle" else better for p in POINTS}
    subjects["ap"] = row.model_copy(update={"undefined": row.undefined or 2})
    subjects["auroc"] = row
    lines = [
        dict(zip(COLUMNS, (f"S{k}", chain, point, value, value, 0.9), strict=True))
        for k, value in enumerate(values)
        for point in POINTS
    ]
    pooled = Pooled(ap=row.mean, auroc=0.9, prevalence=prevalence)
    return ChainSummary(pooled=pooled, subjects=subjects), lines


@pytest.fixture
def make_run(records_dir: Path) -> Make:
    """Write a record whose subjects' Dice are given (chain -> values) or all equal to ``dice``; ``validation``: by chain."""

    def make(
        method: str = "andi",
        dice: float | dict[str, list[float]] | None = 0.5,
        *,
        seed: int = 0,
        label: str | None = None,
        dataset: str = "phantom",
        preset: str = "quick",
        created: str = "2026-01-01T00:00:00+00:00",
        protocol: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        split: str = "test",
        prevalence: float = 0.0213,
        validation: dict[str, float] | None = None,
        **changes: Any,
    ) -> Path:
        counted = next(iter(dice.values())) if isinstance(dice, dict) else [dice] * 4
        subjects = {"val": 6, split: len(counted) or 4}
        measured = Protocol(**{"version": 2, **_GRID, "subjects": subjects, **(protocol or {})})
        summary, lines = {}, []
        for chain in measured.chains:
            values = (
                dice[chain] if isinstance(dice, dict) else [dice] * 4 if dice is not None else []
            )
            summary[chain], more = _of_chain(chain, values, prevalence)
            lines += more
        named = (
            method,
            dataset,
            seed,
            preset,
            split,
            config,
            measured.model_dump(),
            created,
            label,
        )
        parts = [*named, changes.pop("salt", 0), prevalence, validation]
        info = RunInfo(
            method=method,
            label=label or method,
            dataset=dataset,
            seed=seed,
            preset=preset,
            split=split,
            identity=identity({"parts": parts}),
            created=created,
        )
        data = DataInfo(title=f"{dataset} title", healthy_source="patients")
        content = {
            "run": info,
            "protocol": measured,
            "data": data,
            "operating_points": {
                c: {"val-dice": RecordedThreshold(threshold=1.0, reached=(validation or {}).get(c))}
                for c in measured.chains
            },
            "summary": summary,
            "costs": _costs(seed),
            "method": MethodInfo(
                title=method, paper=changes.pop("publication", "Nobody et al. 2020")
            ),
            "config": config or {"detector": {"stride": 4}, "scoring": {"batch_size": 64}},
            **_SHARED,
            **changes,
        }
        table = pd.DataFrame(lines, columns=COLUMNS)
        return write_record(records_dir, RunRecord(**content), table, {})

    return make
