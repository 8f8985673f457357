"""Throw-away environments that see this one's third-party packages and nothing of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

from support.places import ROOT

SOURCES = ("andi_bench", "benchmark", "configs", "datasets", "leaderboard", "methods", "splits")
BESIDE = ("perf", "tests")
BUILD_FILES = ("LICENSE", "NOTICE", "README.md", "pyproject.toml", "setup.py")


def answer(program: Path | str, folder: Path, *arguments: object) -> str:
    """Run a program of another environment, away from the checkout, and return what it prints."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME", "ANDI_BENCH_WORKSPACE")
    found = subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@dataclass
class Environment:
    """A virtual environment.

    Parameters
    ----------
    root : Path
        Its folder.
    """

    root: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.root / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its own site-packages."""
        (site,) = (self.root / "lib").glob("python*/site-packages")
        return site

    def install(self, source: Path) -> None:
        """Install a wheel, or a folder of sources, without what it depends on."""
        self._pip("install", "--no-deps", "--no-build-isolation", "--no-index", source)

    def uninstall(self, name: str) -> None:
        """Uninstall a distribution."""
        self._pip("uninstall", "--yes", name)

    def _pip(self, command: str, *arguments: object) -> None:
        quiet = ("--quiet", "--disable-pip-version-check")
        answer(self.python, self.root, "-m", "pip", command, *quiet, *arguments)


def make_environment(root: Path) -> Environment:
    """Make an environment that sees the packages of this one, but for our own editable install."""
    venv.create(root, with_pip=False, symlinks=True)
    environment = Environment(root)
    seen = root / "third-parties"
    seen.mkdir()
    here = sysconfig.get_paths()
    for site in dict.fromkeys([here["purelib"], here["platlib"]]):
        for path in Path(site).iterdir():
            if "andi_bench" not in path.name:
                (seen / path.name).symlink_to(path)
    (environment.packages / "these.pth").write_text(f"{seen}\n")
    return environment


def copied_sources(folder: Path) -> Path:
    """Copy what a wheel is built from, tests and measurements as well: a build leaves files beside its sources."""
    for name in (*SOURCES, *BESIDE):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILD_FILES:
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def build_wheel(folder: Path) -> Path:
    """Build our wheel from a copy of the sources and return its path."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    copied_sources(sources)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    wheels = ("--wheel-dir", folder / "wheels")
    answer(sys.executable, folder, "-m", "pip", "wheel", *options, *wheels, sources)
    (wheel,) = (folder / "wheels").glob("andi_bench-*.whl")
    return wheel
