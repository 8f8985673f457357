"""One run from its name to its record: data, slices, training, scoring, evaluation, figures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from benchmark import config as configuration
from benchmark import registry
from benchmark.config import MethodEntry, RunConfig
from benchmark.console import Console
from benchmark.costs import device_name, parameter_count
from benchmark.errors import UserError, unknown_name
from benchmark.evaluation import Evaluation, evaluate
from benchmark.guards import Guard, no_overlap, unseen_in_training
from benchmark.inference import ScoreEngine
from benchmark.locks import exclusive
from benchmark.map_store import MapStore
from benchmark.records import Costs, RunInfo, find_run, identity
from benchmark.scoring import score_subjects, stamp
from benchmark.slices import StoredSlices
from benchmark.trained import (
    Training,
    build_detector,
    detector_class,
    learn,
    load_checkpoint,
    locate_training,
)
from benchmark.workspace import Workspace
from datasets.adapter import FolderAdapter, Subject
from datasets.catalogue import find_entry, open_dataset
from datasets.slice_store import SliceStore
from datasets.volume import Volume
from methods.base import AnomalyDetector, ImageSpec


@dataclass(frozen=True)
class RunRequest:
    """What a user asked for.

    Parameters
    ----------
    method : str
        Registered name.
    dataset : str
        Data set that is scored.
    train_on : str or None
        Data set that the detector learns from; None: as the data set's file says, by default itself.
    preset : str or None
        None: ``quick`` on a CPU, ``paper`` on an accelerator.
    seed : int
        The run's seed.
    split : str
        ``test`` or ``val``: which split is scored and reported.
    subjects : tuple of str
        Only these subjects of the split; () for all.
    data_root, train_root, splits : Path or None
        Folder of the data, of the training data, of the split's CSV files.
    workspace : Workspace
        Where everything is kept.
    overrides : list of dict
        The user's layers of configuration, weakest first.
    checkpoint : Path or None
        Weights from elsewhere, instead of a training.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    workers : int or None
        Processes for reading and evaluation; None: one a core.
    tracker : str or None
        A tracker that accelerate knows.
    export : Path or None
        Folder for maps as NIfTI.
    """

    method: str
    dataset: str
    workspace: Workspace
    train_on: str | None = None
    preset: str | None = None
    seed: int = 0
    split: str = "test"
    subjects: tuple[str, ...] = ()
    data_root: Path | None = None
    train_root: Path | None = None
    splits: Path | None = None
    overrides: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: Path | None = None
    device: str = "auto"
    workers: int | None = None
    tracker: str | None = None
    export: Path | None = None
    plugin_hash: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run left.

    Parameters
    ----------
    record : Path or None
        The run record; None where no lesion mask is known, so that there is nothing to evaluate.
    maps : Path or None
        Folder of the exported maps.
    reused : bool
        Whether the record was there already.
    """

    record: Path | None
    maps: Path | None
    reused: bool = False


@dataclass
class _Data:
    """The data sets of a run, opened and checked."""

    adapter: FolderAdapter
    source: FolderAdapter
    source_name: str
    val: list[Subject]
    test: list[Subject]
    guards: list[Guard]
    fingerprints: dict[str, str]


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
    # Methods that run one after the other may differ in precision; accelerate keeps one state a process.
    AcceleratorState._reset_state()
    try:
        return Accelerator(
            cpu=on_cpu, mixed_precision=chosen, log_with=tracker, project_dir=str(folder)
        )
    except (ImportError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"--track {tracker}: {first}; is its package installed?") from error


def resolve_config(request: RunRequest, entry: MethodEntry | None) -> tuple[str, RunConfig]:
    """Return the preset's name and the run's configuration."""
    accelerated = request.device != "cpu" and torch.cuda.is_available()
    preset = request.preset or ("paper" if accelerated else "quick")
    run = configuration.load_run_config(entry, preset, request.overrides, request.method)
    return preset, run


