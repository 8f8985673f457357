"""One method with one configuration: built untrained, given synthetic brains, and timed as a run would use it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator

from andi_bench import config as configuration
from andi_bench.config import PreprocessingConfig, RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.names import counted
from benchmark.run.accelerator import check_run, default_preset, make_accelerator
from benchmark.run.modalities import require_reducible
from benchmark.scoring.costs import parameter_count
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.input_limit import InputLimit
from benchmark.scoring.network_form import precision_on, shape_network
from benchmark.speed.machine import machine
from benchmark.speed.paces import Clock
from benchmark.speed.plain_loops import TRAINED, PlainLoop
from benchmark.speed.scoring_pace import ScoringSpeed, measure_scoring, settle
from benchmark.speed.synthetic_brain import SyntheticStore, filled_slices, synthetic_volume
from benchmark.speed.training_pace import TrainingSpeed, measure_training
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainer import Trainer
from datasets.adapters.brain_box import wants_box
from datasets.scans.crop import box_around, cropped
from datasets.volume import Volume
from methods.base import AnomalyDetector, ImageSpec, SliceDetector
from methods.catalogue import (
    build_detector,
    described_method,
    described_run,
    detector_class,
    detector_config,
)

What = Literal["all", "scoring", "training"]
SEED = 0


@dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Parameters
    ----------
    method : str
        Registered name.
    preset : str or None
        None: as ``run`` takes it.
    settings : tuple of str
        ``key=value`` of what is set beside the preset, as it is shown.
    overrides : tuple of dict
        The same as layers of configuration, and those of files, weakest first.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    what : str
        ``scoring``, ``training`` or ``all``.
    repeats : int
        How often; the median counts.
    limit : float
        Seconds for scoring, and again for training.
    reference : bool
        Whether a plain loop is measured in turn.
    cpu_time : bool
        Whether the seconds count that this process computed in its one thread, not those that passed: on a busy machine.
    """

    method: str
    preset: str | None = None
    settings: tuple[str, ...] = ()
    overrides: tuple[dict[str, Any], ...] = ()
    device: str = "auto"
    what: What = "all"
    repeats: int = 3
    limit: float = 60.0
    reference: bool = False
    cpu_time: bool = False


