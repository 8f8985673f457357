import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from benchmark.run.allocator import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
import numpy as np
for _ in range(3):
    np.ones(8_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(8_000_000)  # 61 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=False
    )
    if done.returncode == 3:
        pytest.skip("the C library has no mallopt")
    return int(done.stdout)


def test_memory_that_was_freed_serves_the_next_block_of_its_size():
    assert faults("kept") * 10 < faults("left alone")
