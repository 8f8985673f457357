"""Run records for tests of the page: drawn figures, score histograms and previews, as a benchmark would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from andi_bench.metrics.froc import RATES
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.records.previews import make_preview, reduced_scan, write_preview
from andi_bench.records.schema import FrocAt, FrocCurve
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
CHAINS = ("raw", "median5")
THRESHOLDS = {"val-dice": 0.5, "val-fpr1": 0.75, "val-fpr5": 0.4, "oracle": 0.55}
SHARES = {"val-fpr1": 0.012, "val-fpr5": 0.04, "oracle": 0.008}
SHAPE = (20, 24, 18)


def write_run(
    records: Path,
    method: str = "andi",
    *,
    label: str | None = None,
    seed: int = 0,
    skill: float = 0.6,
    subjects: Sequence[str] = tuple(f"S{k:03d}" for k in range(12)),
    previews: Sequence[str] = (),
    histograms: Mapping[str, Any] | None = None,
    shape: tuple[int, int, int] = SHAPE,
    site: str = "scanner-a",
    seconds: float = 1.5,
    region: str = "brain",
    dataset: str = "phantom",
    **changes: Any,
) -> Path:
    """Write a record whose subjects' Dice scatter about ``skill``; the same arguments give the same record."""
    digest = identity({"m": method, "s": seed, "l": label or "", "r": region, "d": dataset})
    rng = np.random.default_rng(int(digest[:8], 16))
    table, summary = _drawn_results(rng, subjects, skill, site)
    content = {
        **_content(method, subjects),
        "run": RunInfo(
            method=method,
            label=label or method,
            dataset=dataset,
            seed=seed,
            preset="quick",
            identity=digest,
            maps=digest[::-1],
            created="2026-01-01T00:00:00+00:00",
        ),
        "protocol": Protocol(
            version=2,
            region=region,
            spacing_mm=(4.0, 4.0, 3.0),
            shape=shape,
            median_mm=(20.0, 20.0, 15.0),
            split_fingerprint="f" * 64,
            subjects={"val": 6, "test": len(subjects)},
        ),
        "data": DataInfo(
            title=f"{dataset} title",
            healthy_source="lesion-free slices of patients",
            test=tuple(subjects),
        ),
        "summary": summary,
        "costs": _COSTS.model_copy(update={"seconds_per_volume": seconds}),
        **changes,
    }
    folder = write_record(records, RunRecord(**content), table, histograms or {})
    for name in previews:
        add_preview(folder, name, skill, shape)
    return folder


_COSTS = Costs(
    peak_memory_mb=900.0,
    network_calls_per_slice=25.0,
    parameters=2_400_000,
    training_seconds=300.0,
    training_steps=700,
    device="cpu, 2 threads",
)


def _content(method: str, subjects: Sequence[str]) -> dict[str, Any]:
    """Return the parts of a record that are the same for all."""
    found = {
        point: RecordedThreshold(
            threshold=THRESHOLDS.get(point),
            how=f"how {point} was found",
            test_fpr=SHARES.get(point, 0.01),
        )
        for point in POINTS
    }
    return {
        "method": MethodInfo(title=method, paper="Nobody et al. 2020"),
        "guards": (GuardResult(name="splits disjoint", passed=True, detail="none in both"),),
        "operating_points": dict.fromkeys(CHAINS, found),
        "config": {"detector": {"stride": 4}},
        "provenance": {
            "andi_bench": "0.1.0",
            "python": "3.11.7",
            "packages": {"torch": "2.13.0"},
        },
    }


def _drawn_results(
    rng: np.random.Generator, subjects: Sequence[str], skill: float, site: str
) -> tuple[pd.DataFrame, dict[str, ChainSummary]]:
    """Draw Dice values; return the table of subjects and what the record says of each chain."""
    lines: list[dict[str, Any]] = []
    summary = {}
    # a subject is easy or hard, and its lesion small or large, whatever the method
    ease = {name: np.random.default_rng(k).normal(0, 0.12) for k, name in enumerate(subjects)}
    volumes = {
        name: float(np.random.default_rng(k).lognormal(2, 1.5)) for k, name in enumerate(subjects)
    }
    for chain in CHAINS:
        lift = 0.08 if chain != "raw" else 0.0
        points = {}
        for point in POINTS:
            shift = {"oracle": 0.03, "val-dice": 0.0}.get(point, -0.05)
            noise = rng.normal(0, 0.08, len(subjects))
            dice = np.clip([skill + lift + shift + ease[s] for s in subjects] + noise, 0, 1)
            points[point] = dice
            lines += [
                {
                    "subject": name,
                    "site": site,
                    "chain": chain,
                    "point": point,
                    "lesion_ml": volumes[name],
                    **_line(point, float(value)),
                }
                for name, value in zip(subjects, dice, strict=True)
            ]
        figures = {f"dice@{point}": _summary(dice) for point, dice in points.items()}
        for metric in ("ap", "auroc", "hd95@val-dice", "matched_f1@val-dice"):
            figures[metric] = _summary(points["val-dice"] * 0.9)
        pooled = Pooled(
            ap=skill, ap_low=skill - 0.1, ap_high=skill + 0.1, auroc=0.9, prevalence=0.02
        )
        froc = _froc(skill + lift, len(subjects))
        summary[chain] = ChainSummary(pooled=pooled, subjects=figures, froc=froc)
    return pd.DataFrame(lines), summary


