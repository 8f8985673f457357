"""From an untrained detector to one that has learnt: trained once, found again by what identifies the training."""

from __future__ import annotations

import csv
import io
import json
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from andi_bench import randomness
from andi_bench.config import RunConfig, TrainingConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from andi_bench.locks import exclusive
from andi_bench.records.loss_curve import LOSSES
from andi_bench.records.store import identity
from benchmark.scoring.costs import device_name, peak_memory_mb, reset_peak_memory
from benchmark.training import slice_order
from benchmark.training.augmentation import pipeline as augmentation
from benchmark.training.loss_log import CURVE_COLUMNS
from benchmark.training.state import load_tensors, save_tensors
from benchmark.training.stored_slices import StoredSlices
from benchmark.training.trainer import Trainer
from methods.base import AnomalyDetector, SliceDetector
from methods.networks.unet import load_published

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Training:
    """One training: what identifies it, and where its results lie.

    Parameters
    ----------
    folder : Path
        Holds model.safetensors, loss.csv and training.json once it is finished.
    parts : dict
        What identifies the training.
    """

    folder: Path
    parts: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the result is there."""
        return (self.folder / MODEL).is_file() and (self.folder / "training.json").is_file()

    def report(self) -> dict[str, Any]:
        """Return steps, seconds and device of a finished training.

        Raises
        ------
        UserError
            When training.json is damaged.
        """
        path = self.folder / "training.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: damaged; delete {self.folder} to train again") from error
        return found


def locate_training(
    detector: AnomalyDetector,
    training: TrainingConfig,
    data: dict[str, Any],
    seed: int,
    folder: Path,
) -> Training:
    """Name the folder of a training by the hash of what identifies it.

    Parameters
    ----------
    data : dict
        Name and fingerprint of the training slices.
    """
    name = detector.training_name or detector.name
    parts: dict[str, Any] = {
        "training": name,
        "detector": detector.training_config(),
        "modalities": list(detector.spec.modalities),
        "size": list(detector.spec.size),
        "data": data,
        "seed": seed,
        **detector.revision(),
    }
    if isinstance(detector, SliceDetector) and detector.has_network():
        # How often a checkpoint is written, how the network is run and where slices are kept change nothing in the result.
        left_out = {"checkpoint_minutes", "compile", "cache"}
        parts["loop"] = training.model_dump(mode="json", exclude=left_out)
        parts |= _revisions(detector, training)
    label = f"{name}__{data['dataset']}__seed{seed}__{identity(parts)[:8]}"
    return Training(folder / label, parts)


def _revisions(detector: SliceDetector, training: TrainingConfig) -> dict[str, Any]:
    """Return the versions of what a training uses; of the first ones nothing, as :func:`benchmark.run.identity.revisions`."""
    out: dict[str, Any] = dict(detector.streams("training"))
    if training.flip or training.augmentation.active:
        out["streams_version"] = randomness.VERSION
    if training.augmentation.active and augmentation.VERSION != 1:
        out["augmentation_version"] = augmentation.VERSION
    if training.sampling != "slices" and slice_order.VERSION != 1:
        out["sampling_version"] = slice_order.VERSION
    return out


def learn(
    detector: AnomalyDetector,
    slices: StoredSlices,
    run: RunConfig,
    training: Training,
    seed: int,
    accelerator: Any,
    console: Console,
    tracker: str | None = None,
) -> None:
    """Train a detector, or load what an equal training has learnt.

    Raises
    ------
    UserError
        When a file is damaged or cannot be written, or the loss is not finite.
    Interrupted
        When the user stops it; the state is saved.
    """
    lock = exclusive(training.folder, console) if accelerator.is_main_process else nullcontext()
    with lock:
        # All processes leave here together: the first holds the folder for them all.
        accelerator.wait_for_everyone()
        _learn_or_load(detector, slices, run, training, seed, accelerator, console, tracker)


def _learn_or_load(
    detector: AnomalyDetector,
    slices: StoredSlices,
    run: RunConfig,
    training: Training,
    seed: int,
    accelerator: Any,
    console: Console,
    tracker: str | None,
) -> None:
    if training.finished:
        load_model(detector, training.folder / MODEL, accelerator.device)
        return
    progress = training.folder / "progress.safetensors"
    trainer = Trainer(accelerator, run.training, seed, progress, console, tracker)
    started = time.monotonic()
    reset_peak_memory(accelerator.device)
    detector.fit(slices, trainer)
    seconds = trainer.state.seconds or time.monotonic() - started
    if accelerator.is_main_process:
        report = {
            "identity": training.parts,
            "steps": trainer.state.step,
            "seconds": seconds,
            "slices": len(slices),
            "processes": accelerator.num_processes,
            "peak_memory_mb": peak_memory_mb(accelerator.device),
            "precision": accelerator.mixed_precision,
            "device": device_name(accelerator.device),
        }
        if trainer.state.curve:
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(CURVE_COLUMNS)
            rows.writerows([f"{value:.6g}" for value in row] for row in trainer.state.curve)
            write_atomically(training.folder / LOSSES, text.getvalue().encode())
        write_atomically(
            training.folder / "training.json", (json.dumps(report, indent=1) + "\n").encode()
        )
        save_tensors(
            detector.state(), training.folder / MODEL, {"training": json.dumps(training.parts)}
        )
        progress.unlink(missing_ok=True)
    accelerator.wait_for_everyone()


def load_model(detector: AnomalyDetector, path: Path, device: torch.device) -> None:
    """Load what a training left, on to a device.

    Raises
    ------
    UserError
        When the file is damaged or was made for another configuration.
    """
    tensors, metadata = load_tensors(path)
    _require_modalities(detector, path, metadata)
    try:
        detector.load(tensors)
    except (RuntimeError, KeyError) as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: does not fit method '{detector.name}': {first}") from error
    detector.to(device)


def _require_modalities(detector: AnomalyDetector, path: Path, metadata: dict[str, str]) -> None:
    try:
        learnt = tuple(json.loads(metadata.get("training", "{}")).get("modalities", ()))
    except (ValueError, AttributeError, TypeError):
        return  # written by something else: the tensors themselves must then fit
    if learnt and learnt != detector.spec.modalities:
        raise UserError(
            f"{path}: trained on {', '.join(learnt)}, and preprocessing.modalities is "
            f"{', '.join(detector.spec.modalities)}: --set preprocessing.modalities=[{','.join(learnt)}] and "
            "scans that have them, or a training on the fewer, wanted"
        )


def load_checkpoint(detector: AnomalyDetector, path: Path, device: torch.device) -> None:
    """Load weights from a file that the user names: .safetensors of this project, or a published .pt.

    A ``.pt`` file is read with ``torch.load(weights_only=True)``: it can hold tensors, never code.

    Raises
    ------
    UserError
        When the file is missing, damaged, or of another network; names the first tensor that differs.
    """
    if path.suffix == ".safetensors":
        load_model(detector, path, device)
        return
    if not isinstance(detector, SliceDetector) or not detector.has_network():
        raise UserError(
            f"checkpoint {path}: method '{detector.name}' has no network to load it into"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        first = str(error).splitlines()[0]
        raise UserError(f"checkpoint {path}: cannot be read as tensors ({first})") from error
    if not isinstance(state, dict):
        raise UserError(f"checkpoint {path}: a mapping of names to tensors wanted")
    load_published(detector.net, state, f"checkpoint {path}")
