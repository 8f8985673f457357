"""``preprocessing.crop: brain`` as a user asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmark.scoring.map_store import MapStore

RUN = (
    "run --dataset folder --preset quick --set preprocessing.size=64 --set preprocessing.field_of_view=280 "
    "--set preprocessing.bias=none --set evaluation.median=3 "
    "--set evaluation.bootstraps=20 --set evaluation.previews=1 --workers 1 --alone --json"
)


def run(cli, scans: Path, more: str) -> Path:
    answer = cli(f"{RUN} {more}", "--data-root", scans, "--splits", scans / "splits")
    assert answer.code == 0, answer.err
    (folder,) = [Path(one["record"]) for one in json.loads(answer.out).values()]
    return folder


def maps_of(tmp_path: Path, folder: Path) -> MapStore:
    (found,) = (tmp_path / "workspace" / "maps").glob(
        f"*{json.loads((folder / 'record.json').read_text())['run']['maps'][:12]}"
    )
    return MapStore(
        found, {path.name.split(".")[0]: path.name.split(".")[1] for path in found.glob("*.npz")}
    )


def test_a_box_is_found_once_learnt_from_and_scored_and_maps_have_the_whole_grid(
    cli, scans, tmp_path
):
    folder = run(cli, scans, "--method voxel-statistics --set preprocessing.crop=brain")
    record = json.loads((folder / "record.json").read_text())
    (left, right), (front, back) = record["config"]["preprocessing"]["crop_box"]
    assert (right - left) * (back - front) < 64 * 64
    (kept,) = (tmp_path / "workspace" / "boxes").glob("*.json")
    assert json.loads(kept.read_text()) == [[left, right], [front, back]]
    (store,) = (tmp_path / "workspace" / "slices").glob("*/manifest.json")
    assert json.loads(store.read_text())["shape"][1:] == [right - left, back - front]
    maps = maps_of(tmp_path, folder)
    scored = maps.load(sorted(maps.stamps)[0])
    assert scored.map.shape == scored.brain.shape
    assert scored.map.shape[:2] == (64, 64)
    assert np.ptp(scored.map[scored.brain]) > 0
    assert run(cli, scans, "--method voxel-statistics --set preprocessing.crop=brain") == folder


def test_brain_that_leaves_the_box_is_told_in_the_record(cli, scans, tmp_path):
    box = "--set preprocessing.crop=brain --set preprocessing.crop_box=[[16,32],[16,48]]"
    folder = run(
        cli, scans, f"--method dae --set training.steps=2 --set detector.base_width=4 {box}"
    )
    text = (folder / "record.json").read_text()
    assert "lie outside of the box that is scored (16:32, 16:48)" in text
    maps = maps_of(tmp_path, folder)
    scored = maps.load(sorted(maps.stamps)[0])
    beyond = scored.brain.copy()
    beyond[16:32, 16:48] = False
    assert beyond.any()
    assert set(scored.map[beyond]) == {scored.map[scored.brain].min()}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--set preprocessing.crop_box=[[0,16],[0,16]]", "crop_box without crop = brain"),
        (
            "--set preprocessing.crop=brain --set preprocessing.crop_box=[[0,99],[0,16]]",
            "within 0 to 64",
        ),
    ],
)
def test_a_box_that_cannot_be_is_refused(cli, scans, more, said):
    answer = cli(f"{RUN} --method dae {more}", "--data-root", scans, "--splits", scans / "splits")
    assert answer.code == 2
    assert said in answer.err
