"""Where maps come from: a detector here, or files made elsewhere; and what a run makes of either."""

import dataclasses
import json

import nibabel as nib
import numpy as np
import pytest
from support.small_runs import QUIET, request_of
from torch._inductor import cpp_builder

from andi_bench.errors import UserError
from andi_bench.records.previews import find_previews, read_preview
from andi_bench.records.store import read_record
from benchmark.run.detector_source import DetectorSource
from benchmark.run.given_source import GivenSource, MapFolders
from benchmark.run.source import view_folder
from benchmark.run.stages import Run
from benchmark.scoring import network_form
from methods.baselines.ae import AE


def done(source):
    outcome = Run(source, QUIET).outcome()
    return outcome, read_record(outcome.record)


def identified(source):
    data = source.open()
    source.learn(data)
    return data, source.identify(data, source.evaluated(data))


def given(scans, folder, maps, *layers, name="Their method", val_maps=None, **changes):
    asked = request_of(scans, folder, "", *layers, **changes)
    return GivenSource(asked, MapFolders(name, maps, val_maps), QUIET)


@pytest.fixture(scope="session")
def maps(four_scans, tmp_path_factory):
    """A map of each subject on its scan's grid: its FLAIR, which shows the lesions."""
    folder = tmp_path_factory.mktemp("maps")
    for name in "BCD":
        scan = nib.load(four_scans / name / f"{name}_flair.nii.gz")
        values = scan.get_fdata().astype(np.float32) / 1000
        nib.save(nib.Nifti1Image(values, scan.affine), folder / f"{name}.nii.gz")
    return folder


def test_a_detectors_run_leaves_a_record_and_is_found_again(four_scans, tmp_path):
    asked = request_of(four_scans, tmp_path)
    first, record = done(DetectorSource(asked, QUIET))
    assert not first.reused
    assert record.run.method == "thresholding"
    assert (record.data.val, record.data.test) == (("B",), ("C", "D"))
    assert all(guard.passed for guard in record.guards)
    assert expected_in(first.record) == []
    again, _ = done(DetectorSource(asked, QUIET))
    assert again.reused
    assert again.record == first.record


def expected_in(record):
    (path,) = find_previews(record).values()
    scans = read_preview(path).scans
    return [name for name in scans if name.startswith("expected") and scans[name].any()]


def test_a_record_shows_what_a_method_compared_scans_with(four_scans, tmp_path):
    outcome, _ = done(DetectorSource(request_of(four_scans, tmp_path, "voxel-statistics"), QUIET))
    assert expected_in(outcome.record) == ["expected (flair)"]


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({"device": "auto", "workers": 3}, (True, True)),
        ({"overrides": [{"preprocessing": {"size": 16}, "scoring": {"batch_size": 3}}]}, None),
        ({"split": "val"}, (False, True)),
        ({"subjects": ("C",)}, (False, True)),
        ({"seed": 1}, (False, False)),
    ],
    ids=["workers", "settings", "split", "subjects", "seed"],
)
def test_what_names_a_run_and_its_maps(four_scans, tmp_path, changes, shared):
    asked = request_of(four_scans, tmp_path)
    _, one = identified(DetectorSource(asked, QUIET))
    _, other = identified(DetectorSource(dataclasses.replace(asked, **changes), QUIET))
    if shared is None:  # batch size is no part of it, the evaluation is
        assert one.maps == other.maps
        assert one.names.run["evaluation"] != other.names.run["evaluation"]
        assert {**one.names.run, "evaluation": 0} == {**other.names.run, "evaluation": 0}
    else:
        assert (one.names.run == other.names.run, one.maps == other.maps) == shared


def test_views_of_the_scans_are_shared_by_methods_and_seeds(four_scans, tmp_path):
    places = set()
    for method, seed in (("thresholding", 0), ("thresholding", 1), ("ae", 0)):
        source = DetectorSource(request_of(four_scans, tmp_path, method, seed=seed), QUIET)
        places.add(view_folder(source.request, source.open(), source.config))
    assert len(places) == 1
    larger = request_of(four_scans, tmp_path, "thresholding", {"preprocessing": {"size": 32}})
    source = DetectorSource(larger, QUIET)
    assert view_folder(source.request, source.open(), source.config) not in places


def test_training_alone_leaves_a_training_that_a_run_finds(four_scans, tmp_path):
    small = {"training": {"steps": 2, "batch_size": 2}, "detector": {"levels": 1, "base_width": 8}}
    asked = request_of(four_scans, tmp_path, "ae", small)
    folder = DetectorSource(asked, QUIET).train()
    assert (folder / "loss.csv").is_file()
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    _, record = done(DetectorSource(asked, QUIET))
    assert record.data.train == ("A",)
    assert record.costs.training_steps == 2
    assert record.training["peak_memory_mb"] > 50
    assert record.provenance["arithmetic"] == "float32"
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written


@pytest.mark.parametrize("change", ["scoring recipe", "bf16"])
def test_what_scores_otherwise_finds_its_training_and_makes_other_maps(
    four_scans, tmp_path, monkeypatch, change
):
    small = {"training": {"steps": 1, "batch_size": 2}, "detector": {"levels": 1, "base_width": 8}}

    def named(overrides):
        source = DetectorSource(request_of(four_scans, tmp_path, "ae", overrides), QUIET)
        data = source.open()
        source.learn(data)
        maps = source.identify(data, source.evaluated(data)).folder
        return maps, sorted((tmp_path / "workspace" / "trainings").iterdir())

    before, trainings = named(small)
    if change == "bf16":
        monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: True)
        after, found = named({**small, "scoring": {"precision": "bf16"}})
    else:
        monkeypatch.setattr(AE, "scoring_recipe", 2)
        after, found = named(small)
    assert after != before
    assert found == trainings


