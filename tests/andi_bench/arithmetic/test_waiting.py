"""Threads wait awake for a moment, unless the user settled how they wait."""

import os
import subprocess
import sys

import pytest

from andi_bench.arithmetic.waiting import POLICY, SPIN_COUNT, wait_briefly


@pytest.mark.parametrize("given", [{POLICY: "ACTIVE"}, {POLICY: "PASSIVE"}, {SPIN_COUNT: "7"}])
def test_what_the_user_settled_stays(given):
    settings = dict(given)
    wait_briefly(settings)
    assert settings == given


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP comes with PyTorch on Linux")
@pytest.mark.parametrize(("given", "turns"), [({}, "3000"), ({SPIN_COUNT: "17"}, "17")])
def test_the_command_line_tells_openmp_before_pytorch_is_loaded(given, turns):
    plain = {name: value for name, value in os.environ.items() if name not in (POLICY, SPIN_COUNT)}
    command = [sys.executable, "-m", "benchmark", "speed", "--method", "ae", "--preset", "nope"]
    done = subprocess.run(
        command, env=plain | given | {"OMP_DISPLAY_ENV": "verbose"}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"GOMP_SPINCOUNT = '{turns}'" in done.stderr
