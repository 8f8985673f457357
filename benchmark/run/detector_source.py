"""Maps that a detector makes: learnt, calibrated and scored here."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from andi_bench import config as configuration
from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.records.loss_curve import LOSSES
from andi_bench.records.store import Costs, identity
from benchmark.recording.facts import LearningFacts, MethodFacts
from benchmark.run.accelerator import check_run, default_preset, make_accelerator
from benchmark.run.data import (
    DataSets,
    RunData,
    labelled,
    learns_before_reading,
    settled,
)
from benchmark.run.identity import Evaluated, Identity, Naming, maps_identity, name_run
from benchmark.run.learnt import Learner, Learnt
from benchmark.run.modalities import require_reducible
from benchmark.run.request import RunRequest
from benchmark.run.source import Facts, export_folder, view_store
from benchmark.scoring import modality_curves
from benchmark.scoring.calibration import calibrate, load_calibration
from benchmark.scoring.costs import device_name, parameter_count
from benchmark.scoring.curve_fit import ONE_SCORE, CurveFitter, described, load_curves
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.expected_images import Expecter
from benchmark.scoring.export_folder import ExportFolder
from benchmark.scoring.modality_curves import Curve
from benchmark.scoring.network_form import arithmetic, shape_network
from benchmark.scoring.subjects import SubjectScorer, export_names, stamp
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainings import learn, load_checkpoint
from methods.catalogue import described_method, detector_class, detector_config


class DetectorSource:
    """The source of a run of a registered method; implements :class:`benchmark.run.source.MapSource`.

    Parameters
    ----------
    request : RunRequest
        What was asked for.
    console : Console
        Where to show progress.
    here : bool
        Whether it is run on this machine, whose device and tracker are then looked for.

    Raises
    ------
    UserError
        For whatever is wrong in the method's name, the configuration, the device, the checkpoint, the tracker, or the
        folders of the data: before any work is done.
    """

    def __init__(self, request: RunRequest, console: Console, *, here: bool = True) -> None:
        self._cls = detector_class(request.method)
        self._entry = described_method(request.method)
        self.preset = request.preset or default_preset(request.device)
        self.config: RunConfig = configuration.load_run_config(
            self._entry, self.preset, request.overrides, request.method
        )
        detector_config(self._cls, self.config.detector)
        require_reducible(self._cls, self.config)
        if request.checkpoint is not None and not request.checkpoint.is_file():
            raise UserError(f"checkpoint {request.checkpoint}: no such file")
        if here:
            check_run(request.device, self.config, request.tracker)
        self.request = replace(request, preset=self.preset)
        learns = self._cls.learns() and request.checkpoint is None
        learns = learns or learns_before_reading(self.config.preprocessing)
        self.data_sets = DataSets.find(self.request, learns=learns)
        self._console = console
        self._curves: tuple[Curve, ...] = ()
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
            As :meth:`benchmark.run.data.DataSets.open`; when the folder for exported maps holds others'.
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
        data = self.data_sets.open(
            self._console,
            method=request.method,
            modalities=self.config.preprocessing.modalities,
            needs=self._cls.requires,
            settles=self.learner.settles,
        )
        with self._accelerator.main_process_first():
            self.config = settled(self.config, data, request, self._console)
        exports = export_folder(self.export, request)
        if exports is not None:
            exports.require_free(name for s in data.test for name in export_names(s))
        return data

    @property
    def _arithmetic(self) -> str:
        """What the network computes in."""
        return arithmetic(self._learnt.detector, self.config.scoring, self._accelerator.device)

    @property
    def _calibrates(self) -> bool:
        """Whether scores of the modalities are brought into line before they are reduced."""
        return self.config.scoring.calibration != "none"

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

    def prepare(self) -> None:
        """Prepare and check the data, cut the training slices, and nothing else; raises as :meth:`open`."""
        self.request.workspace.check_writable()
        data = self.open()
        if self.learner.learns:
            self.learner.slices(data, self._console)

    @property
    def learner(self) -> Learner:
        """What is known of the detector before it has learnt."""
        return Learner(self._cls, self.config, self.request)

    def evaluated(self, data: RunData) -> Evaluated:
        """Return the subjects; without a lesion mask among them, all are scored and exported; raises as the learner does."""
        if not data.settled_on.subjects:
            self.learner.require_nothing_to_settle()
        known = labelled(data.adapter, data.test)
        return Evaluated(labelled(data.adapter, data.val) if known else [], data.test, known)

    def identify(self, data: RunData, subjects: Evaluated) -> Identity:
        """Name the run and its maps; see :func:`benchmark.run.identity.name_run`.

        Raises
        ------
        UserError
            When a file cannot be read, or the folder for exported maps is another run's.
        """
        detector, request, config = self._learnt.detector, self.request, self.config
        settled_on = data.settled_on if self.learner.settles else None
        recipe = self._recipe()
        training = recipe["training"]
        if self._learnt.training is not None:
            learnt_on = {
                "dataset": data.source_name,
                "subjects": sorted(self._learnt.subjects or ()),
            }
            training = {**training, "data": learnt_on}
        asked = {"training": training}
        naming = Naming(detector.name, detector.label(), recipe, asked, data.val, settled_on)
        maps = maps_identity(recipe, data.adapter, request, config, settled_on)
        everyone = {s.id: s for s in [*subjects.val, *subjects.test]}
        folder = request.workspace.maps / f"{detector.name}__{maps[:12]}"
        self._exports = self._export_folder(data, subjects, folder)
        return Identity(
            method=detector.name,
            label=detector.label(),
            names=name_run(naming, data, subjects, request, config),
            maps=maps,
            folder=folder,
            stamps={
                name: stamp(data.adapter, subject, detector.spec.modalities)
                for name, subject in everyone.items()
            },
            people=everyone,
            images={
                name: stamp(data.adapter, subject, detector.spec.modalities, lesion=False)
                for name, subject in everyone.items()
            },
        )

    def _recipe(self) -> dict[str, Any]:
        """Return what the maps depend on beside the scans."""
        detector = self._learnt.detector
        revision = detector.revision()
        scoring = self.config.scoring
        curves = {"calibration": scoring.calibration, "version": modality_curves.VERSION}
        in_bf16 = {"precision": "bf16"} if self._arithmetic.startswith("bf16") else {}
        one_sided = detector.signed and scoring.deviations != "both"
        return {
            "method": detector.name,
            "plugin": revision.pop("source", ""),
            **revision,
            **detector.scoring_revision(),
            **detector.config.revision(),
            **detector.streams("scoring"),
            **in_bf16,
            **({"modality curves": curves} if self._calibrates else {}),
            **({"deviations": scoring.deviations} if one_sided else {}),
            **({"outside": "scored"} if scoring.published_outside else {}),
            "detector": detector.config.model_dump(mode="json"),
            "training": self._learnt.identity,
            "preprocessing": self.config.preprocessing.model_dump(mode="json"),
            "reduction": scoring.reduction,
            "dataset": self.request.dataset,
        }

    def _export_folder(self, data: RunData, subjects: Evaluated, maps: Path) -> ExportFolder | None:
        """Return where maps are exported to: where the user says; in the workspace where nothing can be evaluated."""
        run = identity({"maps": maps.name, "data": data.place})[:16]
        if self.request.export is None and not subjects.known:
            name = f"{self.request.method}__{self.request.dataset}__exported__{run[:8]}"
            self.export = self.request.workspace.maps / name
        return export_folder(self.export, self.request, run)

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
        if self._exports is not None and self.writes:
            self._exports.claim()
        shape_network(detector, self.config.scoring, accelerator.device)
        engine = ScoreEngine(
            self.request.seed,
            accelerator.device,
            self.config.scoring,
            self.config.preprocessing.modalities,
        )
        accelerator.wait_for_everyone()
        if detector.needs_calibration:
            if self.writes:
                calibrate(
                    detector,
                    data.settled_on.adapter,
                    data.settled_on.subjects,
                    self.config.preprocessing,
                    engine,
                    identity.folder,
                    self._console,
                )
            accelerator.wait_for_everyone()
            load_calibration(detector, identity.folder)
        if self._calibrates:
            engine = self._with_curves(engine, data, identity.folder)
        self._engine = engine
        scorer = SubjectScorer(
            detector=detector,
            adapter=data.adapter,
            preprocessing=self.config.preprocessing,
            engine=engine,
            maps=identity.store,
            views=view_store(self.request, data, self.config, subjects.test),
            console=self._console,
            export=self._exports,
            process=(accelerator.process_index, accelerator.num_processes),
        )
        scorer.score(subjects.val, reported=False)
        scorer.score(subjects.test, reported=True)
        accelerator.wait_for_everyone()

    def _with_curves(self, engine: ScoreEngine, data: RunData, folder: Path) -> ScoreEngine:
        """Return an engine that brings the modalities into line before it reduces them."""
        accelerator = self._accelerator
        fitter = CurveFitter(
            self._learnt.detector,
            data.settled_on.adapter,
            self.config.preprocessing,
            engine,
            folder,
            self._console,
            process=(accelerator.process_index, accelerator.num_processes),
            add_up=lambda counts: accelerator.reduce(counts.to(accelerator.device), "sum"),
        )
        fitter.fit(data.settled_on.subjects)
        accelerator.wait_for_everyone()
        self._curves = load_curves(folder, engine.modalities)
        if not self._curves:
            self._console.note(f"{self._learnt.detector.name}: {ONE_SCORE}")
        return replace(engine, curves=self._curves)

    def expecter(self, data: RunData, subjects: Evaluated) -> Expecter | None:
        """Return what gives the images that scored subjects were compared with; to be called after :meth:`bring`."""
        if not self._cls.expects():
            return None
        people = {s.id: s for s in subjects.known}
        detector, config = self._learnt.detector, self.config.preprocessing
        return Expecter(detector, data.adapter, config, self._engine, people)

    def facts(self, data: RunData, subjects: Evaluated) -> Facts:
        """Return method, training and costs."""
        learnt, detector = self._learnt, self._learnt.detector
        spec = detector.spec
        return Facts(
            method=MethodFacts(
                self._entry,
                detector.config.described(),
                {**detector.calibration, **described(spec.modalities, self._curves)},
                detector.config.left_out(),
            ),
            learning=LearningFacts(
                origin=learnt.origin,
                dataset=data.source_name if learnt.training else "",
                subjects=sorted(learnt.subjects or ()),
                report=learnt.report,
                curve=learnt.training.folder / LOSSES if learnt.training else None,
            ),
            costs=Costs(
                parameters=parameter_count(getattr(detector, "net", None)),
                training_seconds=learnt.report.get("seconds"),
                training_steps=learnt.report.get("steps"),
                device=device_name(self._accelerator.device),
            ),
            trained_on=learnt.subjects,
            fingerprints=data.fingerprints,
            notes=(ONE_SCORE,) if self._calibrates and not self._curves else (),
            arithmetic=self._arithmetic,
        )

    def _ready(self, data: RunData) -> Learnt:
        request, accelerator = self.request, self._accelerator
        learner = self.learner
        detector = learner.detector(accelerator.device)
        if request.checkpoint is not None:
            load_checkpoint(detector, request.checkpoint, accelerator.device)
            digest = hashlib.sha256(request.checkpoint.read_bytes()).hexdigest()
            report = {"checkpoint": request.checkpoint.name, "sha256": digest}
            return Learnt(detector, "checkpoint", None, None, {"checkpoint": digest}, report)
        if not self._cls.learns():
            return Learnt(detector, "nothing to learn", None, set(), {}, {})
        with accelerator.main_process_first():
            store = learner.slices(data, self._console)
        training = learner.training(detector, data, store.fingerprint)
        if request.tracker:
            accelerator.init_trackers("andi-bench", config={"training": training.folder.name})
        learn(
            detector,
            StoredSlices(store),
            self.config,
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
        return Learnt(detector, "trained", training, seen, training.parts, training.report())
