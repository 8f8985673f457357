"""Seconds and peak memory of comparing many records: ``python -m perf.leaderboard DIR``.

Records of a made-up benchmark (12 methods, 250 subjects, 3 seeds, two chains, unless said otherwise) are written to DIR
where it is absent, which takes minutes; then ``compare`` runs in a process of its own, once on the terminal and once with
Markdown, CSV, LaTeX and JSON.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def compare(directory: Path, *arguments: str) -> None:
    """Run ``compare`` and print what it took."""
    command = [sys.executable, "-m", "benchmark", "compare", "--records", str(directory)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    named = " ".join(word for word in arguments if word.startswith("--")) or "terminal"
    print(f"{named}: {wall:.1f} s, CPU {cpu:.1f} s, peak {after.ru_maxrss / 1024:.0f} MiB")


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
        sys.path.insert(0, str(ROOT / "tests"))
        from support.synthetic_records import Size, write_benchmark

        begun = time.perf_counter()
        size = Size(given.methods, given.subjects, given.seeds, voxels=given.voxels)
        write_benchmark(given.directory, size)
        print(f"records written in {time.perf_counter() - begun:.0f} s")
    total = sum(file.stat().st_size for file in given.directory.rglob("*") if file.is_file())
    print(f"records: {len(list(given.directory.iterdir()))}, {total / 2**20:.0f} MiB")
    compare(given.directory)
    out = given.directory.parent / "perf-leaderboard"
    files = [f"--{kind}={out / f'table.{kind}'}" for kind in ("markdown", "csv", "latex")]
    compare(given.directory, *files)


if __name__ == "__main__":
    main()
