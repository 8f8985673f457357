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
from benchmark.training.state import save_tensors

TIMEOUT = 600
"""Seconds that the processes are given; on a busy machine they need minutes."""
ATTEMPTS = 3
"""Trainings, each from another seed, of which one must agree.

Two processes add the same numbers in another order. Where an activation of a leaky ReLU, or an error of an L1 loss, lies within
rounding of 0, they may see it on different sides; Adam divides small gradients by their own size, and after four steps
maps differ by 2e-3. Of five seeds of `ae` that happened to one. What does depend on the processes does so for every seed.
"""


def two_processes(candidate: Candidate) -> str:
    """Check that two processes (gloo) train and score to the maps of one.

    A network with dropout or batch statistics is trained by one process: these depend on how a batch is cut, in
    every framework.
    """
    run = candidate.variant(training={"steps": FEW_STEPS})
    cut = _depends_on_cut(getattr(candidate.build(run), "net", None))
    attempts = ATTEMPTS if candidate.has_network and not cut else 1
    unlike: list[str] = []
    for seed in range(SEED, SEED + attempts):
        pairs = _maps_of_one_and_two(candidate, run, seed, trained=not cut)
        wanted = TOLERANCE if seed == SEED + attempts - 1 else math.inf
        largest = max(
            require_equal_maps(one, two, f"subject {subject}, one process and two", wanted)
            for one, two, subject in pairs
        )
        if largest <= TOLERANCE:
            break
        unlike.append(f"{largest:.2g}")
    how = f"scored (not trained: {cut} depends on how a batch is cut)" if cut else "trained, scored"
    before = f" (of another seed {', '.join(unlike)}: by rounding)" if unlike else ""
    found = f"maps of one process and of two differ by {largest:.2g} of the largest score"
    return f"{how}; {found}{before}"


def _maps_of_one_and_two(
    candidate: Candidate, run: RunConfig, seed: int, *, trained: bool
) -> list[tuple[NDArray[np.float32], NDArray[np.float32], str]]:
    """Return the maps of one process and of two, and whose they are; where not ``trained``, of weights that one has learnt."""
    detector = candidate.learn(run, seed=seed)
    folder = Path(tempfile.mkdtemp(dir=candidate.folder))
    request = {
        "method": candidate.method,
        "plugins": [str(path) for path in candidate.plugins],
        "run": run.described(),
        "phantom": str(candidate.phantom.folder),
        "folder": str(folder),
        "seed": seed,
        "state": "",
    }
    if not trained:
        request["state"] = str(folder / "state.safetensors")
        save_tensors(detector.state(), folder / "state.safetensors", {})
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    _launch(path, 2)
    return [
        (
            candidate.score(detector, volume),
            np.load(folder / f"{volume.subject}.npy"),
            volume.subject,
        )
        for volume in candidate.phantom.volumes(run.preprocessing)
    ]


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
        "OMP_WAIT_POLICY": "PASSIVE",
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
