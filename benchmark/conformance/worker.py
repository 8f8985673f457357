"""One of the processes of :mod:`benchmark.conformance.processes`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.registry import load_plugin
from benchmark.conformance.candidate import settle
from benchmark.conformance.processes import TRAINED
from benchmark.conformance.tiny_phantom import TinyPhantom
from benchmark.run.accelerator import make_accelerator
from benchmark.scoring.engine import ScoreEngine, score_volume
from benchmark.training.state import save_tensors
from benchmark.training.trainer import Trainer
from benchmark.training.trainings import load_model
from methods.base import ImageSpec
from methods.catalogue import build_detector, detector_class


def main(request: dict[str, Any], scoring_seed: int) -> None:
    """Train along with the other processes, and score this process's share of the volumes.

    Parameters
    ----------
    request : dict
        Method, plug-in files, configuration, seed of the training, and folders of the data and for the maps.
    scoring_seed : int
        Of the volumes' random streams.
    """
    for path in request["plugins"]:
        load_plugin(Path(path))
    seed = request["seed"]
    cls = detector_class(request["method"])
    run = RunConfig.model_validate(request["run"])
    folder = Path(request["folder"])
    phantom = TinyPhantom(Path(request["phantom"]))
    accelerator = make_accelerator("cpu", run.training.precision, None, folder)
    size = run.preprocessing.size
    spec = ImageSpec(run.preprocessing.modalities, (size, size))
    detector = build_detector(cls, run.detector, spec, seed, accelerator.device)
    if request["state"]:
        load_model(detector, Path(request["state"]), accelerator.device)
    else:
        trainer = Trainer(
            accelerator, run.training, seed, folder / "progress.safetensors", Console(quiet=True)
        )
        detector.fit(phantom.slices(run.preprocessing), trainer)
        if accelerator.is_main_process:
            save_tensors(detector.state(), folder / TRAINED, {})
    settle(detector, phantom, run)
    engine = ScoreEngine(
        scoring_seed, accelerator.device, run.scoring, run.preprocessing.modalities
    )
    volumes = phantom.volumes(run.preprocessing)
    for volume in volumes[accelerator.process_index :: accelerator.num_processes]:
        scores = score_volume(detector, volume, engine).map
        np.save(folder / f"{volume.subject}.npy", scores)
    accelerator.wait_for_everyone()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    from benchmark.conformance.candidate import SEED

    try:
        main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), SEED)
    except Exception as error:
        first = " ".join(str(error).split())[:300]
        raise SystemExit(f"{type(error).__name__}: {first}") from error
