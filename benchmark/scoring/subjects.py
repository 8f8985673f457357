"""Scores a data set subject by subject into a map store; what is there already is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.scoring.costs import peak_memory_mb, reset_peak_memory
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.map_store import MapStore, ScoredSubject
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.prepare.register.original_grid import (
    ORIGINAL,
    original_path,
    preparation_of,
    save_on_original,
)
from datasets.scans.preprocess import save_map
from datasets.volume import Volume
from methods.base import AnomalyDetector


def stamp(adapter: DatasetAdapter, subject: Subject, modalities: Sequence[str]) -> str:
    """Return a short text that changes when one of a subject's files does."""
    return hashlib.blake2b(adapter.content(subject, modalities).encode(), digest_size=6).hexdigest()


def read_ahead(
    adapter: DatasetAdapter, subjects: Sequence[Subject], config: PreprocessingConfig
) -> Iterator[Volume]:
    """Read volumes in order, the next one while the last one is worked on: two in memory at most."""
    with ThreadPoolExecutor(1) as pool:
        pending = None
        for subject in subjects:
            following = pool.submit(adapter.read, subject, config)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def score_subjects(
    detector: AnomalyDetector,
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    preprocessing: PreprocessingConfig,
    engine: ScoreEngine,
    store: MapStore,
    console: Console,
    *,
    export: Path | None = None,
    process: tuple[int, int] = (0, 1),
) -> None:
    """Score the subjects that the store lacks.

    Parameters
    ----------
    export : Path or None
        Folder for the maps as NIfTI on each scan's own grid, and in its :data:`datasets.prepare.register.original_grid.ORIGINAL` those of prepared
        scans on the grids of the files they were prepared from; files that are there are left alone.
    process : (int, int)
        This process and how many there are: each takes its share of the subjects.

    Raises
    ------
    UserError
        When a scan cannot be read, a map is not finite, or a file cannot be written.
    """
    rank, world = process

    def wanted(subject: Subject) -> bool:
        if export is not None and not all(path.is_file() for path in _exports(subject, export)):
            return True
        return subject.id not in store

    share = [subject for subject in subjects[rank::world] if wanted(subject)]
    known = {subject.id: subject for subject in share}
    if not share:
        return
    if rank == 0:
        console.note(f"scoring {len(share)} of {len(subjects)} subjects with {detector.name}")
    with console.progress(f"scoring ({detector.name})", len(share)) as advance:
        for volume in read_ahead(adapter, share, preprocessing):
            scored = store.load(volume.subject) if volume.subject in store else None
            if scored is None:
                reset_peak_memory(engine.device)
                result = score_volume(detector, volume, engine)
                costs: dict[str, Any] = {
                    "seconds": result.seconds,
                    "network_calls": result.network_calls,
                    "slices": result.slices,
                    "peak_memory_mb": peak_memory_mb(engine.device),
                }
                scored = ScoredSubject(
                    volume.subject, result.map, volume.brain, volume.lesion, volume.spacing,
                    volume.site, volume.attributes, costs, volume.loss,
                )  # fmt: skip
                store.save(scored)
            if export is not None:
                _export(scored, volume, known[volume.subject], export)
            advance(1, volume.subject)


def _exports(subject: Subject, folder: Path) -> list[Path]:
    """Return the files that a subject's map is exported to."""
    prepared = preparation_of(subject.paths)
    original = [] if prepared is None else [original_path(folder / ORIGINAL, prepared)]
    return [folder / f"{subject.id}.nii.gz", *original]


def _export(scored: ScoredSubject, volume: Volume, subject: Subject, folder: Path) -> None:
    missing = [path for path in _exports(subject, folder) if not path.is_file()]
    if not missing:
        return
    if not np.isfinite(scored.map).all():
        raise UserError(f"{missing[0]}: the map is not finite")
    own, *original = _exports(subject, folder)
    if own in missing:
        save_map(scored.map, volume, own)
    prepared = preparation_of(subject.paths)
    if prepared is not None and original[0] in missing:
        save_on_original(scored.map, volume.affine, prepared, folder / ORIGINAL)
