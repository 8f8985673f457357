"""Scores a data set subject by subject into a map store; what is there already is left alone."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import PreprocessingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.names import part_of
from andi_bench.records.store import identity
from benchmark.scoring.costs import peak_memory_mb, reset_peak_memory
from benchmark.scoring.engine import ScoreEngine, score_volumes
from benchmark.scoring.export_folder import ExportFolder
from benchmark.scoring.map_store import MapStore, ScoredSubject
from benchmark.scoring.scan_views import ViewStore
from datasets.adapters.base import DatasetAdapter, Subject
from datasets.prepare.register.original_grid import (
    ORIGINAL,
    original_path,
    preparation_of,
    save_on_original,
)
from datasets.prepare.sidecar import Preparation
from datasets.scans.crop import cropped, map_on_grid, with_crop_note
from datasets.scans.preprocess import save_map
from datasets.volume import Volume
from methods.base import AnomalyDetector


def stamp(
    adapter: DatasetAdapter, subject: Subject, modalities: Sequence[str], *, lesion: bool = True
) -> str:
    """Return a short text that changes when one of a subject's files does; without ``lesion``, one of its images."""
    content = adapter.content(subject, modalities, lesion=lesion)
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


def read_ahead(
    adapter: DatasetAdapter,
    subjects: Sequence[Subject],
    config: PreprocessingConfig,
    ahead: Callable[[Volume], int] = lambda _: 1,
) -> Iterator[Volume]:
    """Read volumes in order, the next ones while the last one is worked on.

    Parameters
    ----------
    adapter : DatasetAdapter
        Reads the scans.
    subjects : sequence of Subject
        Whom to read.
    config : PreprocessingConfig
        Working grid, modalities, normalisation.
    ahead : callable
        How many to read ahead while a volume is worked on, 1 at least: so many and this one are in memory.
    """
    waiting, pending = iter(subjects), deque[Future[Volume]]()
    with ThreadPoolExecutor(1) as pool:

        def read(count: int) -> None:
            for subject in islice(waiting, max(0, count - len(pending))):
                pending.append(pool.submit(adapter.read, subject, config))

        read(1)
        while pending:
            volume = pending.popleft().result()
            read(max(1, ahead(volume)))
            yield volume


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
    export : ExportFolder or None
        Folder for the maps as NIfTI on each scan's own grid, and in its
        :data:`datasets.prepare.register.original_grid.ORIGINAL` those of prepared scans on the grids of the files they
        were prepared from; what is there from the same files is left alone.
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
    export: ExportFolder | None = None
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
        unscored = sum(s not in self.maps and not self.maps.scored_before(s) for s in share)
        if rank == 0 and unscored:
            self.console.note(f"scoring {part_of(unscored, len(subjects), 'subject')} with {name}")
        with (
            self.console.progress(f"scoring ({name})", len(share)) as advance,
            ThreadPoolExecutor(1) as pool,  # writes while the next volumes are scored
        ):
            written = deque[Future[None]]()
            for volume, scored in self._all_scored(list(share.values())):
                while len(written) >= self.engine.volumes_at_once(self.detector, volume):
                    written.popleft().result()
                subject = share[volume.subject]
                written.append(pool.submit(self._write, scored, volume, subject, reported))
                advance(1, volume.subject)
            for future in written:
                future.result()

    def _write(
        self, scored: ScoredSubject, volume: Volume, subject: Subject, reported: bool
    ) -> None:
        """Keep a map, and of a reported subject what figures show and what is exported."""
        if volume.subject not in self.maps:
            self.maps.save(scored)
        if not reported:
            return
        self.views.keep(volume)
        if self.export is not None:
            self._exported(scored, volume, subject, self.export)

    def _wanted(self, subject: Subject, reported: bool) -> bool:
        if subject.id not in self.maps:
            return True
        if not reported:
            return False
        if self.views.missing([subject.id]):
            return True
        export, stamp = self.export, self.maps.stamps.get(subject.id, "")
        if export is None:
            return False
        return not all(export.holds(n, s) for n, s in export_names(subject, stamp).items())

    def _exported(
        self, scored: ScoredSubject, volume: Volume, subject: Subject, export: ExportFolder
    ) -> None:
        own, *original = export_names(subject, self.maps.stamps.get(subject.id, "")).items()
        if not np.isfinite(scored.map).all():
            raise UserError(f"{export.folder / own[0]}: the map is not finite")
        if not export.holds(*own):
            export.put(*own, lambda path: save_map(scored.map, volume, path))
        prepared = preparation_of(subject.paths)
        for name, stamp in original if prepared is not None else ():
            if not export.holds(name, stamp):
                assert prepared is not None
                write = partial(save_on_original, scored.map, volume.affine, prepared)
                export.put(name, stamp, write)

    def _all_scored(self, subjects: Sequence[Subject]) -> Iterator[tuple[Volume, ScoredSubject]]:
        """Read and score subjects, as many at once as fill the device; those of whom there is a map are not scored again."""
        at_once = partial(self.engine.volumes_at_once, self.detector)
        together: list[Volume] = []
        for volume in read_ahead(self.adapter, subjects, self.preprocessing, at_once):
            known = self._known(volume)
            if known is not None:
                yield volume, known
                continue
            together.append(volume)
            if len(together) >= at_once(together[0]):
                yield from self._scored(together)
                together = []
        if together:
            yield from self._scored(together)

    def _known(self, volume: Volume) -> ScoredSubject | None:
        """Return what is there of a subject; None where it is to be scored."""
        if volume.subject in self.maps:
            return self.maps.load(volume.subject)
        before = self.maps.of_the_images(volume.subject)
        if before is None:
            return None
        # The mask was corrected, the images are the same: so is the map.
        return scored_subject(self._noted(volume), before.map, before.costs)

    def _noted(self, volume: Volume) -> Volume:
        return with_crop_note(volume, self.preprocessing.crop_box)

    def _scored(self, volumes: Sequence[Volume]) -> Iterator[tuple[Volume, ScoredSubject]]:
        box = self.preprocessing.crop_box
        reset_peak_memory(self.engine.device)
        noted = [self._noted(v) for v in volumes]
        boxed = [cropped(v, box) for v in noted]
        results = score_volumes(self.detector, boxed, self.engine)
        for volume, told, result in zip(volumes, noted, results, strict=True):
            scores = result.map if box is None else map_on_grid(result.map, volume, box)
            costs: dict[str, Any] = {
                "seconds": result.seconds,
                "network_calls": result.network_calls,
                "slices": result.slices,
                "peak_memory_mb": peak_memory_mb(self.engine.device),
            }
            yield volume, scored_subject(told, scores, costs)


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


def export_names(subject: Subject, stamp: str = "") -> dict[str, str]:
    """Return the files that a subject's map is exported to, below the folder, and what each is made from.

    Parameters
    ----------
    subject : Subject
        As found on disk.
    stamp : str
        Changes when one of its files does.
    """
    out = {f"{subject.id}.nii.gz": stamp}
    prepared = preparation_of(subject.paths)
    if prepared is not None:
        out |= original_names(prepared, stamp)
    return out


def original_names(prepared: Preparation, stamp: str = "") -> dict[str, str]:
    """Return the file for a map on the grid that a prepared scan comes from, and what it is made from.

    That is the map, the way back to the original's grid, and that grid.
    """
    back = {
        "to": prepared.to_prepared.tolist(),
        "from": {kind: file.model_dump(mode="json") for kind, file in prepared.originals.items()},
    }
    name = original_path(Path(ORIGINAL), prepared).as_posix()
    return {name: f"{stamp}-{identity(back)[:16]}"}
