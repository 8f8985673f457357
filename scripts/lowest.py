"""The lowest versions that pyproject.toml allows, installed and tested: ``make lowest``, or ``python -m scripts.lowest FOLDER [TEST...]``.

The environment in FOLDER is kept; the same command goes on with it. What fails here is mended by raising a bound.
torch is the largest part: on Linux PyPI's build has CUDA, and the environment takes 6 GB. pip prefers a build for CPU, ``+cpu``, where its own settings
name a place that has one (``PIP_EXTRA_INDEX_URL``, ``PIP_FIND_LINKS``).
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TESTS = (
    "tests/andi_bench",
    "tests/benchmark/evaluation",
    "tests/benchmark/scoring",
    "tests/benchmark/training",
    "tests/benchmark/conformance/test_metric_suite.py",
    "tests/datasets/scans",
    "tests/datasets/slices",
    "tests/leaderboard/exports",
    "tests/leaderboard/figures",
    "tests/leaderboard/statistics",
    "tests/methods",
    "tests/e2e/test_run.py",
)
"""What is run where no test is named: every dependency is used, in minutes and not in a quarter of an hour."""

TOOLS = (
    "hypothesis",
    "opensimplex",
    "packaging",
    "pytest",
    "scikit-posthocs",
    "setuptools>=77",
    "statsmodels",
)
"""What the tests need; not part of an installation, so their versions are free."""


def pins() -> list[str]:
    """Return every dependency at its lower bound.

    Raises
    ------
    ValueError
        For a dependency without a lower bound.
    """
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = []
    for line in tomllib.loads(text)["project"]["dependencies"]:
        wanted = Requirement(line)
        bounds = [one.version for one in wanted.specifier if one.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"pyproject.toml: {line}: one lower bound wanted")
        found.append(f"{wanted.name}=={bounds[0]}")
    return found


def install(folder: Path) -> Path:
    """Make the environment, or bring it up to date, and return its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *pins(), *TOOLS], check=True)
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], check=True)
    return python


def main(arguments: list[str]) -> int:
    """Install and test; return the exit code of the tests."""
    folder, tests = Path(arguments[0]).resolve(), arguments[1:] or list(TESTS)
    python = install(folder)
    print("\n".join(pins()))
    run = [str(python), "-m", "pytest", "-q", "-m", "not slow", *tests]
    return subprocess.run(run, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
