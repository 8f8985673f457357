"""``andi-bench`` and ``python -m andi_bench``: the command line, wherever the package lies."""

from __future__ import annotations

import importlib
import os
import sys

from andi_bench.place import rooms


def main() -> None:
    """Put our own packages first on this process's path, and run the command line."""
    # Threads that spin while they wait make two busy programs on one machine ten times slower, not two.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, str(rooms()))
    # By its name, when the path is set: the foundation imports nothing above it.
    importlib.import_module("benchmark.door").main()


if __name__ == "__main__":
    main()
