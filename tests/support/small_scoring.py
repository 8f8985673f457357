"""A scorer of small data sets, and how floats behave while it works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from andi_bench.config import PreprocessingConfig, ScoringConfig
from andi_bench.console import Console
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.scan_views import ViewStore
from benchmark.scoring.subjects import SubjectScorer
from datasets.adapters.base import DatasetAdapter
from support.small_volumes import CPU, detector_of

CONFIG = PreprocessingConfig(size=16)
"""Of the scans that are scored."""


def scorer(adapter: DatasetAdapter, folder: Path, **changes: Any) -> SubjectScorer:
    """Return what scores a data set into a folder; a detector of brightness where none is given."""
    parts = {
        "detector": detector_of(modalities=CONFIG.modalities),
        "engine": ScoreEngine(0, CPU, ScoringConfig()),
        **changes,
    }
    return SubjectScorer(
        adapter=adapter,
        preprocessing=CONFIG,
        maps=MapStore(folder / "maps"),
        views=ViewStore(folder / "views"),
        console=Console(quiet=True),
        **parts,
    )


def denormals_are_kept() -> bool:
    """Whether this thread computes with numbers below 1.2e-38 as they are."""
    return bool((torch.full((4,), 1e-40) * 0.5 + 1e-41).gt(0).all())
