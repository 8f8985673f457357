"""What a command takes a plug-in for, and that what can be known to be wrong is said before any work."""

import pytest

METHOD = """
from methods.base import SliceDetector, register


@register("mine")
class Mine(SliceDetector):
    def fit(self, slices, context):
        pass

    def score_slices(self, batch, generator):
        return batch
"""
DATA_SET = """
from andi_bench.registry import DATASETS, register
from datasets.adapters.folder import FolderAdapter


@register("ours", group=DATASETS)
class Ours(FolderAdapter):
    pass
"""
QUICK = ("--alone", "--device", "cpu", "--workers", "1", "--set", "preprocessing.size=32")


@pytest.fixture
def plugin(tmp_path):
    def write(text):
        path = tmp_path / "plugin.py"
        path.write_text(text)
        return path

    return write


def records(tmp_path):
    folder = tmp_path / "workspace" / "records"
    return sorted(path.name.split("__")[0] for path in folder.glob("*__*"))


@pytest.mark.parametrize(
    ("named", "run"),
    [((), ["mine"]), (("--method", "thresholding"), ["thresholding"])],
    ids=["no method named", "a method named"],
)
def test_a_plugin_never_takes_the_place_of_a_method_that_is_named(
    cli, scans, tmp_path, plugin, named, run
):
    path = plugin(METHOD)
    data = ("--dataset", "folder", "--data-root", scans)
    assert cli("run", *named, "--plugin", path, *data, *QUICK).code == 0
    assert records(tmp_path) == run


def test_andi_named_beside_a_plugin_is_what_runs(cli, scans, plugin):
    path = plugin(METHOD)
    data = ("--dataset", "folder", "--data-root", scans)
    answer = cli(
        "run", "--method", "andi", "--plugin", path, *data, *QUICK, "--set", "detector.strid=1"
    )
    assert answer.code == 2
    assert "configuration of 'andi'" in answer.err


def test_a_data_set_of_a_plugin_is_no_method(cli, scans, tmp_path, plugin):
    path = plugin(DATA_SET)
    answer = cli(
        "run",
        "--method",
        "thresholding",
        "--plugin",
        path,
        "--dataset",
        "ours",
        "--data-root",
        scans,
        *QUICK,
    )
    assert answer.code == 0, answer.err
    assert records(tmp_path) == ["thresholding"]
    # without --method it is ANDi that runs, not the data set
    answer = cli(
        "run",
        "--plugin",
        path,
        "--dataset",
        "ours",
        "--data-root",
        scans,
        *QUICK,
        "--set",
        "detector.strid=1",
    )
    assert "configuration of 'andi'" in answer.err


def test_a_training_set_without_its_folder_is_said_before_any_work_and_by_its_own_option(
    cli, scans, tmp_path
):
    answer = cli(
        "run",
        "--method",
        "voxel-statistics",
        "--dataset",
        "phantom",
        "--train-on",
        "brats21",
        *QUICK,
    )
    assert answer.code == 2
    assert "--train-root" in answer.err
    assert "--data-root" not in answer.err
    assert not (tmp_path / "workspace" / "data").exists()


def test_a_mistake_in_the_second_method_is_said_before_the_first_one_runs(cli, scans, tmp_path):
    answer = cli(
        "run",
        "--method",
        "thresholding",
        "--method",
        "andy",
        "--dataset",
        "folder",
        "--data-root",
        scans,
        *QUICK,
    )
    assert answer.code == 2
    assert "did you mean 'andi'" in answer.err
    assert records(tmp_path) == []


def test_debug_as_the_value_of_an_option_shows_no_traceback(cli, scans):
    answer = cli(
        "evaluate",
        "--maps",
        scans,
        "--name=--debug",
        "--dataset",
        "folder",
        "--data-root",
        "/no",
    )
    assert answer.code == 2
    assert "Traceback" not in answer.err
    answer = cli("compare", "--runs", "--debug", "--records", "/no/such/folder")
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_recording_opens_no_scan(cli, scans, tmp_path, monkeypatch):
    """What figures and previews need is kept when a subject is scored."""
    from benchmark.run import stages

    real = stages.leave_record

    def without_scans(*args, **kwargs):
        scans.rename(tmp_path / "taken away")
        return real(*args, **kwargs)

    monkeypatch.setattr(stages, "leave_record", without_scans)
    data = ("--dataset", "folder", "--data-root", scans)
    answer = cli("run", "--method", "thresholding", *data, *QUICK, "--grid", "native")
    assert answer.code == 0, answer.err
    (record,) = (tmp_path / "workspace" / "records").glob("thresholding*")
    assert list((record / "figures").glob("S0*.png"))
    assert list((record / "previews").glob("*.npz"))


def test_views_are_shared_by_methods_and_made_again_where_they_are_gone(cli, scans, tmp_path):
    import shutil

    data = ("--dataset", "folder", "--data-root", scans)
    assert cli("run", "--method", "thresholding", *data, *QUICK).code == 0
    views = sorted((tmp_path / "workspace" / "views").rglob("*.npz"))
    assert cli("run", "--method", "voxel-statistics", *data, *QUICK).code == 0
    assert sorted((tmp_path / "workspace" / "views").rglob("*.npz")) == views
    shutil.rmtree(tmp_path / "workspace" / "views")
    more = ("--set", "evaluation.median=3")
    answer = cli("run", "--method", "thresholding", *data, *QUICK, *more)
    assert answer.code == 0, answer.err
    assert sorted((tmp_path / "workspace" / "views").rglob("*.npz")) == views


def test_given_maps_are_evaluated_on_a_data_set_of_a_plugin(cli, scans, tmp_path, plugin):
    path = plugin(DATA_SET)
    data = f"--plugin {path} --dataset ours --data-root {scans} --set preprocessing.size=32"
    maps = tmp_path / "maps"
    answer = cli(f"run --method thresholding --alone --export-maps {maps} {data}")
    assert answer.code == 0, answer.err
    answer = cli(f"evaluate --maps {maps} --name Mine {data}")
    assert answer.code == 0, answer.err
    assert records(tmp_path) == ["mine", "thresholding"]
