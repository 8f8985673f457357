"""The detector under test: built, trained for some steps and scored as ``run`` does it, on the tiny phantom."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from andi_bench import config as configuration
from andi_bench.config import RunConfig
from andi_bench.console import Console
from benchmark.conformance.tiny_phantom import TinyPhantom, copied
from benchmark.run.accelerator import make_accelerator
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.training.trainer import Trainer
from datasets.volume import Volume
from methods.base import AnomalyDetector, ImageSpec, SliceDetector
from methods.catalogue import (
    build_detector,
    described_method,
    detector_class,
    detector_config,
    settings_beside,
)

SEED = 0
STEPS = 60
FEW_STEPS = 4
"""Steps of a training of which only the course matters, not what is learnt."""

SUITE: dict[str, dict[str, Any]] = {
    # N4 is not what is checked, and would be most of the time that it takes.
    "preprocessing": {"size": 32, "bias": "none"},
    "training": {
        **dict.fromkeys(("epochs", "minutes", "schedule_epochs")),
        "steps": STEPS,
        "batch_size": 8,
        "precision": "float32",
        "ema_decay": 0.9,
        "ema_start": 20,
    },
    "scoring": {"batch_size": 16},
}
"""Laid over the preset ``quick``; the method's own ``presets.test`` and the user's ``--set`` come after it."""


class Candidate:
    """A method, its configuration for the suite, and the data.

    Parameters
    ----------
    method : str
        Registered name.
    phantom : TinyPhantom
        The data.
    folder : Path
        For what the engine writes.
    plugins : sequence of Path
        Plug-in files that are loaded already; a YAML file beside one is read, as ``run`` does.
    overrides : dict
        The user's ``--set`` values.

    Raises
    ------
    UserError
        For an unknown method, or a value of ``overrides`` that does not fit.
    """

    def __init__(
        self,
        method: str,
        phantom: TinyPhantom,
        folder: Path,
        plugins: Sequence[Path] = (),
        overrides: dict[str, Any] | None = None,
    ) -> None:
        self.method = method
        self.phantom = phantom
        self.folder = folder
        self.plugins = tuple(plugins)
        self.cls: type[AnomalyDetector] = detector_class(method)
        self.run = resolve(method, self.plugins, overrides or {})
        if overrides and "detector" in overrides:
            detector_config(self.cls, self.run.detector)
        self._trained: AnomalyDetector | Exception | None = None

    @property
    def has_network(self) -> bool:
        """Whether the engine trains a network for the detector."""
        return issubclass(self.cls, SliceDetector) and self.cls.has_network()

    def variant(self, **layers: dict[str, Any]) -> RunConfig:
        """Return the configuration with some fields changed, ``training={"steps": 4}`` for example."""
        values = configuration.merge(self.run.described(), layers)
        return configuration.validated(RunConfig, values, f"configuration of '{self.method}'")

    def build(self, run: RunConfig | None = None, seed: int = SEED) -> AnomalyDetector:
        """Return an untrained detector."""
        run = run or self.run
        size = run.preprocessing.size
        spec = ImageSpec(run.preprocessing.modalities, (size, size))
        return build_detector(self.cls, run.detector, spec, seed, torch.device("cpu"))

    def learn(
        self,
        run: RunConfig | None = None,
        *,
        seed: int = SEED,
        progress: Path | None = None,
        console: Console | None = None,
    ) -> AnomalyDetector:
        """Return a detector that has learnt.

        Parameters
        ----------
        run : RunConfig or None
            None: the suite's own.
        seed : int
            Of weights and training; volumes are scored with the suite's own seed.
        progress : Path or None
            Where the state of an interrupted training lies; None: a new file.
        console : Console or None
            Shows the progress.
        """
        run = run or self.run
        detector = self.build(run, seed)
        if not self.cls.learns():
            settle(detector, self.phantom, run)
            return detector
        if progress is None:
            progress = Path(tempfile.mkdtemp(dir=self.folder)) / "progress.safetensors"
        accelerator = make_accelerator("cpu", run.training.precision, None, self.folder)
        trainer = Trainer(accelerator, run.training, seed, progress, console or Console(quiet=True))
        detector.fit(self.phantom.slices(run.preprocessing), trainer)
        detector.to(torch.device("cpu"))
        settle(detector, self.phantom, run)
        return detector

    @property
    def trained(self) -> AnomalyDetector:
        """The detector after the suite's one full training, made when it is first asked for.

        Raises
        ------
        Exception
            What the training raised, again each time.
        """
        if self._trained is None:
            try:
                self._trained = self.learn()
            except Exception as error:
                self._trained = error
        if isinstance(self._trained, Exception):
            raise self._trained
        return self._trained

    def engine(self, batch_size: int | None = None) -> ScoreEngine:
        """Return what a detector scores with."""
        scoring = self.run.scoring
        if batch_size is not None:
            scoring = scoring.model_copy(update={"batch_size": batch_size})
        return ScoreEngine(SEED, torch.device("cpu"), scoring, self.run.preprocessing.modalities)

    def score(
        self, detector: AnomalyDetector, volume: Volume, batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """Return the map (X, Y, Z) of a copy of a volume, as the engine hands it on."""
        return score_volume(detector, copied(volume), self.engine(batch_size)).map


def settle(detector: AnomalyDetector, phantom: TinyPhantom, run: RunConfig) -> None:
    """Calibrate a detector that asks for it, as ``run`` does between training and scoring."""
    if detector.needs_calibration:
        volumes = map(copied, phantom.volumes(run.preprocessing))
        engine = ScoreEngine(SEED, torch.device("cpu"), run.scoring, run.preprocessing.modalities)
        found = detector.calibrate(volumes, engine)
        detector.calibration = {key: float(value) for key, value in found.items()}


def resolve(method: str, plugins: Sequence[Path], overrides: dict[str, Any]) -> RunConfig:
    """Return the suite's configuration of a method: ``quick``, then the suite, ``presets.test``, the user's.

    Raises
    ------
    UserError
        For an unknown key, or a value out of bounds.
    """
    entry = described_method(method)
    layers = [settings_beside(path) for path in plugins]
    own = entry.presets.get("test", {}) if entry is not None else {}
    return configuration.load_run_config(entry, "quick", [*layers, SUITE, own, overrides], method)
