"""One run from its name to its record: data, slices, training, scoring, evaluation, figures."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from andi_bench import config as configuration
from andi_bench.config import MethodEntry, RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.locks import exclusive
from andi_bench.records.store import Costs, RunInfo, find_run, identity
from benchmark.recording.guards import unseen_in_training
from benchmark.run.data import RunData, build_store, labelled, open_data
from benchmark.run.request import Outcome, RunRequest
from benchmark.scoring.calibration import calibrate, load_calibration
from benchmark.scoring.costs import device_name, parameter_count
from benchmark.scoring.engine import ScoreEngine
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.subjects import score_subjects, stamp
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trained import (
    Training,
    build_detector,
    detector_class,
    detector_config,
    learn,
    load_checkpoint,
    locate_training,
)
from datasets.scans.preprocess import preprocessing_revision
from datasets.subject import Subject
from methods.base import AnomalyDetector, ImageSpec


def make_accelerator(device: str, precision: str, tracker: str | None, folder: Path) -> Accelerator:
    """Build the accelerator: device, processes, precision and, if asked for, a tracker.

    Raises
    ------
    UserError
        When the device is not there, or the tracker's package is not installed.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: no CUDA device is visible; 'cpu' or 'auto' wanted")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    names = {"float32": "no", "bf16": "bf16", "fp16": "fp16"}
    if precision == "auto":
        chosen = "bf16" if not on_cpu and torch.cuda.is_bf16_supported() else "no"
    else:
        chosen = names[precision]
    if on_cpu and chosen == "fp16":
        raise UserError("training.precision = fp16: needs an accelerator; float32 or bf16 wanted")
    if tracker is not None and importlib.util.find_spec(tracker) is None:
        # accelerate would drop a tracker that is not installed, and say nothing
        raise UserError(f"--track {tracker}: not installed; pip install {tracker}")
    # Methods that run one after the other may differ in precision; accelerate keeps one state a process.
    AcceleratorState._reset_state()
    return Accelerator(
        cpu=on_cpu, mixed_precision=chosen, log_with=tracker, project_dir=str(folder)
    )


def default_preset(device: str) -> str:
    """Return the preset that is used where none is named: ``paper`` on an accelerator, ``quick`` on a CPU."""
    return "paper" if device != "cpu" and torch.cuda.is_available() else "quick"


def resolve_config(
    request: RunRequest, entry: MethodEntry | None, cls: type[AnomalyDetector]
) -> tuple[str, RunConfig]:
    """Return the preset's name and the run's configuration, the detector's own part checked too.

    Raises
    ------
    UserError
        For an unknown key, a value out of bounds, or a checkpoint that is not there: before any work is done.
    """
    preset = request.preset or default_preset(request.device)
    run = configuration.load_run_config(entry, preset, request.overrides, request.method)
    detector_config(cls, run.detector)
    if request.checkpoint is not None and not request.checkpoint.is_file():
        raise UserError(f"checkpoint {request.checkpoint}: no such file")
    return preset, run


@dataclass
class _Learnt:
    """A detector that is ready to score, and how it came to be."""

    detector: AnomalyDetector
    training: Training | None
    subjects: set[str] | None
    identity: dict[str, Any]
    report: dict[str, Any]


def _ready_detector(
    cls: type[AnomalyDetector],
    data: RunData,
    run: RunConfig,
    request: RunRequest,
    accelerator: Accelerator,
    console: Console,
) -> _Learnt:
    size = (run.preprocessing.size, run.preprocessing.size)
    spec = ImageSpec(run.preprocessing.modalities, size)
    detector = build_detector(cls, run.detector, spec, request.seed, accelerator.device)
    if request.checkpoint is not None:
        load_checkpoint(detector, request.checkpoint, accelerator.device)
        digest = hashlib.sha256(request.checkpoint.read_bytes()).hexdigest()
        report = {"checkpoint": request.checkpoint.name, "sha256": digest}
        return _Learnt(detector, None, None, {"checkpoint": digest}, report)
    if not cls.learns():
        return _Learnt(detector, None, set(), {}, {})
    with accelerator.main_process_first():
        store = build_store(data, run, request, console)
    origin = {"dataset": data.source_name, "slices": store.fingerprint}
    training = locate_training(
        detector, run.training, origin, request.seed, request.workspace.trainings
    )
    if request.tracker:
        accelerator.init_trackers("andi-bench", config={"training": training.folder.name})
    slices = StoredSlices(store)
    learn(detector, slices, run, training, request.seed, accelerator, console, request.tracker)
    if request.tracker:
        accelerator.end_training()
    detector.to(accelerator.device)
    return _Learnt(
        detector, training, set(store.subjects.tolist()), training.parts, training.report()
    )


def _open(
    cls: type[AnomalyDetector], run: RunConfig, request: RunRequest, console: Console
) -> RunData:
    learns = cls.learns() and request.checkpoint is None
    modalities = run.preprocessing.modalities
    return open_data(request, console, learns=learns, modalities=modalities, needs=cls.requires)


def train(request: RunRequest, console: Console) -> Path | None:
    """Train a method and return the folder of the training; None for a method that learns nothing."""
    cls = detector_class(request.method)
    _, run = resolve_config(request, configuration.method_entry(request.method), cls)
    accelerator = make_accelerator(
        request.device, run.training.precision, request.tracker, request.workspace.root
    )
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    data = _open(cls, run, request, console)
    learnt = _ready_detector(cls, data, run, request, accelerator, console)
    return learnt.training.folder if learnt.training else None


