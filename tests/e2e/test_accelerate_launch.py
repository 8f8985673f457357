"""``accelerate launch``: processes share the subjects of a run among them, to the very maps of one, and leave one record."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support.places import ROOT
from support.small_scans import SMALL

from andi_bench.records.search import find_records, results_of

LAUNCH = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
    *("--main_process_port", "0"),
)


@pytest.mark.slow
def test_two_launched_processes_share_the_subjects_and_score_to_the_very_maps_of_one(
    scans, tmp_path
):
    asked = ["--dataset", "folder", "--data-root", scans, *SMALL]
    asked += ["--set", "preprocessing.bias=none", "--method", "andi", "--workspace"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment["ACCELERATE_USE_CPU"] = "true"

    def command(*words):
        line = [sys.executable, *map(str, words)]
        done = subprocess.run(
            line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    one, two = tmp_path / "one", tmp_path / "two"
    command("-m", "andi_bench", "train", *asked, one)
    shutil.copytree(one, two)
    command("-m", "andi_bench", "run", "--alone", *asked, one)
    said = command(*LAUNCH, "-m", "andi_bench", "run", "--alone", *asked, two)
    assert re.findall(r"scoring (\d) of (\d)", said) == [
        ("1", "2"),
        ("2", "3"),
    ]  # the first's share
    for place in one.glob("maps/*/*.npz"):
        ours, theirs = np.load(place), np.load(two / place.relative_to(one))
        for name in set(ours.files) - {"meta"}:  # times are in it
            assert ours[name].tobytes() == theirs[name].tobytes()
    (single,), (shared,) = (find_records(place / "records").records for place in (one, two))
    assert results_of(single) == results_of(shared)
