"""What one ``run`` does: methods, seeds and companions in turn, and where everything is then."""

import json
from dataclasses import replace

import pytest
from support.small_runs import QUIET, request_of

from andi_bench.config import RunConfig
from andi_bench.console import Console
from andi_bench.errors import UserError
from andi_bench.records.digests import write_digests
from andi_bench.records.search import find_records
from andi_bench.records.store import RECORD
from benchmark.run.plan import RunPlan, run_plan, sources_of, time_left
from benchmark.run.request import Outcome
from benchmark.run.summary import summarise


def test_every_seed_is_run_and_companions_once(four_scans, tmp_path, capsys):
    asked = request_of(four_scans, tmp_path)
    plan = RunPlan(("thresholding",), ("voxel-statistics", "no-such-method"), (0, 1), asked)
    run_plan(plan, as_json=True)
    printed = capsys.readouterr()
    places = json.loads(printed.out)
    assert list(places) == [
        "thresholding, seed 0",
        "thresholding, seed 1",
        "voxel-statistics, seed 0",
    ]
    assert not any(place["reused"] for place in places.values())
    found = find_records(asked.workspace.records).records
    assert sorted(str(record.folder) for record in found) == sorted(
        place["record"] for place in places.values()
    )
    assert "no-such-method is left out" in printed.err
    assert (asked.workspace.leaderboards / "folder.md").is_file()


def test_a_run_whose_record_leaves_out_defaults_is_expected_to_be_found(four_scans, tmp_path):
    plan = RunPlan(("thresholding",), (), (0,), request_of(four_scans, tmp_path))
    run_plan(plan, as_json=True)
    (folder,) = plan.request.workspace.records.iterdir()
    said = json.loads((folder / RECORD).read_text())
    older = RunConfig.model_validate(said["config"]).model_dump(mode="json")
    del older["detector"]["published_order"]
    assert len(json.dumps(older)) < len(json.dumps(said["config"]))
    (folder / RECORD).write_text(json.dumps({**said, "config": older}))
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    write_digests(folder, names)
    sources = [source for source, _ in sources_of(plan, Console(quiet=True))]
    assert [run.found for run in time_left(plan, sources).runs] == [True]
    other = replace(plan.request, overrides=[{"scoring": {"reduction": "mean"}}])
    sources = [source for source, _ in sources_of(replace(plan, request=other), QUIET)]
    assert [run.found for run in time_left(plan, sources).runs] == [False]


def test_companions_bring_their_own_settings_but_the_methods_data(four_scans, tmp_path, capsys):
    layer = {"detector": {"mode": "no such thing"}, "scoring": {"reduction": "mean"}}
    asked = request_of(four_scans, tmp_path, "", layer)
    with pytest.raises(UserError):
        run_plan(RunPlan(("voxel-statistics",), (), (0,), asked), as_json=True)
    run_plan(RunPlan((), ("voxel-statistics",), (0,), asked), as_json=True)
    (record,) = find_records(asked.workspace.records).records
    assert record.config["scoring"]["reduction"] == "mean"


def test_a_method_that_is_asked_for_and_cannot_run_ends_the_command(four_scans, tmp_path):
    plan = RunPlan(("no-such-method",), (), (0,), request_of(four_scans, tmp_path))
    with pytest.raises(UserError, match="no-such-method"):
        run_plan(plan, as_json=True)
    assert not (tmp_path / "workspace").exists()


def test_scans_without_masks_are_said_to_be_scored_only(tmp_path, capsys):
    place = request_of(tmp_path, tmp_path).workspace
    (tmp_path / "maps" / "original").mkdir(parents=True)
    outcome = Outcome(None, tmp_path / "maps")
    summarise(place, ["folder"], {"dae, seed 0": outcome}, 2.6, Console(), as_json=True)
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "dae, seed 0": {"record": None, "maps": str(tmp_path / "maps"), "reused": False}
    }
    assert "no lesion mask is known" in printed.err
    assert "on the original files" in printed.err
    assert "3 s" in printed.err
    assert not place.leaderboards.exists()


def test_a_quiet_console_still_leaves_the_leaderboard(four_scans, tmp_path, capsys):
    asked = request_of(four_scans, tmp_path)
    run_plan(RunPlan(("thresholding",), (), (0,), asked), as_json=True)
    (record,) = find_records(asked.workspace.records).records
    capsys.readouterr()
    table = asked.workspace.leaderboards / "folder.md"
    table.unlink()
    outcome = Outcome(record.folder, None, reused=True)
    summarise(asked.workspace, ["folder"], {"x": outcome}, 1.0, QUIET, as_json=False)
    printed = capsys.readouterr().out
    assert "Both pipelines of every method" in printed
    assert "raw, validation" in printed
    assert "is the only method with a rank" in printed
    assert table.is_file()
