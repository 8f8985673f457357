"""Training and scoring on two processes give the maps of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT
from support.small_scans import SMALL

from benchmark.scoring.map_store import MapStore

CHANGED = [
    "--set",
    "training.augmentation={rotation: 10, elastic: 0.03, gamma: 0.3, noise: 0.05, modality_dropout: 0.2}",
    *("--set", "training.sampling=balanced", "--set", "training.flip=true"),
]
"""Slices that are chosen and changed at random: whichever process they fall to, they are the same."""


def launch(processes: int, scans: Path, workspace: Path, port: int) -> dict:
    """Run the command on so many processes (gloo) and return all maps by subject."""
    options = (
        f"run --method andi --alone --dataset folder --data-root {scans} --workspace {workspace}"
    )
    command = [sys.executable, "-m", "benchmark", *options.split(), *SMALL, *CHANGED]
    started = []
    for rank in range(processes):
        ours = {"ACCELERATE_USE_CPU": "true", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        ours |= dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank))
        ours |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(processes))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(ours if processes > 1 else {})}
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
    assert [process.wait(timeout=300) for process in started] == [0] * processes
    report = next(workspace.glob("trainings/*/training.json")).read_text()
    assert f'"processes": {processes}' in report
    return {
        path.name.split(".")[0]: MapStore(path.parent).load(path.stem).map
        for path in workspace.glob("maps/andi__*/*.npz")
    }


@pytest.mark.slow
def test_two_processes_train_and_score_to_the_maps_of_one(scans, tmp_path):
    one = launch(1, scans, tmp_path / "one", 0)
    two = launch(2, scans, tmp_path / "two", 29431)
    assert one.keys() == two.keys()
    assert len(one) == 5
    for subject, scores in one.items():
        assert two[subject] == pytest.approx(scores, rel=1e-3, abs=1e-4 * float(scores.max()))
