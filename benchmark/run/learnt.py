"""A detector before and after it has learnt: built, its slices cut, its training located."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.records.store import identity
from benchmark.recording.facts import Origin
from benchmark.run.data import DataSets, RunData, build_store
from benchmark.run.request import RunRequest
from benchmark.training.trainings import Training, locate_training
from datasets.slices.builder import store_folder
from datasets.slices.store import SliceStore
from methods.base import AnomalyDetector, ImageSpec, SliceDetector
from methods.catalogue import build_detector, detector_config


@dataclass
class Learnt:
    """A detector that is ready to score, and how it came to be."""

    detector: AnomalyDetector
    origin: Origin
    training: Training | None
    subjects: set[str] | None
    identity: dict[str, Any]
    report: dict[str, Any]


@dataclass(frozen=True)
class Shares:
    """What a run may have in common with others, by names that are known before any data are opened.

    Parameters
    ----------
    data : frozenset of str
        What is made ready once for all: data sets, slices.
    training : str or None
        What is learnt once for all; None where nothing is learnt.
    maps : str
        What is scored once for all.
    """

    data: frozenset[str]
    training: str | None
    maps: str


@dataclass(frozen=True)
class Learner:
    """Builds a detector and finds what it learns from; knows where its training lies, and learns nothing itself.

    Parameters
    ----------
    cls : type of AnomalyDetector
        The method.
    config : RunConfig
        Settled: the landmarks are in it.
    request : RunRequest
        What was asked for.
    """

    cls: type[AnomalyDetector]
    config: RunConfig
    request: RunRequest

    @property
    def learns(self) -> bool:
        """Whether there is something to learn."""
        return self.cls.learns() and self.request.checkpoint is None

    @property
    def accelerated(self) -> bool:
        """Whether an accelerator is of use: a network is run, and not on a CPU."""
        network = issubclass(self.cls, SliceDetector) and self.cls.has_network()
        return network and self.request.device != "cpu"

    @property
    def spec(self) -> ImageSpec:
        """What the detector sees."""
        preprocessing = self.config.preprocessing
        return ImageSpec(preprocessing.modalities, preprocessing.plane)

    def detector(self, device: torch.device) -> AnomalyDetector:
        """Return the untrained detector."""
        settings, seed = self.config.detector, self.request.seed
        return build_detector(self.cls, settings, self.spec, seed, device)

    def plain_detector(self) -> AnomalyDetector:
        """Return the detector as its configuration says, without a network."""
        return self.cls(detector_config(self.cls, self.config.detector), self.spec)

    @property
    def settles(self) -> bool:
        """Whether the method or the configuration settles something on labelled validation subjects."""
        brings_into_line = self.config.scoring.calibration != "none"
        return brings_into_line or self.plain_detector().needs_calibration

    def require_nothing_to_settle(self) -> None:
        """Refuse to go on without labelled validation subjects where the method or the configuration needs one.

        Raises
        ------
        UserError
            Names what is to be settled on them.
        """
        if not self.settles:
            return
        if self.plain_detector().needs_calibration:
            what = f"method '{self.request.method}' is calibrated on validation data"
        else:
            what = f"scoring.calibration = {self.config.scoring.calibration}: scores are brought into line on validation data"
        raise UserError(f"{what}: 0 labelled validation subjects found, 1 or more wanted")

    def slices(self, data: RunData, console: Console) -> SliceStore:
        """Return the training slices; cut them where they are not there yet."""
        return build_store(data, self.config, self.request, console)

    def training(self, detector: AnomalyDetector, data: RunData, fingerprint: str) -> Training:
        """Return where the training lies, or will lie.

        Parameters
        ----------
        fingerprint : str
            Of the training slices.
        """
        origin = {"dataset": data.source_name, "slices": fingerprint}
        folder = self.request.workspace.trainings
        return locate_training(detector, self.config.training, origin, self.request.seed, folder)

    def has_learnt(self, data: RunData) -> bool:
        """Whether there is nothing to do any more: nothing to learn, weights that are given, or an equal training that is finished."""
        if not self.learns:
            return True
        train = data.source.subjects_in("train")
        built, fingerprint = store_folder(
            self.request.workspace.slices, data.source, train, self.config.preprocessing
        )
        if not built.is_dir():  # half built it has no training either
            return False
        return self.training(self.detector(torch.device("cpu")), data, fingerprint).finished

    def shares(self, data_sets: DataSets) -> Shares:
        """Return what this run may have in common with others."""
        config, request, adapter = self.config, self.request, data_sets.adapter
        prepared, training = {f"data set {adapter.name}"}, None
        place = {"dataset": request.dataset, "root": adapter.root.resolve()}
        source = data_sets.source
        if source is not None:
            origin = {
                "root": source.root.resolve(),
                "splits": request.splits if source is adapter else None,
                "options": source.options.model_dump(mode="json"),
                "preprocessing": config.preprocessing.model_dump(mode="json"),
            }
            slices = identity(origin)
            # Stores are built in one folder, by one process at a time.
            prepared |= {f"data set {source.name}", "slices", f"slices {slices[:8]}"}
            if self.learns:
                detector = self.plain_detector()
                named = {"dataset": data_sets.source_name, "slices": slices}
                located = locate_training(detector, config.training, named, request.seed, Path())
                training = located.folder.name
        scored = {"method": request.method, "seed": request.seed, "training": training, **place}
        maps = identity({**scored, "detector": config.detector, "checkpoint": request.checkpoint})
        return Shares(frozenset(prepared), training, maps)