def _froc(skill: float, subjects: int) -> FrocCurve:
    """Return a curve that rises to ``skill`` in equal steps, one at each false positive a scan."""
    corners = [0.5 + k for k in range(6)]
    reached = [skill * (k + 1) / 6 for k in range(6)]
    return FrocCurve(
        at=tuple(
            FrocAt(
                rate=rate,
                sensitivity=max(s for c, s in zip(corners, reached, strict=True) if c <= rate),
                error=0.05,
                low=0.01,
                high=0.99,
            )
            for rate in RATES
        ),
        false_positives=tuple(corners),
        sensitivity=tuple(reached),
        lesions=3 * subjects,
        with_lesion=subjects,
        scans=subjects,
    )


def _line(point: str, value: float) -> dict[str, float | None]:
    primary = point == "val-dice"
    return {
        "ap": value * 0.9,
        "auroc": 0.9,
        "threshold": THRESHOLDS.get(point),
        "dice": value,
        "sensitivity": value,
        "precision": value,
        "hd95": 10 * (1 - value) if primary else None,
        "matched_f1": value if primary else None,
        "unmatched_detections": 2.0 if primary else None,
    }


def drawn_histograms(subjects: Sequence[str], voxels: int = 3000) -> dict[str, Any]:
    """Score histograms of all subjects, the same for every method that is given them."""
    out = {}
    for k, name in enumerate(subjects):
        rng = np.random.default_rng(k)
        lesion = (np.arange(voxels) < voxels // 30).reshape(voxels, 1, 1)
        for chain in CHAINS:
            scores = (rng.gamma(2, 0.15, (voxels, 1, 1)) + 0.5 * lesion).astype(np.float32)
            found = score_histogram(scores, np.ones_like(lesion), lesion).to_arrays()
            out |= {f"test/{chain}/{name}/{array}": values for array, values in found.items()}
    return out


def scene(subject: str, skill: float, shape: tuple[int, int, int] = SHAPE) -> dict[str, Any]:
    """Scan, masks and maps of a subject: an ellipsoid brain with a ball of a lesion."""
    rng = np.random.default_rng(sum(subject.encode()))
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.9
    centre = rng.uniform(-0.3, 0.3, 3)
    lesion = (((grid - centre[:, None, None, None]) / 0.3) ** 2).sum(axis=0) < 1
    scan = np.where(brain, rng.uniform(0.4, 0.6, shape) + 0.4 * lesion, 0).astype(np.float32)
    drawn = np.random.default_rng(int(1000 * skill)).random(shape)
    raw = np.where(brain, 0.6 * drawn + skill * 0.6 * lesion, 0).astype(np.float32)
    filtered = np.float32(0.9) * raw
    return {"scan": scan, "brain": brain, "lesion": lesion & brain, "raw": raw, "median5": filtered}


def add_preview(
    folder: Path,
    subject: str,
    skill: float = 0.6,
    shape: tuple[int, int, int] = SHAPE,
    shown: Sequence[tuple[str, float]] = (("flair", 1), ("t1", 2)),
) -> None:
    """Add the preview of a subject to a record; ``shown``: its images, each a power of the first."""
    found = scene(subject, skill, shape)
    preview = make_preview(
        {name: reduced_scan(found["scan"] ** power, found["brain"]) for name, power in shown},
        found["brain"],
        found["lesion"],
        {chain: found[chain] for chain in CHAINS},
        {chain: list(THRESHOLDS.values()) for chain in CHAINS},
        (4.0, 4.0, 3.0),
    )
    write_preview(folder / "previews" / f"{subject}.npz", preview)


def _summary(values: Any) -> SubjectSummary:
    values = np.asarray(values)
    spread = 1.96 * float(values.std()) / max(1, len(values)) ** 0.5
    mean = float(values.mean())
    return SubjectSummary(
        mean=mean,
        median=float(np.median(values)),
        low=mean - spread,
        high=mean + spread,
        n=len(values),
    )
