"""What the wheel holds: everything of ours inside ``andi_bench/``, and nothing that is not needed to run."""

import re
import zipfile
from email.parser import Parser

import pytest
from support.environments import build_wheel
from support.places import ROOT

import andi_bench
from andi_bench import place

ROOMS = ("benchmark", "datasets", "methods", "leaderboard")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    with zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("build"))) as archive:
        yield archive


def test_nothing_but_andi_bench_enters_site_packages(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"andi_bench", f"andi_bench-{andi_bench.__version__}.dist-info"}


def test_every_module_and_every_data_file_of_the_checkout_is_in_the_wheel(wheel):
    inside = {
        name.removeprefix("andi_bench/rooms/").removeprefix("andi_bench/"): name
        for name in wheel.namelist()
    }
    wanted = {path.relative_to(ROOT / "andi_bench") for path in source_files("andi_bench")}
    for room in (*ROOMS, "configs", "splits"):
        wanted |= {path.relative_to(ROOT) for path in source_files(room)}
    assert {str(path) for path in wanted} - set(inside) == set()
    # the published splits and the leaderboard's results are no part of the package, nor are tests and measurements
    others = {name for name in inside if ".dist-info" not in name} - {str(p) for p in wanted}
    assert others == set()


def source_files(room):
    """Yield modules, configuration, templates, golden values and the mark of a typed package."""
    kinds = {".py", ".yaml", ".json", ".css", ".js", ".j2", ".csv", ".typed", ".md"}
    for path in (ROOT / room).rglob("*"):
        if ROOT / "leaderboard" / "results" in path.parents:
            continue
        notes = path.suffix == ".md" and room != "splits"
        if path.is_file() and (path.suffix in kinds or path.name == "py.typed") and not notes:
            yield path


def test_no_test_measurement_or_image_is_in_the_wheel(wheel):
    names = wheel.namelist()
    assert not [name for name in names if re.search(r"(^|/)(tests|perf|results|docs)/", name)]
    assert not [name for name in names if name.endswith((".nii", ".nii.gz", ".svg", ".png"))]
    assert sum(entry.file_size for entry in wheel.infolist()) < 3e6


def test_the_version_stands_in_one_place(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert Parser().parsestr(wheel.read(path).decode())["Version"] == andi_bench.__version__
    literal = f'"{andi_bench.__version__}"'
    files = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    for room in ("andi_bench", *ROOMS):
        files += (ROOT / room).rglob("*.py")
    found = [path for path in files if literal in path.read_text(encoding="utf-8")]
    assert found == [ROOT / "andi_bench" / "__init__.py"]


def test_the_licence_and_the_templates_notice_travel_with_the_wheel(wheel):
    info = f"andi_bench-{andi_bench.__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    for name in ("LICENSE", "NOTICE"):
        assert wheel.read(f"{info}/licenses/{name}") == (ROOT / name).read_bytes()
    assert b"Louis Collins" in wheel.read(f"{info}/licenses/NOTICE")


def test_the_packages_are_found_in_a_checkout_and_in_an_installation(tmp_path, monkeypatch):
    assert place.rooms() == ROOT
    assert place.package_data("configs") == ROOT / "configs"
    installed = tmp_path / "andi_bench" / "rooms"
    installed.mkdir(parents=True)
    monkeypatch.setattr(place, "__file__", str(tmp_path / "andi_bench" / "place.py"))
    assert place.rooms() == installed
    assert place.package_data("splits") == installed / "splits"
