"""Denormal numbers count as 0 where networks learn and score, in all threads, and nowhere else."""

import subprocess
import sys

import pytest
import torch
from support.small_scoring import denormals_are_kept
from support.small_volumes import CPU, Brightness, detector_of, small_volume

from andi_bench.arithmetic.denormals import denormals_as_zero
from andi_bench.config import ScoringConfig
from benchmark.scoring.engine import ScoreEngine, score_volume

pytestmark = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this processor cannot count denormal numbers as 0"
)


def test_they_are_0_in_the_block_alone_and_also_after_an_error():
    assert denormals_are_kept()
    with denormals_as_zero():
        assert not denormals_are_kept()
        with denormals_as_zero():
            assert not denormals_are_kept()
        assert not denormals_are_kept()
    assert denormals_are_kept()
    with pytest.raises(KeyError), denormals_as_zero():
        raise KeyError
    assert denormals_are_kept()


def test_numbers_with_full_precision_stay_as_they_are():
    values = torch.tensor([1.2e-38, -1.2e-38, 1e-30, 3.0]).double().float()
    with denormals_as_zero():
        assert torch.equal(values * 1.0, values)


class Asking(Brightness):
    """Looks how floats behave while it scores."""

    recipe = 1

    def score_slices(self, batch, generator):
        self.seen = denormals_are_kept()
        return super().score_slices(batch, generator)


def test_a_detector_scores_without_them():
    detector = detector_of(Asking)
    score_volume(detector, small_volume(), ScoreEngine(0, CPU, ScoringConfig()))
    assert not detector.seen
    assert denormals_are_kept()


IN_ALL_THREADS = """
import sys, torch
from pathlib import Path
from andi_bench.arithmetic.denormals import denormals_as_zero
if sys.argv[1] == "started":
    from benchmark.run.accelerator import make_accelerator
    make_accelerator("cpu", "float32", None, Path("."))
torch.set_num_threads(2)
tiny = torch.full((1 << 22,), 1e-40)
(tiny * 0.5).sum()
with denormals_as_zero():
    print(int((tiny * 0.5 + tiny).gt(0).sum()))
"""


def left(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", IN_ALL_THREADS, how],
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_all_threads_of_a_run_count_them_as_0():
    assert left("started") == 0
    assert left("as they are") > 0  # else the line above says nothing
