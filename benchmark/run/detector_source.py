"""Maps that a detector makes: learnt, calibrated and scored here."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from andi_bench import config as configuration
from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.records.store import Costs, identity
from benchmark.recording.facts import LearningFacts, MethodFacts, Origin
from benchmark.run.accelerator import check_device, default_preset, make_accelerator
from benchmark.run.data import DataSets, RunData, build_store, contents, labelled
from benchmark.run.request import RunRequest
from benchmark.run.source import Evaluated, Facts, Identity, view_store
from benchmark.scoring.calibration import calibrate, load_calibration
from benchmark.scoring.costs import device_name, parameter_count
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.subjects import SubjectScorer, stamp
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainings import Training, learn, load_checkpoint, locate_training
from datasets.scans.preprocess import preprocessing_revision
from datasets.subject import Subject
from methods.base import AnomalyDetector, ImageSpec
from methods.catalogue import build_detector, detector_class, detector_config


@dataclass
class _Learnt:
    """A detector that is ready to score, and how it came to be."""

    detector: AnomalyDetector
    origin: Origin
    training: Training | None
    subjects: set[str] | None
    identity: dict[str, Any]
    report: dict[str, Any]


class DetectorSource:
    """The source of a run of a registered method; implements :class:`benchmark.run.source.MapSource`.

    Parameters
    ----------
    request : RunRequest
        What was asked for.
    console : Console
        Where to show progress.

    Raises
    ------
    UserError
        For whatever is wrong in the method's name, the configuration, the device, the checkpoint, the tracker, or the
        folders of the data: before any work is done.
    """

    def __init__(self, request: RunRequest, console: Console) -> None:
        self._cls = detector_class(request.method)
        self._entry = configuration.method_entry(request.method)
        self.preset = request.preset or default_preset(request.device)
        self.config: RunConfig = configuration.load_run_config(
            self._entry, self.preset, request.overrides, request.method
        )
        detector_config(self._cls, self.config.detector)
        if request.checkpoint is not None and not request.checkpoint.is_file():
            raise UserError(f"checkpoint {request.checkpoint}: no such file")
        check_device(request.device, self.config.training.precision, request.tracker)
        self.request = replace(request, preset=self.preset)
        learns = self._cls.learns() and request.checkpoint is None
        self._data_sets = DataSets.find(self.request, learns=learns)
        self._console = console
        self.export = request.export

    @property
    def writes(self) -> bool:
        """Whether this process writes the record."""
        return bool(self._accelerator.is_main_process)

    def open(self) -> RunData:
        """Start the accelerator, and prepare and check the data.

        Raises
        ------
        UserError
            As :meth:`benchmark.run.data.DataSets.open`.
        """
        request = self.request
        self._accelerator = make_accelerator(
            request.device,
            self.config.training.precision,
            request.tracker,
            request.workspace.root,
        )
        if not self.writes:
            self._console = Console(quiet=True)
        return self._data_sets.open(
            self._console,
            method=request.method,
            modalities=self.config.preprocessing.modalities,
            needs=self._cls.requires,
        )

    def learn(self, data: RunData) -> None:
        """Train the detector, load what an equal training has learnt, or the weights that the user names.

        Raises
        ------
        UserError
            When a scan, a training or the checkpoint cannot be read, or the loss is not finite.
        """
        self._learnt = self._ready(data)

    def train(self) -> Path | None:
        """Train and nothing else; return the training's folder, None where nothing is learnt.

        Raises
        ------
        UserError
            As :meth:`open` and :meth:`learn`.
        """
        self.request.workspace.check_writable()
        self.learn(self.open())
        return self._learnt.training.folder if self._learnt.training else None

    def evaluated(self, data: RunData) -> Evaluated:
        """Return the subjects; without a lesion mask among them, all are scored and exported."""
        known = labelled(data.adapter, data.test)
        if not known and self.export is None:
            name = f"{self._learnt.detector.name}__{self.request.dataset}__exported"
            self.export = self.request.workspace.maps / name
        return Evaluated(labelled(data.adapter, data.val) if known else [], data.test, known)

    def identify(self, data: RunData, subjects: Evaluated) -> Identity:
        """Name the run by data, method, hyper-parameters and seed; never by device, workers, batch size."""
        detector, request = self._learnt.detector, self.request
        revision = detector.revision()
        parts = {
            "method": detector.name,
            "plugin": revision.pop("source", ""),
            **revision,
            "detector": detector.config.model_dump(mode="json"),
            "training": self._learnt.identity,
            "preprocessing": self.config.preprocessing.model_dump(mode="json"),
            **preprocessing_revision(self.config.preprocessing),
            "reduction": self.config.scoring.reduction,
            "evaluation": self.config.evaluation.model_dump(mode="json"),
            "dataset": request.dataset,
            **data.adapter.revision(),
            "split": request.split,
            "val": contents(data.val, data.fingerprints),
            "test": contents(data.test, data.fingerprints),
            "seed": request.seed,
        }
        if detector.needs_calibration:
            parts["calibrated on"] = contents(self._settling(data), data.fingerprints)
        # The subjects of the maps are stamped one by one.
        unseen = ("evaluation", "split", "val", "test")
        maps = identity({key: value for key, value in parts.items() if key not in unseen})
        everyone = {s.id: s for s in [*subjects.val, *subjects.test]}
        return Identity(
            method=detector.name,
            label=detector.label(),
            run=parts,
            maps=maps,
            folder=request.workspace.maps / f"{detector.name}__{maps[:12]}",
            stamps={
                name: stamp(data.adapter, subject, detector.spec.modalities)
                for name, subject in everyone.items()
            },
        )

    def alone(self, folder: Path) -> AbstractContextManager[None]:
        """Hold the folder of the maps: the first process does so for all."""
        return exclusive(folder, self._console) if self.writes else nullcontext()

    def bring(
        self, data: RunData, subjects: Evaluated, identity: Identity, *, finished: bool
    ) -> None:
        """Score the subjects that have no map yet, calibrating before where the detector needs it.

        Raises
        ------
        UserError
            As :meth:`benchmark.scoring.subjects.SubjectScorer.score`.
        """
        accelerator, detector = self._accelerator, self._learnt.detector
        engine = ScoreEngine(self.request.seed, accelerator.device, self.config.scoring)
        accelerator.wait_for_everyone()
        if detector.needs_calibration:
            if self.writes:
                calibrate(
                    detector,
                    data.adapter,
                    self._settling(data),
                    self.config.preprocessing,
                    engine,
                    identity.folder,
                    self._console,
                )
            accelerator.wait_for_everyone()
            load_calibration(detector, identity.folder)
        scorer = SubjectScorer(
            detector=detector,
            adapter=data.adapter,
            preprocessing=self.config.preprocessing,
            engine=engine,
            maps=MapStore(identity.folder, identity.stamps),
            views=view_store(self.request, data, self.config, subjects.test),
            console=self._console,
            export=self.export,
            process=(accelerator.process_index, accelerator.num_processes),
        )
        scorer.score(subjects.val, reported=False)
        scorer.score(subjects.test, reported=True)
        accelerator.wait_for_everyone()

    def facts(self, data: RunData, subjects: Evaluated) -> Facts:
        """Return method, training and costs."""
        learnt, detector = self._learnt, self._learnt.detector
        return Facts(
            method=MethodFacts(
                self._entry, detector.config.model_dump(mode="json"), detector.calibration
            ),
            learning=LearningFacts(
                origin=learnt.origin,
                dataset=data.source_name if learnt.training else "",
                subjects=sorted(learnt.subjects or ()),
                report=learnt.report,
                curve=learnt.training.folder / "loss.csv" if learnt.training else None,
            ),
            costs=Costs(
                parameters=parameter_count(getattr(detector, "net", None)),
                training_seconds=learnt.report.get("seconds"),
                training_steps=learnt.report.get("steps"),
                device=device_name(self._accelerator.device),
            ),
            trained_on=learnt.subjects,
            fingerprints=data.fingerprints,
        )

    def _settling(self, data: RunData) -> list[Subject]:
        """Return the subjects that a method settles its parameters on."""
        return labelled(data.adapter, data.val)

    def _ready(self, data: RunData) -> _Learnt:
        request, accelerator, config = self.request, self._accelerator, self.config
        size = config.preprocessing.size
        spec = ImageSpec(config.preprocessing.modalities, (size, size))
        detector = build_detector(
            self._cls, config.detector, spec, request.seed, accelerator.device
        )
        if request.checkpoint is not None:
            load_checkpoint(detector, request.checkpoint, accelerator.device)
            digest = hashlib.sha256(request.checkpoint.read_bytes()).hexdigest()
            report = {"checkpoint": request.checkpoint.name, "sha256": digest}
            return _Learnt(detector, "checkpoint", None, None, {"checkpoint": digest}, report)
        if not self._cls.learns():
            return _Learnt(detector, "nothing to learn", None, set(), {}, {})
        with accelerator.main_process_first():
            store = build_store(data, config, request, self._console)
        origin = {"dataset": data.source_name, "slices": store.fingerprint}
        training = locate_training(
            detector, config.training, origin, request.seed, request.workspace.trainings
        )
        if request.tracker:
            accelerator.init_trackers("andi-bench", config={"training": training.folder.name})
        learn(
            detector,
            StoredSlices(store),
            config,
            training,
            request.seed,
            accelerator,
            self._console,
            request.tracker,
        )
        if request.tracker:
            accelerator.end_training()
        detector.to(accelerator.device)
        seen = set(store.subjects.tolist())
        return _Learnt(detector, "trained", training, seen, training.parts, training.report())