def _pick(adapter: FolderAdapter, request: RunRequest) -> tuple[list[Subject], list[Subject]]:
    """Return the validation subjects and the subjects to report on."""
    val, chosen = adapter.subjects_in("val"), adapter.subjects_in(request.split)
    names = [subject.id for subject in chosen]
    for name in request.subjects:
        if name not in names:
            raise unknown_name(f"subject of {request.dataset}'s {request.split} split", name, names)
    if request.subjects:
        chosen = [subject for subject in chosen if subject.id in request.subjects]
    if not chosen:
        raise UserError(
            f"dataset '{request.dataset}': its {request.split} split is empty, "
            "one subject or more wanted"
        )
    return val, chosen


def _open_data(request: RunRequest, console: Console) -> _Data:
    entry = find_entry(request.dataset)
    source_name = request.train_on or entry.trained_on or request.dataset
    root = request.workspace.root
    adapter = open_dataset(request.dataset, request.data_root, root, request.splits)
    _prepare(adapter, request, console)
    if source_name == request.dataset:
        source = adapter
    else:
        source = open_dataset(source_name, request.train_root, root, None)
        _prepare(source, request, console)
    val, test = _pick(adapter, request)
    with console.reporting() as report:
        groups = {
            name: adapter.fingerprints(adapter.subjects_in(name), report)
            for name in ("train", "val", "test")
        }
        learnt = (
            {} if source is adapter else source.fingerprints(source.subjects_in("train"), report)
        )
    guards = [
        no_overlap(f"splits of {request.dataset} disjoint ({a}, {b})", groups[a], groups[b], (a, b))
        for a, b in (("train", "val"), ("train", "test"), ("val", "test"))
    ]
    known = groups["val"] | groups[request.split]
    evaluated = {subject.id: known[subject.id] for subject in [*val, *test]}
    if source is not adapter:
        guards.append(
            no_overlap(
                "training data and evaluated data disjoint",
                {f"{source_name}/{name}": content for name, content in learnt.items()},
                evaluated,
                (f"{source_name} (training)", request.dataset),
            )
        )
    return _Data(adapter, source, source_name, val, test, guards, evaluated)


def _prepare(adapter: FolderAdapter, request: RunRequest, console: Console) -> None:
    lock = exclusive(request.workspace.locks / adapter.name, console)
    with lock, console.reporting() as report:
        adapter.prepare(report, request.workers)


def _build_store(data: _Data, run: RunConfig, request: RunRequest, console: Console) -> SliceStore:
    train = data.source.subjects_in("train")
    if not train:
        raise UserError(f"dataset '{data.source_name}': its train split is empty")
    folder = request.workspace.slices
    with exclusive(folder, console), console.reporting() as report:
        return SliceStore.build(
            folder, data.source, train, run.preprocessing, request.workers, report
        )


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
    data: _Data,
    run: RunConfig,
    request: RunRequest,
    accelerator: Accelerator,
    console: Console,
) -> _Learnt:
    modalities = data.adapter.available(run.preprocessing.modalities)
    size = (run.preprocessing.size, run.preprocessing.size)
    spec = ImageSpec(modalities, size)
    detector = build_detector(cls, run.detector, spec, request.seed, accelerator.device)
    if request.checkpoint is not None:
        load_checkpoint(detector, request.checkpoint, accelerator.device)
        digest = hashlib.sha256(request.checkpoint.read_bytes()).hexdigest()
        report = {"checkpoint": request.checkpoint.name, "sha256": digest}
        return _Learnt(detector, None, None, {"checkpoint": digest}, report)
    if not cls.learns():
        return _Learnt(detector, None, set(), {}, {})
    with accelerator.main_process_first():
        store = _build_store(data, run, request, console)
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


def train(request: RunRequest, console: Console) -> Path | None:
    """Train a method and return the folder of the training; None for a method that learns nothing."""
    cls = detector_class(request.method)
    _, run = resolve_config(request, configuration.method_entry(request.method))
    accelerator = make_accelerator(
        request.device, run.training.precision, request.tracker, request.workspace.root
    )
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    data = _open_data(request, console)
    learnt = _ready_detector(cls, data, run, request, accelerator, console)
    return learnt.training.folder if learnt.training else None


