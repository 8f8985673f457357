"""``docs/add-a-data-set.md`` says what works: its class and its YAML are taken out of the page and run."""

import json
import re

import pytest
from support.places import ROOT
from support.small_scans import write_subject

from andi_bench.registry import METHODS
from datasets.adapters import catalogue

PAGE = ROOT / "docs" / "add-a-data-set.md"
SEQUENCES = {"flair": "FLAIR", "t1": "T1", "t1ce": "T1C", "t2": "T2"}


@pytest.fixture
def plugin(tmp_path):
    """The example of the page, as files."""
    blocks = dict(re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (tmp_path / "clinic.py").write_text(blocks["python"])
    (tmp_path / "clinic.yaml").write_text(blocks["yaml"])
    return tmp_path / "clinic.py"


@pytest.fixture
def clinic(tmp_path):
    """Twelve small subjects as the example has them; P03 without a lesion, and so without a mask."""
    root = tmp_path / "clinic"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for k in range(12):
        name = f"P{k:02d}"
        made = write_subject(tmp_path / "made", name, k, lesion=k != 3)
        for kind, sequence in SEQUENCES.items():
            (made / f"{name}_{kind}.nii.gz").rename(root / "images" / f"{name}-{sequence}.nii.gz")
        if k != 3:
            (made / f"{name}_seg.nii.gz").rename(root / "masks" / f"{name}.nii.gz")
    return root


def run(cli, plugin, clinic, *more):
    return cli(
        *("run", "--method", "thresholding", "--alone", "--plugin", plugin, "--dataset", "clinic"),
        *("--data-root", clinic, "--set", "preprocessing.size=32", "--workers", "1"),
        *("--set", "evaluation.bootstraps=20", *more),
    )


def test_the_example_is_one_screen():
    assert len(PAGE.read_text().splitlines()) <= 75


def test_the_example_runs_and_stands_in_the_table(cli, plugin, clinic, tmp_path):
    answer = run(cli, plugin, clinic)
    assert answer.code == 0, answer.err
    (path,) = (tmp_path / "workspace" / "records").glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["run"]["method"] == "thresholding"
    assert record["run"]["dataset"] == "clinic"
    assert record["data"]["title"] == "Our clinic"
    assert sum(len(record["data"][part]) for part in ("val", "test")) >= 2
    assert "thresholding" in cli("compare", "--dataset", "clinic").out
    assert "was there already" in run(cli, plugin, clinic).err


def test_the_default_method_is_kept_beside_a_plug_in_of_data(cli, plugin, clinic):
    answer = cli("run", "--plugin", plugin, "--dataset", "clinic")
    assert answer.code == 2
    # andi was asked for; what is missing is the folder alone
    assert (
        "data set 'clinic': its folder is not set: give --data-root DIR or the environment variable CLINIC_SCANS"
        in (answer.err)
    )


def test_what_the_yaml_says_of_masks_is_part_of_what_a_result_is_found_by(
    cli, plugin, clinic, tmp_path
):
    assert run(cli, plugin, clinic).code == 0
    beside = plugin.with_suffix(".yaml")
    beside.write_text(beside.read_text().replace("[4]", "[1]").replace("[1, 2]", "[4]"))
    answer = run(cli, plugin, clinic)
    assert answer.code == 0, answer.err
    assert "was there already" not in answer.err
    found = (tmp_path / "workspace" / "records").glob("*/record.json")
    assert len({json.loads(path.read_text())["summary"].__repr__() for path in found}) == 2


def test_it_is_listed_with_its_title_and_where_it_is_looked_for(cli, plugin):
    answer = cli("datasets", "--plugin", plugin, "--json")
    rows = {row["dataset"]: row for row in json.loads(answer.out)}
    assert rows["clinic"] == {
        "dataset": "clinic",
        "title": "Our clinic",
        "trained on": "itself",
        "where": "set CLINIC_SCANS, or --data-root",
        "note": "plug-in",
    }
    assert rows["brats21"]["note"] == ""
    assert "Our clinic" in cli("datasets", "--plugin", plugin).out


def test_a_broken_yaml_is_a_row_with_its_reason_and_hinders_no_other(cli, plugin, clinic):
    plugin.with_suffix(".yaml").write_text("titel: Our clinic\n")
    rows = {r["dataset"]: r for r in json.loads(cli("datasets", "--plugin", plugin, "--json").out)}
    assert rows["clinic"]["note"].startswith("unavailable:")
    assert "did you mean 'title'" in rows["clinic"]["note"]
    assert rows["phantom"]["where"] == "made in the workspace"
    answer = run(cli, plugin, clinic)
    assert answer.code == 2
    assert "clinic.yaml" in answer.err


def test_without_a_yaml_the_class_speaks_for_itself(cli, plugin, clinic):
    plugin.with_suffix(".yaml").unlink()
    rows = {r["dataset"]: r for r in json.loads(cli("datasets", "--plugin", plugin, "--json").out)}
    assert rows["clinic"]["title"] == "Our clinic, two scanners."
    assert rows["clinic"]["where"] == "--data-root"
    assert run(cli, plugin, clinic).code == 0


def test_a_name_of_this_package_is_not_taken_over(cli, plugin):
    plugin.write_text(plugin.read_text().replace('@register("clinic")', '@register("brats21")'))
    answer = cli("datasets", "--plugin", plugin)
    assert answer.code == 2
    assert "the name 'brats21' is taken by a data set of this package" in answer.err


def test_a_yaml_beside_a_method_stays_the_method_s(cli, plugin, tmp_path):
    """One file may register both; its YAML is then a layer of the run's configuration."""
    method = (
        "\n\nfrom methods.base import SliceDetector, register as method\n\n"
        '@method("clinical")\nclass Clinical(SliceDetector):\n    pass\n'
    )
    plugin.write_text(plugin.read_text() + method)
    plugin.with_suffix(".yaml").write_text("preprocessing: {size: 48}\n")
    rows = {r["dataset"]: r for r in json.loads(cli("datasets", "--plugin", plugin, "--json").out)}
    assert rows["clinic"]["title"] == "Our clinic, two scanners."
    assert "clinical" in cli("methods", "--plugin", plugin).out


class _Point:
    """An entry point of an installed package."""

    def __init__(self, name, value):
        self.name, self.value = name, value


@pytest.fixture
def installed(monkeypatch, plugin):
    """Pretend that packages are installed which offer data sets; the example's file among them."""
    from andi_bench import registry

    def offer(**values):
        def entry_points(group):
            points = values.items() if group == registry.DATASETS else ()
            return {name: _Point(name, value) for name, value in points}

        monkeypatch.setattr(registry, "entry_points", entry_points)
        monkeypatch.setattr(catalogue, "entry_points", entry_points)

    source = plugin.read_text().replace("@register", "# @register")
    plugin.write_text(source)
    monkeypatch.syspath_prepend(plugin.parent)
    return offer


def test_an_installed_data_set_is_listed_and_opened_and_a_broken_one_has_a_row(
    cli, installed, clinic, tmp_path
):
    installed(ward="clinic:Clinic", absent="no_such_package:Scans", other="pathlib:Path")
    rows = {row["dataset"]: row for row in json.loads(cli("datasets", "--json").out)}
    assert rows["ward"]["title"] == "Our clinic"
    assert rows["ward"]["note"] == "clinic:Clinic"
    assert "No module named 'no_such_package'" in rows["absent"]["note"]
    assert "Path is no DatasetAdapter" in rows["other"]["note"]
    assert len(catalogue.open_dataset("ward", clinic, tmp_path).subjects()) == 12
    assert METHODS  # the other group is left alone
    answer = cli("run", "--dataset", "absent")
    assert answer.code == 2
    assert "dataset 'absent' cannot be imported from no_such_package:Scans" in answer.err
