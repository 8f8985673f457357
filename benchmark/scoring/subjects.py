"""Scores a data set subject by subject into a map store; what is there already is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.scoring.costs import peak_memory_mb, reset_peak_memory
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.scoring.map_store import MapStore, ScoredSubject
from benchmark.scoring.scan_views import ViewStore
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


@dataclass(frozen=True)
class SubjectScorer:
    """Scores subjects into a map store; what is there already is left alone.

    Parameters
    ----------
    detector : AnomalyDetector
        Has learnt, and is calibrated where it needs to be.
    adapter : DatasetAdapter
        Reads the scans.
    preprocessing : PreprocessingConfig
        Working grid, modalities, normalisation.
    engine : ScoreEngine
        Seed, device, batch size.
    maps : MapStore
        Where the maps go.
    views : ViewStore
        Where what figures show of the scans goes.
    console : Console
        Where to show progress.
    export : Path or None
        Folder for the maps as NIfTI on each scan's own grid, and in its
        :data:`datasets.prepare.register.original_grid.ORIGINAL` those of prepared scans on the grids of the files they
        were prepared from; files that are there are left alone.
    process : (int, int)
        This process and how many there are: each takes its share of the subjects.
    """

    detector: AnomalyDetector
    adapter: DatasetAdapter
    preprocessing: PreprocessingConfig
    engine: ScoreEngine
    maps: MapStore
    views: ViewStore
    console: Console
    export: Path | None = None
    process: tuple[int, int] = (0, 1)

    def score(self, subjects: Sequence[Subject], *, reported: bool) -> None:
        """Score the subjects that the store lacks.

        Parameters
        ----------
        subjects : sequence of Subject
            Whom to score.
        reported : bool
            Whether they are reported on: then their views are kept, and their maps exported where that is asked for.

        Raises
        ------
        UserError
            When a scan cannot be read, a map is not finite, or a file cannot be written.
        """
        rank, world = self.process
        share = {s.id: s for s in subjects[rank::world] if self._wanted(s, reported)}
        if not share:
            return
        name = self.detector.name
        unscored = sum(subject not in self.maps for subject in share)
        if rank == 0 and unscored:
            self.console.note(f"scoring {unscored} of {len(subjects)} subjects with {name}")
        with self.console.progress(f"scoring ({name})", len(share)) as advance:
            for volume in read_ahead(self.adapter, list(share.values()), self.preprocessing):
                scored = self._scored(volume)
                if reported:
                    self.views.keep(volume)
                if reported and self.export is not None:
                    _export(scored, volume, share[volume.subject], self.export)
                advance(1, volume.subject)

    def _wanted(self, subject: Subject, reported: bool) -> bool:
        if subject.id not in self.maps:
            return True
        if not reported:
            return False
        exports = _exports(subject, self.export) if self.export is not None else []
        return bool(self.views.missing([subject.id])) or not all(p.is_file() for p in exports)

    def _scored(self, volume: Volume) -> ScoredSubject:
        if volume.subject in self.maps:
            return self.maps.load(volume.subject)
        reset_peak_memory(self.engine.device)
        result = score_volume(self.detector, volume, self.engine)
        costs: dict[str, Any] = {
            "seconds": result.seconds,
            "network_calls": result.network_calls,
            "slices": result.slices,
            "peak_memory_mb": peak_memory_mb(self.engine.device),
        }
        scored = scored_subject(volume, result.map, costs)
        self.maps.save(scored)
        return scored


def scored_subject(
    volume: Volume, scores: NDArray[np.float32], costs: dict[str, Any] | None = None
) -> ScoredSubject:
    """Put a map and what it is held against together.

    Parameters
    ----------
    volume : Volume
        The scan.
    scores : float32 (X, Y, Z)
        Its anomaly map, on the working grid.
    costs : dict, optional
        seconds, network_calls, slices, peak_memory_mb.
    """
    return ScoredSubject(
        volume.subject,
        scores,
        volume.brain,
        volume.lesion,
        volume.spacing,
        volume.site,
        volume.attributes,
        costs or {},
        volume.loss,
        ignore=volume.ignore,
        notes=volume.notes,
    )


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