def run_method(request: RunRequest, console: Console) -> Outcome:
    """Do everything that one method's row in the leaderboard needs; what is done already is kept.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave.
    """
    from benchmark.recording.run_record import Finished
    from benchmark.run.conclusion import conclude

    cls = detector_class(request.method)
    entry = configuration.method_entry(request.method)
    preset, run = resolve_config(request, entry, cls)
    request = replace(request, preset=preset)
    accelerator = make_accelerator(
        request.device, run.training.precision, request.tracker, request.workspace.root
    )
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    request.workspace.check_writable()
    data = _open(cls, run, request, console)
    learnt = _ready_detector(cls, data, run, request, accelerator, console)
    detector = learnt.detector
    same = data.source is data.adapter
    guards = [
        *data.guards,
        unseen_in_training(learnt.subjects, data.fingerprints, same),
    ]
    settling = labelled(data.adapter, data.val) if detector.needs_calibration else []
    parts = run_identity(request, run, learnt, data)
    if detector.needs_calibration:
        parts["calibrated on"] = contents(settling, data.fingerprints)
    known = labelled(data.adapter, data.test)
    info = RunInfo(
        method=detector.name, label=detector.label(), dataset=request.dataset,
        split=request.split, seed=request.seed, preset=preset, identity=identity(parts),
        maps=identity(scoring_identity(parts)), created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    found = find_run(request.workspace.records, info)
    existing = request.workspace.records / info.folder_name if found is not None else None
    export = request.export
    if not known and export is None:
        export = request.workspace.maps / f"{detector.name}__{request.dataset}__exported"
    if existing is not None and export is None:
        return Outcome(existing, None, reused=True)
    calibration = labelled(data.adapter, data.val) if known else []
    folder = request.workspace.maps / f"{detector.name}__{info.maps[:12]}"
    everyone = {s.id: s for s in [*calibration, *data.test]}
    maps = MapStore(
        folder,
        {
            name: stamp(data.adapter, subject, detector.spec.modalities)
            for name, subject in everyone.items()
        },
    )
    engine = ScoreEngine(request.seed, accelerator.device, run.scoring)
    share = (accelerator.process_index, accelerator.num_processes)
    lock = exclusive(folder, console) if accelerator.is_main_process else nullcontext()
    with lock:
        accelerator.wait_for_everyone()
        if detector.needs_calibration:
            if accelerator.is_main_process:
                calibrate(
                    detector, data.adapter, settling, run.preprocessing, engine, folder, console
                )
            accelerator.wait_for_everyone()
            load_calibration(detector, folder)
        for group, target in ((calibration, None), (data.test, export)):
            score_subjects(
                detector, data.adapter, group, run.preprocessing, engine, maps, console,
                export=target, process=share,
            )  # fmt: skip
        accelerator.wait_for_everyone()
    if not accelerator.is_main_process or not known:
        return Outcome(None, export)
    if existing is not None:
        return Outcome(existing, export, reused=True)
    costs = Costs(
        parameters=parameter_count(getattr(detector, "net", None)),
        training_seconds=learnt.report.get("seconds"),
        training_steps=learnt.report.get("steps"),
        device=device_name(accelerator.device),
    )
    record = conclude(
        request.workspace.records,
        Finished(
            info=info, run=run, detector=detector.config, method=entry, dataset=request.dataset,
            trained_on=data.source_name if learnt.training else "", checkpoint=request.checkpoint,
            training=learnt.training, training_report=learnt.report,
            calibration=detector.calibration, train=sorted(learnt.subjects or ()), val=[s.id for s in calibration],
            test=[s.id for s in known], unlabelled=len(data.test) - len(known),
            fingerprints=data.fingerprints, guards=guards, costs=costs, notes=data.notes,
        ),
        maps, data, [*calibration, *known], workers=request.workers, console=console,
    )  # fmt: skip
    return Outcome(record, export)


def run_identity(
    request: RunRequest, run: RunConfig, learnt: _Learnt, data: RunData
) -> dict[str, Any]:
    """Return what identifies a run: data, method, hyper-parameters, seed; never device, workers, batch size."""
    revision = learnt.detector.revision()
    return {
        "method": learnt.detector.name,
        "plugin": revision.pop("source", ""),
        **revision,
        "detector": learnt.detector.config.model_dump(mode="json"),
        "training": learnt.identity,
        "preprocessing": run.preprocessing.model_dump(mode="json"),
        **preprocessing_revision(run.preprocessing),
        "reduction": run.scoring.reduction,
        "evaluation": run.evaluation.model_dump(mode="json"),
        "dataset": request.dataset,
        **data.adapter.revision(),
        "split": request.split,
        "val": contents(data.val, data.fingerprints),
        "test": contents(data.test, data.fingerprints),
        "seed": request.seed,
    }


def scoring_identity(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a run's identity that a map depends on; the subjects are stamped one by one."""
    return {k: v for k, v in parts.items() if k not in ("evaluation", "split", "val", "test")}


def contents(subjects: Sequence[Subject], fingerprints: dict[str, str]) -> list[str]:
    """Return what identifies some evaluated subjects: name, scan, and whether the lesions are known."""
    return sorted(f"{s.id}:{fingerprints[s.id]}:{s.mask is not None}" for s in subjects)
