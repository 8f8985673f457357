"""The maps and views that a run left in the workspace, found again from its record; no scan is opened.

A record does not say which file holds a subject's map, only what its figures were. A kept map is taken for the record's
when it gives the Dice that the record has.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andi_bench.config import EvaluationConfig, validated
from andi_bench.errors import UserError
from andi_bench.metrics.case import Case
from andi_bench.metrics.lesionwise import false_positive_volume
from andi_bench.metrics.overlap import dice
from andi_bench.metrics.points import RANKING_POINT
from andi_bench.metrics.postprocessing import PostProcessing
from andi_bench.metrics.thresholds import detect
from andi_bench.records.schema import RunRecord
from andi_bench.records.store import read_subjects
from andi_bench.workspace import Workspace
from benchmark.evaluation.protocol import chains_of
from benchmark.scoring.map_store import MapStore, ScoredSubject
from benchmark.scoring.scan_views import ScanView, ViewStore

_CLOSE = 1e-6


@dataclass(frozen=True)
class Detected:
    """What one chain of post-processing detects in a subject.

    Parameters
    ----------
    scores : float32 (X, Y, Z)
        The map, post-processed.
    mask : bool (X, Y, Z)
        Voxels above the frozen threshold, small detections removed where the chain removes them.
    """

    scores: NDArray[np.float32]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class KeptSubject:
    """One subject as it was kept.

    Parameters
    ----------
    scored : ScoredSubject
        Map, brain, lesion.
    brain, lesion : bool (X, Y, Z)
        What counts, without what is to be ignored; the lesion in it.
    view : ScanView
        Gray levels of the modalities.
    view_file : Path
        Where that lies.
    detected : dict of str to Detected
        By chain.
    """

    scored: ScoredSubject
    brain: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    view: ScanView
    view_file: Path
    detected: dict[str, Detected]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.scored.spacing)) / 1000


class KeptRun:
    """A run whose maps may still be there.

    Parameters
    ----------
    record : RunRecord
        As read from its folder.
    workspace : Workspace
        Where the run was made.

    Raises
    ------
    UserError
        When the record has no frozen threshold.
    """

    def __init__(self, record: RunRecord, workspace: Workspace) -> None:
        assert record.folder is not None
        self.record, self._workspace, self._folder = record, workspace, record.folder
        config = validated(
            EvaluationConfig,
            dict(record.config.get("evaluation", {})),
            str(record.folder / "record.json"),
            "config.evaluation.",
        )
        self.chains = chains_of(config)
        self.thresholds: dict[str, float] = {}
        for chain in self.chains:
            point = record.operating_points.get(chain.name, {}).get(RANKING_POINT.name)
            if point is None or point.threshold is None:
                raise UserError(
                    f"{record.folder.name}: has no threshold that was frozen ({RANKING_POINT.name}) for {chain.name} maps: "
                    "without one nothing is detected"
                )
            self.thresholds[chain.name] = point.threshold
        table = read_subjects(record.folder, record.protocol.grid)
        lines = table[
            (table["chain"] == self.chains[0].name) & (table["point"] == RANKING_POINT.name)
        ]
        self._dice = dict(zip(lines["subject"], lines["dice"], strict=True))
        self._alarms = dict(zip(lines["subject"], lines["false_positive_ml"], strict=True))

    @property
    def subjects(self) -> list[str]:
        """Those that the record reports on."""
        return list(self.record.data.test)

    def load(self, subject: str) -> KeptSubject:
        """Read what was kept of a subject.

        Raises
        ------
        UserError
            When its map or its view is gone; says how to make them again.
        """
        for path in self._map_files(subject):
            stamp = _stamp_of(path, subject)
            scored = MapStore(path.parent, {subject: stamp}).load(subject)
            if scored.lesion is None or scored.subject != subject:
                continue
            ignore = np.zeros_like(scored.brain) if scored.ignore is None else scored.ignore
            brain = scored.brain & ~ignore
            lesion = scored.lesion & brain
            detected = {c.name: self._detected(c, scored, brain) for c in self.chains}
            if not self._is_of_record(
                subject, detected[self.chains[0].name], brain, lesion, scored
            ):
                continue
            view_file = self._view_file(subject, stamp, scored.brain.shape)
            if view_file is None:
                raise self._gone(subject, "what figures show of the scan")
            view = ViewStore(view_file.parent, {subject: _stamp_of(view_file, subject)}).load(
                subject
            )
            return KeptSubject(scored, brain, lesion, view, view_file, detected)
        raise self._gone(subject, "the map")

    def _detected(
        self, chain: PostProcessing, scored: ScoredSubject, brain: NDArray[np.bool_]
    ) -> Detected:
        scores = chain.apply(scored.map, scored.brain, scored.spacing)
        found = detect(scores, self.thresholds[chain.name], brain)
        return Detected(scores, chain.clean(found, float(np.prod(scored.spacing)) / 1000))

    def _is_of_record(
        self,
        subject: str,
        found: Detected,
        brain: NDArray[np.bool_],
        lesion: NDArray[np.bool_],
        scored: ScoredSubject,
    ) -> bool:
        case = Case(found.scores, brain, lesion, scored.spacing, found.mask)
        value, known = dice(case), self._dice.get(subject)
        if value is None:  # no lesion, no Dice
            value, known = false_positive_volume(case), self._alarms.get(subject)
        return value is not None and known is not None and abs(value - known) < _CLOSE

    def _map_files(self, subject: str) -> Iterator[Path]:
        """Yield files that may hold the map: those of the record's own folder first, the newest first."""
        run = self.record.run
        own = f"{run.method}__{run.maps[:12]}"
        folders = sorted(
            self._workspace.maps.glob(f"{glob.escape(run.method)}__*"), key=lambda f: f.name != own
        )
        for folder in folders:
            yield from _files_of(folder, subject)

    def _view_file(self, subject: str, stamp: str, shape: tuple[int, ...]) -> Path | None:
        dataset = glob.escape(self.record.run.dataset)
        folders = sorted(self._workspace.views.glob(f"{dataset}__*"))
        found = [path for folder in folders for path in _files_of(folder, subject)]
        # given maps are named by their own files, and not as the scan is
        for path in sorted(found, key=lambda path: _stamp_of(path, subject) != stamp):
            view = ViewStore(path.parent, {subject: _stamp_of(path, subject)}).load(subject)
            plane = all(part.stop <= n for part, n in zip(view.box, shape[:2], strict=True))
            if plane and view.images.shape[3] == shape[2]:
                return path
        return None

    def _gone(self, subject: str, what: str) -> UserError:
        run = self.record.run
        return UserError(
            f"{self._folder.name}, subject {subject}: {what} is not kept in {self._workspace.root} (or not as this record was "
            f"measured): 'run --method {run.method} --dataset {run.dataset} --seed {run.seed} --alone --config "
            f"{self._folder / 'config.yaml'} --export-maps DIR' makes it again ('evaluate' with --export-maps for given maps)"
        )


def _files_of(folder: Path, subject: str) -> list[Path]:
    """Return the files of a subject in a folder of maps or views, the newest first."""
    form = re.compile(rf"{re.escape(subject)}\.[0-9a-f]*\.?npz")
    found = [
        path for path in folder.glob(f"{glob.escape(subject)}.*npz") if form.fullmatch(path.name)
    ]
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def _stamp_of(path: Path, subject: str) -> str:
    return path.name[len(subject) + 1 : -len(".npz")]
