"""Where a result comes from: versions, revision, machine. None of it identifies a run."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from andi_bench import __version__
from andi_bench.place import rooms

PACKAGES = (
    "torch",
    "accelerate",
    "numpy",
    "scipy",
    "nibabel",
    "lmdb",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "SimpleITK",
    "medpy",
    "connected-components-3d",
    "nilearn",
)


def provenance() -> dict[str, Any]:
    """Return package versions, git revision, machine and command line."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "andi_bench": __version__,
        "git": _revision(),
        "python": platform.python_version(),
        "packages": versions,
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _revision() -> dict[str, Any] | None:
    """Return commit and cleanness of the checkout that this file lies in; None outside one."""
    folder = rooms()
    if not (folder / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(changed.stdout.strip())}
