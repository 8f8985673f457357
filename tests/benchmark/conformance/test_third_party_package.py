"""A detector in somebody else's package: installed with pip, found by name, and taken through the contract."""

import json
import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from support.places import ROOT


def answer(python: Path, folder: Path, *arguments: object) -> str:
    """Run a command of the other environment, away from the checkout, and return what it prints."""
    names = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    environment = {key: value for key, value in os.environ.items() if key not in names}
    found = subprocess.run(
        [str(python), *map(str, arguments)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture
def other_python(tmp_path):
    """Return the interpreter of an environment that sees the checkout, this one's packages, and the example."""
    root = tmp_path / "environment"
    venv.create(root, with_pip=False, symlinks=True)
    python = root / "bin" / "python"
    (site,) = (root / "lib").glob("python*/site-packages")
    here = sysconfig.get_paths()
    seen = dict.fromkeys([str(ROOT), here["purelib"], here["platlib"]])
    (site / "these.pth").write_text("".join(f"{path}\n" for path in seen))
    # pip leaves build files beside the sources: it gets a copy.
    sources = shutil.copytree(ROOT / "tests" / "support" / "example_package", tmp_path / "sources")
    answer(
        python, tmp_path, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--disable-pip-version-check", sources,
    )  # fmt: skip
    assert (site / "andi_bench_example" / "__init__.py").is_file()
    return python


@pytest.mark.slow
def test_a_detector_of_an_installed_package_is_listed_and_conforms(other_python, tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    listed = json.loads(answer(other_python, place, "-m", "andi_bench", "methods", "--json"))
    (row,) = [row for row in listed if row["method"] == "distance-to-mean"]
    assert row["note"] == "andi_bench_example:DistanceToMean"
    assert row["title"].startswith("|x - mean| in units of the mean deviation")
    command = ("-m", "andi_bench", "test", "--method", "distance-to-mean", "--json")
    found = json.loads(answer(other_python, place, *command))
    assert found["passed"]
    status = {row["check"]: row["status"] for row in found["checks"]}
    assert status.pop("training lowers the loss") == "not applicable"
    assert set(status.values()) == {"passed"}
    assert list(place.iterdir()) == []
