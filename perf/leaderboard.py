"""Seconds and peak memory of comparing many records: ``python -m perf.leaderboard DIR``.

Records of a made-up benchmark (12 methods, 250 subjects, 3 seeds, two chains, unless said otherwise) are written to DIR
where it is absent, which takes minutes; then ``compare`` runs in a process of its own, its start included: on the
terminal, with Markdown, CSV and LaTeX, with ``--verify``, and with figures and page. What is drawn comes on top of the
protocol's limits (12 x 250 x 3: 8 CPU seconds and 250 MiB; 30 x 1,000 x 3, ``--methods 30 --subjects 1000 --voxels
1000``: 40 CPU seconds and 600 MiB), which are about reading, tables and tests.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def compare(directory: Path, *arguments: str) -> None:
    """Run ``compare`` and print what it took."""
    command = [sys.executable, "-m", "benchmark", "compare", "--records", str(directory)]
    begun = time.perf_counter()
    child = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"compare {' '.join(arguments)} failed")
    wall, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    named = " ".join(word for word in arguments if word.startswith("--")) or "terminal"
    print(f"{named}: {wall:.1f} s, CPU {cpu:.1f} s, peak {used.ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    """Write the records where they are absent, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--methods", type=int, default=12)
    parser.add_argument("--subjects", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--voxels", type=int, default=60_000, help="of a brain")
    given = parser.parse_args()
    if not given.directory.exists():
        begun = time.perf_counter()
        size = (given.methods, given.subjects, given.seeds, given.voxels)
        # in a process of its own: the peak of a child begins with that of its parent
        code = (
            "import sys; from pathlib import Path; from support.synthetic_records import Size, write_benchmark\n"
            "methods, subjects, seeds, voxels = map(int, sys.argv[2:])\n"
            "write_benchmark(Path(sys.argv[1]), Size(methods, subjects, seeds, voxels=voxels))"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(given.directory), *map(str, size)],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
            check=True,
        )
        print(f"records written in {time.perf_counter() - begun:.0f} s")
    total = sum(file.stat().st_size for file in given.directory.rglob("*") if file.is_file())
    print(f"records: {len(list(given.directory.iterdir()))}, {total / 2**20:.0f} MiB")
    compare(given.directory)
    out = given.directory.parent / "perf-leaderboard"
    files = [f"--{kind}={out / f'table.{kind}'}" for kind in ("markdown", "csv", "latex")]
    compare(given.directory, *files)
    compare(given.directory, "--verify")
    compare(given.directory, f"--figures={out / 'figures'}", f"--html={out / 'page'}")


if __name__ == "__main__":
    main()
