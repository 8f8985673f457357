"""``show --false-positives`` through the command line, on what a run has kept."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from andi_bench.errors import UserError
from andi_bench.records.store import read_record
from andi_bench.workspace import Workspace
from benchmark.diagnosis import diagnose
from benchmark.diagnosis.diagnose import Diagnosis
from benchmark.diagnosis.fault_rows import fault_tables
from benchmark.diagnosis.kept_run import KeptRun
from benchmark.diagnosis.regions import REGIONS
from benchmark.recording import record_folder
from benchmark.scoring import subjects

SMALL = ("--set", "preprocessing.size=40", "--set", "evaluation.median=3", "--device", "cpu")


@pytest.fixture
def ran(cli, scans, tmp_path, monkeypatch):
    """Run thresholding; return what ``show`` is to be asked, and the record's folder."""
    # tried on the template's own brain elsewhere; these are ellipsoids
    place = np.eye(4)
    place[:3, 3] = (-40, 210, 50)
    monkeypatch.setattr(subjects, "reset_peak_memory", lambda device: None)
    for name in ("montage", "pr_curve", "dice_curves"):
        monkeypatch.setattr(record_folder, name, lambda *arguments: None)
    monkeypatch.setattr(diagnose, "registered", lambda *arguments: place)
    data = ("--dataset", "folder", "--data-root", scans, "--workers", "1", *SMALL)
    assert cli("run", "--method", "thresholding", "--alone", *data).code == 0
    (folder,) = (tmp_path / "workspace" / "records").glob("thresholding__*")
    return ("show", folder.name, "--false-positives"), folder


def state(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_false_positives_are_told_and_drawn_and_the_record_is_left_alone(ran, cli, tmp_path):
    command, record = ran
    before = state(record)
    done = cli(*command, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {one["subject"] for one in found["subjects"]} == {"S06", "S07", "S08"}
    assert {one["chain"] for one in found["subjects"]} == {"raw", "median3"}
    assert all(set(one["regions"]) == set(REGIONS) for one in found["subjects"])
    # the table of subjects counts what is detected without a lesion in lesion-free subjects: S08 is one
    table = pd.read_csv(record / "subjects.csv")
    line = table.query("subject == 'S08' and chain == 'raw' and point == 'val-dice'").iloc[0]
    mine = next(o for o in found["subjects"] if (o["subject"], o["chain"]) == ("S08", "raw"))
    volume = sum(part["false_positive_ml"] for part in mine["regions"].values())
    assert volume == pytest.approx(line["false_positive_ml"])
    folder = tmp_path / "workspace" / "diagnoses" / record.name
    assert json.loads((folder / "false-positives.json").read_text()) == found
    assert (folder / "false-positives.png").read_bytes().startswith(b"\x89PNG")
    assert state(record) == before
    tables = dict(fault_tables(Diagnosis.model_validate(found)))
    by_region, by_height, by_subject = tables.values()
    assert [row["region"] for row in by_region] == [*REGIONS, "all"]
    assert by_region[-1]["raw: of all"] == "100.0 %"
    assert [row["height"] for row in by_height][::9] == ["90 to 100 %", "0 to 10 %"]
    assert [row["subject"] for row in by_subject] == 2 * ["S06", "S07", "S08", "mean"]

    # without a frozen threshold nothing is detected
    bare = read_record(record).model_copy(update={"operating_points": {}})
    with pytest.raises(UserError, match="no threshold that was frozen"):
        KeptRun(bare, Workspace(tmp_path / "workspace"))


def test_only_the_records_own_maps_count_and_the_message_brings_them_back(
    ran, cli, scans, tmp_path
):
    command, record = ran
    first = json.loads(cli(*command, "--json").out)
    (path,) = (tmp_path / "workspace" / "maps").glob("thresholding__*/S06.*.npz")
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["map"] = arrays["map"][::-1].copy()
    other = path.with_name("S06.0123456789ab.npz")  # newer, of another state of the data
    np.savez(other, **arrays)
    assert json.loads(cli(*command, "--json").out) == first
    path.unlink()
    gone = cli(*command)
    assert gone.code == 2
    assert "subject S06: the map is not kept" in gone.err
    asked = f"run --method thresholding --dataset folder --seed 0 --alone --config {record}"
    assert asked in gone.err
    other.unlink()
    again = ("--config", record / "config.yaml", "--export-maps", tmp_path / "maps")
    data = ("--data-root", scans, "--device", "cpu", "--workers", "1", "--alone")
    assert cli("run", "--method", "thresholding", "--dataset", "folder", *data, *again).code == 0
    assert json.loads(cli(*command, "--json").out) == first
