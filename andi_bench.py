"""The console script's door: makes sure that the four rooms are ours before anything is imported from them.

The names ``benchmark``, ``datasets``, ``methods`` and ``leaderboard`` are plain words, and other packages use them
too: a package that stands before ours on the path would make everything fail in odd ways.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOMS = {
    "benchmark": "registry.py",
    "datasets": "volume.py",
    "methods": "base.py",
    "leaderboard": "compare.py",
}
"""Each room, and a module that ours holds."""


def shadowed() -> str | None:
    """Return one line about the first room that another package hides; None where all is well."""
    for name, module in ROOMS.items():
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            return f"andi-bench: the package '{name}' is not installed; install andi-bench anew"
        folders = [Path(place) for place in spec.submodule_search_locations or []]
        if not any((folder / module).is_file() for folder in folders):
            where = spec.origin or (folders[0] if folders else "an unknown place")
            return (
                f"andi-bench: another package named '{name}' ({where}) hides ours: "
                "use an environment of its own, or run from the checkout"
            )
    return None


def main() -> None:
    """Run the command line."""
    # Threads that spin while they wait make two busy programs on one machine ten times slower, not two.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    problem = shadowed()
    if problem:
        print(problem, file=sys.stderr)
        raise SystemExit(2)
    from benchmark.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
