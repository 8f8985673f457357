"""Our wheel beside Hugging Face's ``datasets``, which bears a name of ours: neither harms the other."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.environments import Environment, answer, build_wheel, make_environment
from support.places import ROOT

pytestmark = pytest.mark.slow

PLUGIN = """
from methods.base import SliceDetector, register


@register("mine")
class Mine(SliceDetector):
    def fit(self, slices, context):
        self.mean = slices.mean()

    def score_slices(self, batch, generator):
        return (batch - self.mean).abs()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Return the wheel of Hugging Face's ``datasets``, or skip where pip cannot get it."""
    folder = tmp_path_factory.mktemp("theirs")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, "datasets"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = list(folder.glob("datasets-*.whl"))
    if done.returncode or not found:
        pytest.skip("pip cannot get Hugging Face's 'datasets' here")
    return found[0]


def hashes(environment: Environment) -> dict[str, str]:
    """Hash the files that a distribution named ``datasets`` says are its own."""
    (record,) = environment.packages.glob("datasets-*.dist-info/RECORD")
    names = [line.rsplit(",", 2)[0] for line in record.read_text().splitlines()]
    found = {}
    for name in names:
        if not name.endswith(".pyc"):
            found[name] = hashlib.sha256((environment.packages / name).read_bytes()).hexdigest()
    assert "datasets/__init__.py" in found
    assert len(found) > 50
    return found


def our_files(environment: Environment) -> list[str]:
    return [path.name for path in environment.packages.iterdir() if "andi_bench" in path.name]


def use_everything(environment: Environment, folder: Path, scans: Path) -> None:
    """Run the command as its users do: by its name and as a module, with a plug-in, in several processes."""
    folder.mkdir()
    command = environment.root / "bin" / "andi-bench"
    methods = json.loads(answer(command, folder, "methods", "--json"))
    assert {"andi", "thresholding"} <= {row["method"] for row in methods}
    listed = answer(environment.python, folder, "-m", "andi_bench", "datasets")
    assert "phantom" in listed
    (folder / "mine.py").write_text(PLUGIN)
    options = (
        f"--alone --dataset folder --data-root {scans} --workers 2 --device cpu "
        "--set preprocessing.size=32 --set evaluation.bootstraps=50"
    ).split()
    answer(command, folder, "run", "--method", "thresholding", *options)
    module = ("-m", "andi_bench", "run", "--method", "mine", "--plugin", "mine.py")
    answer(environment.python, folder, *module, *options)
    table = json.loads(answer(command, folder, "compare", "--json"))["tables"][0]
    assert {row["label"] for row in table["rows"]} == {"thresholding", "mine"}
    answer(command, folder, "compare", "--html", "page.html", "--markdown", "table.md")
    assert (folder / "page.html").stat().st_size > 1e5
    assert json.loads(answer(command, folder, "test", "--metrics", "--json"))["passed"]


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_hugging_faces_datasets_stays_whole_whichever_comes_first(
    first, wheel, theirs, scans, tmp_path
):
    environment = make_environment(tmp_path / "environment")
    for source in (theirs, wheel) if first == "theirs" else (wheel, theirs):
        environment.install(source)
    before = hashes(environment)
    use_everything(environment, tmp_path / "elsewhere", scans)
    find = "import importlib.util as u; print(u.find_spec('datasets').origin)"
    origin = answer(environment.python, tmp_path, "-c", find).strip()
    assert origin == str(environment.packages / "datasets" / "__init__.py")
    environment.uninstall("andi-bench")
    assert our_files(environment) == []
    assert hashes(environment) == before


def test_uninstalling_theirs_leaves_ours_whole(wheel, theirs, scans, tmp_path):
    environment = make_environment(tmp_path / "environment")
    environment.install(wheel)
    environment.install(theirs)
    environment.uninstall("datasets")
    assert not (environment.packages / "datasets").exists()
    use_everything(environment, tmp_path / "elsewhere", scans)


def test_a_detector_of_another_package_is_found_by_the_installed_command(wheel, tmp_path):
    environment = make_environment(tmp_path / "environment")
    environment.install(wheel)
    # pip leaves build files beside the sources: it gets a copy.
    example = shutil.copytree(ROOT / "tests" / "support" / "example_package", tmp_path / "example")
    environment.install(example)
    place = tmp_path / "elsewhere"
    place.mkdir()
    command = environment.root / "bin" / "andi-bench"
    listed = json.loads(answer(command, place, "methods", "--json"))
    (row,) = [row for row in listed if row["method"] == "distance-to-mean"]
    assert row["note"] == "andi_bench_example:DistanceToMean"
    assert row["title"].startswith("|x - mean| in units of the mean deviation")
    found = json.loads(answer(command, place, "test", "--method", "distance-to-mean", "--json"))
    status = {row["check"]: row["status"] for row in found["checks"]}
    assert status.pop("training lowers the loss") == "not applicable"
    assert set(status.values()) == {"passed"}
    assert list(place.iterdir()) == []
