"""What cannot be printed is said in one line, and the exit code is not 0."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("command", [("methods",), ("datasets", "--help"), ("methods", "--json")])
def test_a_full_disk_under_stdout_is_one_line(command):
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "benchmark", *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "andi-bench: standard output cannot be written (No space left on device); files that were made are kept"
    ]


def test_a_reader_that_went_away_is_one_line():
    command = [sys.executable, "-m", "benchmark", "methods"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        err = run.stderr.read()
    assert run.returncode == 1
    assert "Broken pipe" in err
    assert len(err.splitlines()) == 1
