"""Run records as a large benchmark would leave them: many methods, subjects and seeds, nothing trained or scored.

Subjects differ in difficulty, methods in quality, seeds a little; every method gets the same subjects and lesions, so that
the records compare. Histograms come from drawn anomaly maps: a few a method, of as many bins as real ones have, moved
along the scores from subject to subject. The seeds of a method share them: packing as many again would take minutes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andi_bench.metrics.froc import RATES
from andi_bench.metrics.histograms.binning import score_histogram
from andi_bench.metrics.histograms.grouped import GroupedCounts
from andi_bench.metrics.histograms.histogram import ARRAYS, ScoreHistogram
from andi_bench.records.arrays import HISTOGRAMS, POOLED
from andi_bench.records.schema import FrocAt, FrocCurve
from andi_bench.records.store import (
    ChainSummary,
    Costs,
    DataInfo,
    Group,
    GuardResult,
    MethodInfo,
    Pooled,
    Protocol,
    RecordedThreshold,
    RunInfo,
    RunRecord,
    identity,
    write_record,
)
from benchmark.evaluation.aggregates import subject_figures
from benchmark.evaluation.subgroups import lesion_sizes

CHAINS = ("raw", "median5")
POINTS = ("val-dice", "val-fpr1", "val-fpr5", "yen", "oracle")
STRATA = ("<0.1 ml", "0.1-1 ml", "1-10 ml", ">10 ml")
_BASES = 8
_OCTAVE = 1 << 16  # a step of scores that moves every bin onto a bin


@dataclass(frozen=True)
class Size:
    """How large a made-up benchmark is; ``voxels`` of a brain decide how many bins a histogram has."""

    methods: int = 12
    subjects: int = 250
    seeds: int = 3
    validation: int = 40
    voxels: int = 60_000


def write_benchmark(
    directory: Path, size: Size = Size(), dataset: str = "made-up", gap: float = 0.03
) -> None:
    """Write all records; methods are ``gap`` apart in the odds of Dice, the first one best."""
    rng = np.random.default_rng(7)
    names = [f"S{k:04d}" for k in range(size.subjects)]
    trials = [f"V{k:04d}" for k in range(size.validation)]
    difficulty = rng.normal(0, 1.2, size.subjects)
    volumes = np.where(np.arange(size.subjects) % 9 == 8, 0.0, rng.lognormal(2, 1.3, size.subjects))
    base = np.argsort(np.argsort(volumes)) * _BASES // size.subjects
    for method in range(size.methods):
        bases = {chain: _bases(method, chain, gap, size.voxels) for chain in CHAINS}
        moves = rng.integers(-6, 7, size.subjects + size.validation)
        kept = _Histograms(
            {
                f"{part}/{chain}/{name}": (bases[chain][index], int(move))
                for chain in CHAINS
                for part, among, indices, shifts in (
                    ("val", trials, np.arange(len(trials)) % _BASES, moves[size.subjects :]),
                    ("test", names, base, moves),
                )
                for name, index, move in zip(among, indices, shifts, strict=False)
            }
        )
        first: Path | None = None
        for seed in range(size.seeds):
            noise = np.random.default_rng([method, seed])
            table = _table(names, volumes, difficulty - gap * 10 * method, noise)
            record = _record(method, seed, dataset, names, trials, table, kept, volumes)
            with _copying(first):
                first = write_record(directory, record, table, kept)


@contextmanager
def _copying(folder: Path | None) -> Iterator[None]:
    """Copy the histograms of a record instead of packing them again."""
    if folder is None:
        yield
        return

    def copied(target: Path, _: object) -> None:
        for name in (HISTOGRAMS, POOLED):
            shutil.copyfile(folder / name, target / name)

    with mock.patch("andi_bench.records.store.write_histograms", copied):
        yield


class _Histograms(Mapping[str, NDArray[Any]]):
    """Histograms that are moved only when asked for, as a run's own are unpacked."""

    def __init__(self, places: dict[str, tuple[ScoreHistogram, int]]) -> None:
        self._places = places
        self._last: tuple[str, dict[str, NDArray[Any]]] = ("", {})

    def __iter__(self) -> Iterator[str]:
        return (f"{place}/{array}" for place in self._places for array in ARRAYS)

    def __len__(self) -> int:
        return len(self._places) * len(ARRAYS)

    __hash__ = object.__hash__

    def __getitem__(self, key: str) -> NDArray[Any]:
        place, _, array = key.rpartition("/")
        if place != self._last[0]:
            self._last = place, self.histogram(place).to_arrays()
        return self._last[1][array]

    def histogram(self, place: str) -> ScoreHistogram:
        """Return one histogram."""
        base, move = self._places[place]
        moved = base.start + np.uint32(8 + move) * np.uint32(_OCTAVE)
        return ScoreHistogram(moved, base.shift, base.counts)


