"""The check that two processes come to what one comes to."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from andi_bench.config import RunConfig
from andi_bench.place import rooms
from benchmark.conformance.candidate import FEW_STEPS, SEED, Candidate
from benchmark.conformance.maps import TOLERANCE
from benchmark.conformance.outcome import Failed, require_equal_maps
from benchmark.training.state import load_tensors, save_tensors
from methods.base import AnomalyDetector

TRAINED = "trained.safetensors"
"""What two processes have learnt, in the folder of the request."""
TIMEOUT = 600
"""Seconds that the processes are given; on a busy machine they need minutes."""
ATTEMPTS = 3
"""Trainings, each from another seed, of which one must agree.

Two processes add the same numbers in another order. Where an activation of a leaky ReLU, or an error of an L1 loss, lies within
rounding of 0, they may see it on different sides; Adam divides small gradients by their own size, and after four steps
maps differ by 2e-3. Of five seeds of `ae` that happened to one. What does depend on the processes does so for every seed.
"""
SAME_TRAINING = 1e-3
"""How far two trainings of the same weights may come apart, as a share of the way that they went; 2.4e-6 of `vae`, by rounding."""


def two_processes(candidate: Candidate) -> str:
    """Check that two processes (gloo) train and score to the maps of one.

    A network with dropout or batch statistics is trained by one process: these depend on how a batch is cut, in
    every framework. Where a map enlarges the rounding of weights, as one that is found by many steps down a gradient may, weights are
    compared, and the maps of the same weights.
    """
    run = candidate.variant(training={"steps": FEW_STEPS})
    cut = _depends_on_cut(getattr(candidate.build(run), "net", None))
    attempts = ATTEMPTS if candidate.has_network and not cut else 1
    unlike: list[str] = []
    for seed in range(SEED, SEED + attempts):
        learnt = candidate.learn(run, seed=seed)
        # Before the two start: the phantom's files are written by the first who wants them.
        own = {
            volume.subject: candidate.score(learnt, volume)
            for volume in candidate.phantom.volumes(run.preprocessing)
        }
        folder = Path(tempfile.mkdtemp(dir=candidate.folder))
        _score_in_two(candidate, run, seed, folder, learnt if cut else None)
        largest = _apart(own, folder, math.inf if attempts > 1 else TOLERANCE)
        if largest <= TOLERANCE:
            break
        if (gap := _weights_apart(candidate.build(run, seed), learnt, folder)) <= SAME_TRAINING:
            within = folder / "given"
            within.mkdir()
            _score_in_two(candidate, run, seed, within, learnt)
            same = _apart(own, within, TOLERANCE)
            return (
                f"trained: weights differ by {gap:.2g} of their way; scored with the same weights: maps differ by {same:.2g} of "
                f"the largest score (with those of both trainings by {largest:.2g}: they enlarge rounding)"
            )
        unlike.append(f"{largest:.2g}")
    else:
        raise Failed(
            f"one process and two: the maps differ by {largest:.2g} of the largest score, at most {TOLERANCE:g} wanted"
        )
    how = f"scored (not trained: {cut} depends on how a batch is cut)" if cut else "trained, scored"
    before = f" (of another seed {', '.join(unlike)}: by rounding)" if unlike else ""
    found = f"maps of one process and of two differ by {largest:.2g} of the largest score"
    return f"{how}; {found}{before}"


def _score_in_two(
    candidate: Candidate, run: RunConfig, seed: int, folder: Path, given: AnomalyDetector | None
) -> None:
    """Have two processes leave their maps in a folder; they train, or are ``given`` what another has learnt."""
    request = {
        "method": candidate.method,
        "plugins": [str(path) for path in candidate.plugins],
        "run": run.described(),
        "phantom": str(candidate.phantom.folder),
        "folder": str(folder),
        "seed": seed,
        "state": "",
    }
    if given is not None:
        request["state"] = str(folder / "state.safetensors")
        save_tensors(given.state(), folder / "state.safetensors", {})
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    _launch(path, 2)


def _apart(own: dict[str, NDArray[np.float32]], folder: Path, wanted: float) -> float:
    """Return the largest difference between one process's maps, by subject, and those that two left in a folder."""
    return max(
        require_equal_maps(
            scores,
            np.load(folder / f"{subject}.npy"),
            f"subject {subject}, one process and two",
            wanted,
        )
        for subject, scores in own.items()
    )


def _weights_apart(begun: AnomalyDetector, learnt: AnomalyDetector, folder: Path) -> float:
    """Return the distance of two processes' weights from one's, as a share of the way from where both began."""
    start, end = begun.state(), learnt.state()
    other, _ = load_tensors(folder / TRAINED)
    way = math.hypot(*(float((end[k].double() - start[k].double()).norm()) for k in end))
    gap = math.hypot(*(float((other[k].double() - end[k].double()).norm()) for k in end))
    return gap / way if way else math.inf


def _depends_on_cut(network: nn.Module | None) -> str:
    """Return the name of a layer whose training depends on how a batch is cut, or ""."""
    for layer in network.modules() if network is not None else ():
        dropout = isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0
        if dropout or isinstance(layer, nn.modules.batchnorm._BatchNorm):
            return type(layer).__name__
    return ""


def _launch(request: Path, count: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = str(rooms())
    search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "benchmark.conformance.worker", str(request)]
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
        "PYTHONPATH": search,
    }
    started = []
    logs = [request.with_name(f"process{rank}.txt") for rank in range(count)]
    try:
        for rank, log in enumerate(logs):
            environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            with log.open("w") as file:
                process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
            started.append(process)
        codes = _wait(started)
    finally:
        for process in started:
            process.kill()
            process.wait()
    for rank, code in enumerate(codes):
        if code:
            said = logs[rank].read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Failed(f"process {rank} ended with {code}: {said[-1] if said else 'no word'}")


def _wait(started: list[subprocess.Popen[bytes]]) -> list[int | None]:
    """Wait until all have ended, or one has failed; the code of one that still runs is None."""
    limit = time.monotonic() + TIMEOUT
    while True:
        codes = [process.poll() for process in started]
        if any(codes) or None not in codes:
            return codes
        if time.monotonic() > limit:
            raise Failed(f"{codes.count(None)} of {len(codes)} processes not done in {TIMEOUT} s")
        time.sleep(0.05)