def run_method(request: RunRequest, console: Console) -> Outcome:
    """Do everything that one method's row in the leaderboard needs; what is done already is kept.

    Raises
    ------
    UserError
        For whatever is wrong in what the user gave.
    """
    from benchmark.report import Finished, leave_record

    cls = detector_class(request.method)
    entry = configuration.method_entry(request.method)
    preset, run = resolve_config(request, entry)
    request = replace(request, preset=preset)
    accelerator = make_accelerator(
        request.device, run.training.precision, request.tracker, request.workspace.root
    )
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    request.workspace.check_writable()
    data = _open_data(request, console)
    learnt = _ready_detector(cls, data, run, request, accelerator, console)
    detector = learnt.detector
    same = data.source is data.adapter
    guards = [
        *data.guards,
        unseen_in_training(learnt.subjects, data.fingerprints, same),
    ]
    parts = run_identity(request, run, learnt, data)
    known = _labelled(data.adapter, data.test)
    info = RunInfo(
        method=detector.name, label=detector.label(), dataset=request.dataset,
        split=request.split, seed=request.seed, preset=preset, identity=identity(parts),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    found = find_run(request.workspace.records, info)
    existing = request.workspace.records / info.folder_name if found is not None else None
    export = request.export
    if not known and export is None:
        export = request.workspace.maps / f"{detector.name}__{request.dataset}__exported"
    if existing is not None and export is None:
        return Outcome(existing, None, reused=True)
    calibration = _labelled(data.adapter, data.val) if known else []
    folder = request.workspace.maps / f"{detector.name}__{identity(scoring_identity(parts))[:12]}"
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
    result: Evaluation = evaluate(
        maps.load, [s.id for s in calibration], [s.id for s in known], run.evaluation,
        workers=request.workers, console=console,
    )  # fmt: skip
    members = {subject.id: subject for subject in known}

    def reader(name: str) -> Volume:
        return data.adapter.read(members[name], run.preprocessing)

    costs = Costs(
        parameters=parameter_count(getattr(detector, "net", None)),
        training_seconds=learnt.report.get("seconds"),
        training_steps=learnt.report.get("steps"),
        device=device_name(accelerator.device),
    )
    record = leave_record(
        request.workspace.records,
        Finished(
            info=info, run=run, detector=detector.config, method=entry, dataset=request.dataset,
            trained_on=data.source_name if cls.learns() else "", checkpoint=request.checkpoint,
            training=learnt.training, training_report=learnt.report,
            train=sorted(learnt.subjects or ()), val=[s.id for s in calibration],
            test=[s.id for s in known], unlabelled=len(data.test) - len(known),
            fingerprints=data.fingerprints, guards=guards, costs=costs,
        ),
        result, maps, reader,
    )  # fmt: skip
    return Outcome(record, export)


def _labelled(adapter: FolderAdapter, subjects: Sequence[Subject]) -> list[Subject]:
    """Return the subjects whose lesions are known."""
    healthy = adapter.options.missing_mask == "healthy"
    return [subject for subject in subjects if subject.mask is not None or healthy]


def run_identity(
    request: RunRequest, run: RunConfig, learnt: _Learnt, data: _Data
) -> dict[str, Any]:
    """Return what identifies a run: data, method, hyper-parameters, seed; never device, workers, batch size."""
    return {
        "method": learnt.detector.name,
        "plugin": request.plugin_hash,
        "detector": learnt.detector.config.model_dump(mode="json"),
        "training": learnt.identity,
        "preprocessing": run.preprocessing.model_dump(mode="json"),
        "reduction": run.scoring.reduction,
        "evaluation": run.evaluation.model_dump(mode="json"),
        "dataset": request.dataset,
        "split": request.split,
        "val": _contents(data.val, data.fingerprints),
        "test": _contents(data.test, data.fingerprints),
        "seed": request.seed,
    }


def scoring_identity(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a run's identity that a map depends on; the subjects are stamped one by one."""
    return {k: v for k, v in parts.items() if k not in ("evaluation", "split", "val", "test")}


def _contents(subjects: Sequence[Subject], fingerprints: dict[str, str]) -> list[str]:
    return sorted(f"{s.id}:{fingerprints[s.id]}:{s.mask is not None}" for s in subjects)


def load_plugins(paths: Sequence[Path]) -> tuple[list[str], str]:
    """Import plug-in files; return the names they register and a hash of the files."""
    names: list[str] = []
    digest = hashlib.sha256()
    for path in paths:
        names += registry.load_plugin(path)
        digest.update(path.read_bytes())
    return names, digest.hexdigest() if paths else ""
