"""``andi-bench`` and ``python -m andi_bench``: the command line, wherever the package lies."""

from __future__ import annotations

import importlib
import os
import sys

from andi_bench.arithmetic.waiting import wait_briefly
from andi_bench.place import rooms


def main() -> None:
    """Put our own packages first on this process's path, and run the command line."""
    wait_briefly(os.environ)
    sys.path.insert(0, str(rooms()))
    # By its name, when the path is set: the foundation imports nothing above it.
    importlib.import_module("benchmark.door").main()


if __name__ == "__main__":
    main()
