"""The check that two processes come to what one comes to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from torch import nn

from andi_bench.place import rooms
from benchmark.conformance.candidate import FEW_STEPS, Candidate
from benchmark.conformance.maps import TOLERANCE
from benchmark.conformance.outcome import Failed, require_equal_maps
from benchmark.training.state import save_tensors

TIMEOUT = 120
"""Seconds that the processes are given."""


def two_processes(candidate: Candidate) -> str:
    """Check that two processes (gloo) train and score to the maps of one.

    A network with dropout or batch statistics is trained by one process: these depend on how a batch is cut, in
    every framework.
    """
    run = candidate.variant(training={"steps": FEW_STEPS})
    detector = candidate.learn(run)
    cut = _depends_on_cut(getattr(detector, "net", None))
    folder = Path(tempfile.mkdtemp(dir=candidate.folder))
    request = {
        "method": candidate.method,
        "plugins": [str(path) for path in candidate.plugins],
        "run": run.model_dump(mode="json"),
        "phantom": str(candidate.phantom.folder),
        "folder": str(folder),
        "state": "",
    }
    if cut:
        request["state"] = str(folder / "state.safetensors")
        save_tensors(detector.state(), folder / "state.safetensors", {})
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    _launch(path, 2)
    gaps = [
        require_equal_maps(
            candidate.score(detector, volume),
            np.load(folder / f"{volume.subject}.npy"),
            f"subject {volume.subject}, one process and two",
            TOLERANCE,
        )
        for volume in candidate.phantom.volumes(run.preprocessing)
    ]
    how = f"scored (not trained: {cut} depends on how a batch is cut)" if cut else "trained, scored"
    return f"{how}; maps of one process and of two differ by {max(gaps):.2g} of the largest score"


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