def test_a_method_that_learns_nothing_trains_nothing(four_scans, tmp_path):
    assert DetectorSource(request_of(four_scans, tmp_path), QUIET).train() is None


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("tresholding", {}, "did you mean 'thresholding'"),
        ("ae", {"checkpoint": "weights.pt"}, "weights.pt: no such file"),
        ("ae", {"overrides": [{"detector": {"widht": 3}}]}, "widht"),
        ("ae", {"tracker": "no_such_tracker"}, "no_such_tracker: not installed"),
        ("ae", {"overrides": [{"scoring": {"precision": "bf16"}}]}, "scoring.precision = bf16"),
        ("ae", {"overrides": [{"scoring": {"compile": True}}]}, "scoring.compile = true"),
        ("ae", {"overrides": [{"training": {"compile": True}}]}, "training.compile = true"),
        (
            "ae",
            {"overrides": [{"training": {"compile": "reduce-overhead"}}]},
            "training.compile = reduce-overhead: CUDA graphs are captured on a GPU",
        ),
        (
            "ae",
            {"overrides": [{"scoring": {"compile": "fast"}}]},
            "scoring.compile = 'fast': Input should be False, True or 'reduce-overhead'",
        ),
        ("ae", {"dataset": "no-such-data"}, "no-such-data"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    four_scans, tmp_path, monkeypatch, method, changes, message
):
    def none():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    monkeypatch.setattr(network_form, "_cpu_has_bf16", lambda: False)
    asked = request_of(four_scans, tmp_path, method)
    if "checkpoint" in changes:
        changes = {"checkpoint": tmp_path / changes["checkpoint"]}
    with pytest.raises(UserError, match=message):
        DetectorSource(dataclasses.replace(asked, **changes), QUIET)
    assert not (tmp_path / "workspace").exists()


def test_given_maps_rank_by_frozen_thresholds_where_validation_maps_are_there(
    four_scans, maps, tmp_path
):
    outcome, record = done(given(four_scans, tmp_path, maps, val_maps=maps))
    assert record.run.label == "Their method"
    assert record.run.method == "their-method"
    assert record.unranked is None
    assert record.method.learns_from == "not known"
    passed = {guard.name: guard.passed for guard in record.guards}
    assert passed["no evaluated person among the training slices"] is None
    assert outcome.maps is None


def test_without_validation_maps_given_maps_have_no_rank(four_scans, maps, tmp_path):
    _, record = done(given(four_scans, tmp_path, maps))
    assert "no maps of the validation subjects" in record.unranked
    assert record.data.val == ()


def test_files_of_nobody_are_left_alone_and_said(four_scans, maps, tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for path in maps.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / "Z.nii.gz").symlink_to(maps / "C.nii.gz")
    _, record = done(given(four_scans, tmp_path, folder))
    assert any("1 file of no subject" in note and "Z.nii.gz" in note for note in record.notes)


def test_a_run_of_given_maps_is_named_by_their_bytes(four_scans, maps, tmp_path):
    folder = tmp_path / "maps"
    folder.mkdir()
    for path in maps.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    _, one = identified(given(four_scans, tmp_path, maps))
    _, same = identified(given(four_scans, tmp_path, folder))
    assert one == same
    scan = nib.load(maps / "C.nii.gz")
    nib.save(
        nib.Nifti1Image(scan.get_fdata(dtype=np.float32) + 1, scan.affine), folder / "C.nii.gz"
    )
    _, changed = identified(given(four_scans, tmp_path, folder))
    assert changed.names.run != one.names.run
    assert changed.folder == one.folder
    assert [name for name in one.stamps if changed.stamps[name] != one.stamps[name]] == ["C"]


def test_maps_of_the_users_own_files_are_not_exported(four_scans, maps, tmp_path):
    source = given(four_scans, tmp_path, maps, export=tmp_path / "out")
    with pytest.raises(UserError, match="no subject of dataset 'folder' has a preparation.json"):
        Run(source, QUIET).outcome()


@pytest.mark.parametrize("name", ["", "...", "x" * 61, "a\nb"])
def test_a_name_that_cannot_stand_in_a_table_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="printable characters wanted"):
        MapFolders(name, tmp_path)


def test_a_folder_of_maps_that_is_not_there_is_named(four_scans, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder of maps"):
        given(four_scans, tmp_path, tmp_path / "nowhere")


def test_the_scans_own_grid_and_the_papers_protocol_stand_beside_the_working_grid(
    four_scans, tmp_path
):
    asked = request_of(
        four_scans,
        tmp_path,
        "thresholding",
        {"evaluation": {"grid": "native", "protocol": "paper"}},
    )
    _, record = done(DetectorSource(asked, QUIET))
    assert record.grids == ("working", "native")
    assert record.native.shape == (40, 36, 14)
    assert record.paper.window == (0.8, 1.0)
    assert (record.folder / "thresholding.csv").is_file()


def test_a_report_on_the_validation_split_has_no_rank(four_scans, tmp_path):
    _, record = done(DetectorSource(request_of(four_scans, tmp_path, split="val"), QUIET))
    assert "reported on the validation split" in record.unranked
    assert json.loads((record.folder / "record.json").read_text())["run"]["split"] == "val"
