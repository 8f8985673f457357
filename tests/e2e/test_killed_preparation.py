"""Kill -9 in the midst of any step: the next run completes, and leaves what an undisturbed one leaves."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.places import ROOT
from support.raw_shifts import contents, save_raw

KEYS = [("best", "train", str(number)) for number in range(1, 5)]
AFFINE = np.diag([-8.0, 8.0, 8.0, 1.0])
SHAPE = (24, 28, 22)


def ball(seed):
    """A brain of a kind: an ellipsoid with some structure, turned and shifted a little; float32."""
    rng = np.random.default_rng(seed)
    places = (
        np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2 - rng.uniform(-1, 1, 3)
    )
    radius = np.sqrt(((places / (9, 11, 8)) ** 2).sum(axis=-1))
    inside = 400 + 200 * np.cos(4 * radius) + 100 * (places[..., 1] > 2) + 60 * (places[..., 0] > 3)
    return np.where(radius < 1, inside, 0).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Raw data with voxels of 8 mm, a template like it, and what an undisturbed run leaves."""
    folder = tmp_path_factory.mktemp("kill")
    for number, key in enumerate(KEYS):
        for kind in ("flair", "t1", "t1ce", "t2"):
            save_raw(folder / "raw", key, kind, ball(number + 1), AFFINE)
        save_raw(folder / "raw", key, "gt", (ball(number + 1) > 600).astype(np.uint8), AFFINE)
    nib.save(nib.Nifti1Image(ball(0), AFFINE), folder / "template.nii")
    for number in range(3):  # the reference data set
        subject = folder / "scans" / f"R{number}"
        subject.mkdir(parents=True)
        for kind in ("flair", "t1", "t1ce", "t2"):
            path = subject / f"R{number}_{kind}.nii.gz"
            nib.save(nib.Nifti1Image(1.3 * ball(20 + number), AFFINE), path)
    (folder / "scans" / "splits").mkdir()
    (folder / "scans" / "splits" / "scans_train.csv").write_text("Subject_ID\nR0\nR1\nR2\n")
    undisturbed(folder)
    return folder


def undisturbed(folder):
    """Do all three steps in this process."""
    from andi_bench.console import Console
    from andi_bench.workspace import Workspace
    from datasets.prepare.commands.shifts_steps import STEPS, ShiftsPreparation

    asked = ShiftsPreparation(
        folder / "raw",
        folder / "undisturbed",
        Workspace(folder / "workspace"),
        template=folder / "template.nii",
        reference_dataset="folder",
        reference_root=folder / "scans",
        workers=1,
    )
    assert asked.run(STEPS, Console(quiet=True))


def start(folder, output, workers=2):
    command = [
        *(sys.executable, "-m", "benchmark", "prepare", "shifts", "--raw", folder / "raw"),
        *("--output", output, "--template", folder / "template.nii", "--workers", workers),
        *("--workspace", folder / "workspace", "--reference-dataset", "folder"),
        *("--reference-root", folder / "scans"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


MOMENTS = {
    "organised": lambda out: list((out / "organised").glob("*")),
    "registering": lambda out: list((out / "registered").glob(".partial-*")),
    "registered": lambda out: list((out / "registered").glob("best_*")),
    "sheet": lambda out: list(out.glob("*.png")),
    "matching": lambda out: list((out / "patients").glob(".partial-*")),
    "matched": lambda out: list((out / "patients").glob("best_*")),
}


def wait_for(moment, run, output):
    """Wait until a run has come to a moment, or is done."""
    end = time.monotonic() + 300
    while run.poll() is None and not MOMENTS[moment](output) and time.monotonic() < end:
        time.sleep(0.002)


def killed_at(folder, output, moment, delay, workers):
    """Start a run, wait for a moment and a little longer, and kill it; tell whether it was still at work."""
    run = start(folder, output, workers)
    wait_for(moment, run, output)
    time.sleep(delay)
    at_work = run.poll() is None
    run.send_signal(signal.SIGKILL)
    run.wait()
    return at_work


def completed(folder, output, workers):
    assert start(folder, output, workers).wait() == 0
    wanted, found = contents(folder / "undisturbed"), contents(output)
    assert found.keys() == wanted.keys()  # nothing half-written is left either
    assert found == wanted


def test_a_run_killed_while_registering_takes_its_workers_along_and_is_completed_by_the_next(
    made, tmp_path
):
    run = start(made, tmp_path / "out")
    wait_for("registering", run, tmp_path / "out")
    workers = children_of(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    end = time.monotonic() + 60
    while any(alive(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
    assert len(list((tmp_path / "out" / "registered").glob("best_*"))) < len(KEYS)
    completed(made, tmp_path / "out", workers=1)


@pytest.mark.slow
def test_ten_kills_at_random_moments_of_each_step_in_turn(made, tmp_path):
    chance = random.Random(5)
    hits = 0
    for number in range(10):
        moment = list(MOMENTS)[number % len(MOMENTS)]
        output = tmp_path / f"one-{number}"
        workers = 1 + number % 2
        hits += killed_at(made, output, moment, chance.uniform(0, 0.3), workers)
        completed(made, output, 1)
    assert hits >= 7


def children_of(pid):
    """Return a process's children; none where the system does not tell."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