def _bases(method: int, chain: str, gap: float, voxels: int) -> list[ScoreHistogram]:
    """Histograms from the smallest lesion to the largest; the first has none."""
    out = []
    for index in range(_BASES):
        rng = np.random.default_rng([index, method, chain == "raw"])
        lesion = np.zeros(voxels, dtype=bool)
        lesion[: int(voxels * 0.006 * index)] = True
        worth = 2.2 - 4 * gap * method + (chain != "raw")
        scores = np.exp(rng.normal(0, 1, voxels) + worth * lesion).astype(np.float32)
        out.append(score_histogram(scores, np.ones(voxels, dtype=bool), lesion))
    return out


def _table(
    names: Sequence[str],
    volumes: NDArray[np.float64],
    worth: NDArray[np.float64],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return a table of subjects with the columns of a real one."""
    parts = []
    with_lesion = volumes > 0

    def share(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 / (1 + np.exp(-(mean + rng.normal(0, 0.4, len(names)))))

    for chain in CHAINS:
        lift = 0.5 * (chain != "raw")
        shared = {
            "subject": list(names),
            "site": np.where(np.arange(len(names)) % 2, "north", "south"),
            "chain": chain,
            "lesion_ml": volumes,
            "ap": np.where(with_lesion, share(worth + lift), np.nan),
            "auroc": np.where(with_lesion, share(worth + lift + 3), np.nan),
        }
        for point, loss in zip(POINTS, (0.1, 0.4, 0.3, 0.8, 0.0), strict=True):
            primary = point == "val-dice"
            found = {
                name: share(worth + lift - loss) for name in ("dice", "sensitivity", "precision")
            }
            found["dice"] = np.where(
                with_lesion, found["dice"], (found["dice"] > 0.8).astype(float)
            )
            lesion = {
                name: np.where(with_lesion & primary, share(worth + lift), np.nan)
                for name in ("lesion_sensitivity", "matched_precision", "matched_f1")
            }
            many = np.where(with_lesion & primary, 1 + np.arange(len(names)) % 4, np.nan)
            lesion |= {"lesions": many, "detections": many + 1, "lesions_matched": many // 2}
            for stratum in STRATA:
                lesion |= {f"lesions {stratum}": many, f"lesions_found {stratum}": many // 2}
            distance = {
                name: np.where(with_lesion & primary, rng.lognormal(2, 0.5, len(names)), np.nan)
                for name in ("hd95", "assd", "unmatched_detections")
            }
            distance["hd95_penalised"] = distance["hd95"]
            parts.append(
                pd.DataFrame(
                    {
                        **shared,
                        "point": point,
                        "threshold": 1.5,
                        **found,
                        "false_positive_ml": rng.lognormal(1, 1, len(names)),
                        "false_positive_rate": 0.02,
                        "any_detection": 1.0,
                        **distance,
                        **lesion,
                        "grid": "working",
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


@lru_cache(maxsize=len(CHAINS))
def _counts(kept: _Histograms, chain: str, names: tuple[str, ...]) -> GroupedCounts:
    return GroupedCounts.of(names, [kept.histogram(f"test/{chain}/{name}") for name in names])


def _costs(method: int, seed: int) -> Costs:
    return Costs(
        seconds_per_volume=0.02 * 3**method + 0.01 * seed,
        peak_memory_mb=900 + 100 * method,
        network_calls_per_slice=float(method),
        parameters=method * 100_000,
        training_seconds=60.0 * method,
        training_steps=100 * method,
        device="cpu, 2 threads",
    )


def _summary(
    table: pd.DataFrame, chain: str, kept: _Histograms, names: Sequence[str]
) -> ChainSummary:
    counts = _counts(kept, chain, tuple(names))
    once = np.ones((1, len(names)))
    lesion, healthy = int(counts.lesion.sum()), int(counts.healthy.sum())
    pooled = Pooled(
        ap=float(counts.average_precision(once)[0]),
        ap_error=0.0,
        auroc=0.9,
        prevalence=lesion / (lesion + healthy),
    )
    lines = table[table["chain"] == chain]
    worth = float(lines["dice"].mean())
    froc = FrocCurve(
        at=tuple(
            FrocAt(rate=rate, sensitivity=worth * rate / (rate + 1), error=0.05) for rate in RATES
        ),
        false_positives=RATES,
        sensitivity=tuple(worth * rate / (rate + 1) for rate in RATES),
        lesions=2 * len(names),
        with_lesion=len(names),
        scans=len(names),
    )
    return ChainSummary(pooled=pooled, subjects=subject_figures(lines, 200), froc=froc)


def _sizes(
    table: pd.DataFrame, names: Sequence[str], volumes: NDArray[np.float64]
) -> tuple[Group, ...]:
    """Return the sub-groups by lesion volume."""
    groups = lesion_sizes(dict(zip(names, volumes.tolist(), strict=True))) or {}
    out = []
    for name, members in groups.items():
        results = {}
        for chain in CHAINS:
            lines = table[(table["chain"] == chain) & table["subject"].isin(members)]
            figures = subject_figures(lines, 200, ("val-dice",))
            results[chain] = ChainSummary(pooled=Pooled(ap=0.5), subjects=figures)
        out.append(Group(name=name, subjects=tuple(members), results=results))
    return tuple(out)


def _reached(method: int, chain: str) -> float:
    """Return a validation Dice by which every third method, from the second on, is better without the filter."""
    return 0.6 - 0.02 * method + (0.1 if (chain == "raw") is (method % 3 == 1) else 0.0)


def _record(
    method: int,
    seed: int,
    dataset: str,
    names: Sequence[str],
    trials: Sequence[str],
    table: pd.DataFrame,
    kept: _Histograms,
    volumes: NDArray[np.float64],
) -> RunRecord:
    turn, letter = divmod(method, 26)
    label = f"method {chr(ord('A') + letter)}{turn or ''}"
    return RunRecord(
        run=RunInfo(
            method=label.replace(" ", "-"),
            label=label,
            dataset=dataset,
            seed=seed,
            preset="quick",
            identity=identity({"method": method, "seed": seed, "dataset": dataset}),
            created=f"2026-01-{1 + method:02d}T00:00:00+00:00",
        ),
        protocol=Protocol(
            version=2,
            spacing_mm=(1.875, 1.875, 1.0),
            shape=(128, 128, 155),
            median_mm=(9.375, 9.375, 5.0),
            split_fingerprint="a" * 64,
            subjects={"val": len(trials), "test": len(names)},
        ),
        method=MethodInfo(title=label, paper="nobody, nowhere"),
        data=DataInfo(
            title=f"Made-up scans, {dataset}",
            healthy_source="healthy people",
            val=tuple(trials),
            test=tuple(names),
        ),
        guards=(GuardResult(name="splits disjoint", passed=True, detail="none in both"),),
        operating_points={
            chain: {
                point: RecordedThreshold(
                    threshold=1.5, test_fpr=0.02, reached=_reached(method, chain)
                )
                for point in POINTS
            }
            for chain in CHAINS
        },
        summary={chain: _summary(table, chain, kept, names) for chain in CHAINS},
        groups={"lesion-size": _sizes(table, names, volumes)},
        costs=_costs(method, seed),
        config={"detector": {"width": method}},
    )
