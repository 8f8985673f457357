"""A large benchmark is compared in seconds and little memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.synthetic_records import Size, write_benchmark

CODE = """
import json, sys, time
from pathlib import Path
from leaderboard.compare import compare
from leaderboard.exports.markdown import to_markdown
begun = time.process_time()
comparison = compare(Path(sys.argv[1]))
spent = time.process_time() - begun
family = comparison.statistics[0].family
tests = len(family.tests) + len(family.pooled)
to_markdown(comparison)
# Not getrusage: its peak begins with that of the process that started this one.
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([spent, int(status["VmHWM"].split()[0]) / 1024, tests]))
"""


@pytest.mark.slow
def test_twelve_methods_250_subjects_and_three_seeds_take_eight_seconds_and_250_mebibytes(tmp_path):
    write_benchmark(tmp_path / "records", Size(12, 250, 3, validation=2, voxels=2_000))
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "records")],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, mebibytes, tests = json.loads(done.stdout)
    assert tests == 2 * 66
    assert seconds < 8
    assert mebibytes < 250