class Measurer:
    """Measures one method with one configuration.

    Parameters
    ----------
    asked : Asked
        What is to be measured.

    Raises
    ------
    UserError
        For whatever is wrong in the method's name or the configuration, for a network that does not fit the grid, for a device that is not there, and for a method without
        a plain loop where that is asked for: before anything is measured.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._cls = detector_class(asked.method)
        entry = described_method(asked.method)
        self.preset = asked.preset or default_preset(asked.device)
        self.config: RunConfig = configuration.load_run_config(
            entry, self.preset, list(asked.overrides), asked.method
        )
        detector_config(self._cls, self.config.detector)
        require_reducible(self._cls, self.config)
        spec = ImageSpec(self.config.preprocessing.modalities, self.config.preprocessing.plane)
        # A network that does not fit the grid is refused here, not after an hour of other measurements.
        build_detector(self._cls, self.config.detector, spec, SEED, torch.device("cpu"))
        check_run(asked.device, self.config, None)
        threads = torch.get_num_threads()
        if asked.cpu_time and (asked.device != "cpu" or threads != 1):
            raise UserError(
                f"--cpu-time: device {asked.device}, {counted(threads, 'thread')} found; --device cpu and one thread (OMP_NUM_THREADS=1) wanted"
            )
        self._clock: Clock = time.process_time if asked.cpu_time else time.perf_counter
        if asked.reference and asked.method not in TRAINED:
            raise UserError(
                f"--reference: no plain loop is written for '{asked.method}': {', '.join(TRAINED)} wanted"
            )

    @property
    def title(self) -> str:
        """What is measured, for a person."""
        return " ".join((self._asked.method, self.preset, *self._asked.settings))

    def measured(self) -> dict[str, Any]:
        """Measure, and return everything as JSON has it."""
        asked, config = self._asked, self.config
        with tempfile.TemporaryDirectory() as folder:
            accelerator = make_accelerator(
                asked.device, config.training.precision, None, Path(folder)
            )
        about = machine(accelerator.device)  # the load is that of before
        volume, whole = _volumes(config.preprocessing)
        x, y = volume.shape[:2]
        spec = ImageSpec(config.preprocessing.modalities, (x, y))
        detector = build_detector(self._cls, config.detector, spec, SEED, accelerator.device)
        # Training has a network of its own: the other is shaped for scoring.
        trained = build_detector(self._cls, config.detector, spec, SEED, accelerator.device)
        plain = None
        if asked.reference:
            inputs = InputLimit(config.scoring.batch_size, accelerator.device).value
            plain = PlainLoop(detector, inputs, accelerator.device)
        learnt = self._learnt(detector, volume, accelerator)
        scoring = training = None
        if asked.what != "training":
            scoring = self._scoring(detector, (volume, whole), accelerator, plain)
        if asked.what != "scoring" and _trains(detector):
            assert isinstance(trained, SliceDetector)
            training = measure_training(
                trained,
                volume,
                config.training,
                accelerator,
                repeats=asked.repeats,
                limit=asked.limit,
                plain=plain,
                clock=self._clock,
            )
        return {
            "method": asked.method,
            "preset": self.preset,
            "settings": list(asked.settings),
            "grid": [x, y, volume.shape[2]],
            "slices": len(filled_slices(volume)),
            "parameters": parameter_count(getattr(detector, "net", None)),
            **_scored(scoring),
            **_trained(training),
            "steps": config.training.steps if training is not None else 0,
            "learning_seconds": learnt,
            "precision": {
                "training": str(accelerator.mixed_precision),
                "scoring": precision_on(config.scoring.precision, accelerator.device),
            },
            "batch": {
                "training": config.training.batch_size,
                "scoring": config.scoring.batch_size,
            },
            "config": described_run(self._cls, config),
            "clock": "computed" if asked.cpu_time else "passed",
            "machine": about,
        }

    def _learnt(
        self, detector: AnomalyDetector, volume: Volume, accelerator: Accelerator
    ) -> float | None:
        """Let a detector learn that is not trained step by step; return seconds for one volume's slices."""
        if not self._cls.learns() or _trains(detector):
            return None
        with tempfile.TemporaryDirectory() as folder:
            progress = Path(folder) / "progress.safetensors"
            context = Trainer(
                accelerator, self.config.training, SEED, progress, Console(quiet=True)
            )
            store: Any = SyntheticStore(volume, len(filled_slices(volume)))
            begun = self._clock()
            detector.fit(StoredSlices(store), context)
            seconds = self._clock() - begun
        detector.to(accelerator.device)
        return seconds

    def _scoring(
        self,
        detector: AnomalyDetector,
        volumes: tuple[Volume, Volume],
        accelerator: Accelerator,
        plain: PlainLoop | None,
    ) -> ScoringSpeed:
        config = self.config
        engine = ScoreEngine(
            SEED, accelerator.device, config.scoring, config.preprocessing.modalities
        )
        volume, whole = volumes
        shape_network(detector, config.scoring, accelerator.device)
        settle(detector, volume, engine)
        return measure_scoring(
            detector,
            volume,
            engine,
            repeats=self._asked.repeats,
            limit=self._asked.limit,
            plain=(plain, whole) if plain is not None and plain.scores else None,
            clock=self._clock,
        )


def _volumes(config: PreprocessingConfig) -> tuple[Volume, Volume]:
    """Return a synthetic volume as detectors are given it, cropped where that is asked for, and on the whole grid."""
    whole = synthetic_volume(config)
    box = box_around([whole.brain], config.size) if wants_box(config) else config.crop_box
    return cropped(whole, box), whole


def _trains(detector: AnomalyDetector) -> bool:
    """Whether the engine's loop trains the detector."""
    own = type(detector).fit is not SliceDetector.fit
    return isinstance(detector, SliceDetector) and detector.has_network() and not own


def _scored(speed: ScoringSpeed | None) -> dict[str, Any]:
    if speed is None:
        return {"scoring": None, "calls": None, "scoring_reference": None}
    plain = speed.reference
    return {
        "scoring": asdict(speed.volume),
        "calls": speed.calls,
        "scoring_reference": None if plain is None else asdict(plain),
    }


def _trained(speed: TrainingSpeed | None) -> dict[str, Any]:
    plain = None if speed is None else speed.reference
    return {
        "training": None if speed is None else asdict(speed.step),
        "training_reference": None if plain is None else asdict(plain),
    }
