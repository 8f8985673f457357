"""The whole way from scans to a leaderboard, through the command line."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from support.histogram_file import read_histograms
from support.places import ROOT
from support.small_scans import SMALL

from andi_bench.records.search import find_records
from andi_bench.records.store import without_measured
from benchmark.scoring.map_store import MapStore
from methods.networks.unet import UNet


def records_of(folder: Path):
    found = find_records(folder / "workspace" / "records")
    assert not found.skipped
    return {record.run.method: record for record in found.records}


def maps_of(folder: Path, method: str = "andi"):
    """All maps of a method by subject, however many folders they lie in."""
    out = {}
    for path in sorted((folder / "workspace" / "maps").glob(f"{method}__*/*.npz")):
        out[path.name.split(".")[0]] = MapStore(path.parent).load(path.stem).map
    return out


def test_andi_runs_from_scans_to_a_ranked_record_and_finds_it_again(cli, scans, tmp_path):
    command = ("run", "--method", "andi", "--dataset", "folder", "--data-root", scans, *SMALL)
    first = cli(*command)
    assert first.code == 0, first.err
    assert "andi" in first.out
    assert "thresholding" in first.out
    found = records_of(tmp_path)
    assert set(found) == {"andi", "thresholding", "voxel-statistics"}
    record = found["andi"]
    assert record.protocol.chains == ("raw", "median3")
    assert record.protocol.subjects == {"val": 2, "test": 3}
    assert {guard.passed for guard in record.guards} == {True}
    declared = {guard.name: guard.detail for guard in record.guards}
    assert (
        declared["noise of training and scoring declared"]
        == "training noise pyramid, scoring noise gaussian"
    )
    assert "last step" in declared["checkpoint chosen without the evaluated data"]
    assert sum(name.startswith("splits of folder disjoint") for name in declared) == 4
    assert declared["splits of folder disjoint by person"].startswith("9 persons, 9 scans")
    assert record.data.healthy_source == "lesion-free slices of patients"
    assert record.costs.network_calls_per_slice == 4
    assert record.costs.training_steps == 8
    assert record.unranked is None
    summary = record.summary["raw"]
    assert 0 <= summary.subjects["dice@val-dice"].mean <= 1
    assert summary.subjects["ap"].n == 2  # S08 has no lesion, and counts apart
    names = {path.name for path in (record.folder / "figures").iterdir()}
    assert {"precision-recall.png", "loss.png", "S06_raw.png", "S06_median3.png"} <= names
    table = pd.read_csv(record.folder / "subjects.csv")
    assert len(table) == 3 * 2 * 5
    frozen = table.query("point == 'val-dice'")
    assert set(frozen[frozen["dice"].isna()]["subject"]) == {"S08"}
    free = [value for key, value in summary.subjects.items() if "any_detection" in key]
    assert {value.n for value in free} == {1}
    markdown = (tmp_path / "workspace" / "leaderboard" / "folder.md").read_text()
    assert "voxel-statistics" in markdown

    before = {p: p.stat().st_mtime_ns for p in record.folder.rglob("*") if p.is_file()}
    second = cli(*command)
    assert second.code == 0
    assert "was there already" in second.err
    assert before == {p: p.stat().st_mtime_ns for p in record.folder.rglob("*") if p.is_file()}


def test_the_same_command_in_another_place_gives_the_same_record_and_the_same_maps(
    cli, scans, tmp_path
):
    command = (f"run --method andi --alone --dataset folder --data-root {scans}", *SMALL)
    contents, histograms, maps = [], [], []
    for _ in range(2):
        assert cli(*command).code == 0
        record = records_of(tmp_path)["andi"]
        contents.append(without_measured(json.loads((record.folder / "record.json").read_text())))
        histograms.append(read_histograms(record.folder))
        maps.append(maps_of(tmp_path))
        shutil.rmtree(tmp_path / "workspace")
    assert contents[0] == contents[1]
    assert histograms[0].keys() == histograms[1].keys()
    assert all(np.array_equal(histograms[0][k], histograms[1][k]) for k in histograms[0])
    assert maps[0].keys() == maps[1].keys()
    assert all(np.array_equal(maps[0][k], maps[1][k]) for k in maps[0])


def test_a_map_depends_neither_on_batch_size_nor_on_which_subjects_run_with_it(
    cli, scans, tmp_path
):
    command = (f"run --method andi --alone --dataset folder --data-root {scans}", *SMALL)
    assert cli(*command).code == 0
    whole = maps_of(tmp_path)
    shutil.rmtree(tmp_path / "workspace" / "maps")
    shutil.rmtree(tmp_path / "workspace" / "records")
    assert cli(*command, "--subject", "S07").code == 0
    alone = maps_of(tmp_path)
    assert np.array_equal(alone["S07"], whole["S07"])
    shutil.rmtree(tmp_path / "workspace" / "maps")
    shutil.rmtree(tmp_path / "workspace" / "records")
    assert cli(*command, "--set", "scoring.batch_size=3").code == 0
    rebatched = maps_of(tmp_path)
    for subject, scores in whole.items():
        assert rebatched[subject] == pytest.approx(scores, rel=1e-3, abs=1e-4 * float(scores.max()))


def test_scans_without_masks_are_scored_and_their_maps_lie_on_the_scans_own_grid(
    cli, scans, tmp_path
):
    for path in scans.glob("S0[678]/*_seg.nii.gz"):
        path.unlink()
    answer = cli(
        f"run --method thresholding --alone --dataset folder --data-root {scans} "
        f"--set preprocessing.size=32 --export-maps {tmp_path}/nifti"
    )
    assert answer.code == 0, answer.err
    assert "nothing could be evaluated" in answer.err
    for name in ("S06", "S07", "S08"):
        scores = nib.load(tmp_path / "nifti" / f"{name}.nii.gz")
        scan = nib.load(scans / name / f"{name}_flair.nii.gz")
        assert scores.shape == scan.shape
        assert np.allclose(scores.affine, scan.affine)
        inside = scan.get_fdata() > 0
        values = scores.get_fdata()
        assert values[inside].mean() > 20 * abs(values[~inside]).mean()
    assert not list((tmp_path / "workspace" / "records").iterdir())


def test_without_validation_masks_a_run_is_shown_but_not_ranked(cli, scans):
    for path in scans.glob("S0[45]/*_seg.nii.gz"):
        path.unlink()
    answer = cli(
        f"run --method thresholding --alone --dataset folder --data-root {scans} "
        "--set preprocessing.size=32"
    )
    assert answer.code == 0, answer.err
    assert "no frozen threshold" in answer.out


def test_a_run_on_the_validation_split_has_no_rank(cli, scans):
    answer = cli(
        f"run --method thresholding --alone --dataset folder --data-root {scans} "
        "--set preprocessing.size=32 --split val"
    )
    assert answer.code == 0, answer.err
    assert "where its thresholds were found" in " ".join(answer.out.split())


@pytest.mark.slow
def test_the_network_of_the_page_conforms_with_its_yaml(cli, tmp_path):
    page = (ROOT / "docs" / "your-method.md").read_text()
    part = page[page.index("## One with a network") :]
    plugin = tmp_path / "small_denoiser.py"
    plugin.write_text(part.split("```python\n")[1].split("```")[0])
    plugin.with_suffix(".yaml").write_text(part.split("```yaml\n")[1].split("```")[0])
    checks = ("configuration", "batch size", "form of the map", "one modality")
    asked = [word for name in checks for word in ("--check", name)]
    answer = cli("test", "--plugin", plugin, "--set", "training.steps=4", *asked)
    assert answer.code == 0, answer.out
    assert "4 passed" in answer.out
    rows = json.loads(cli("methods", "--plugin", plugin, "-m", "small-denoiser", "--json").out)
    width = next(row for row in rows if row["option"] == "detector.width")
    assert (width["paper"], width["quick"]) == (64, 16)


def test_a_detector_of_one_file_gets_a_row_in_the_table(cli, scans, tmp_path):
    page = (ROOT / "docs" / "your-method.md").read_text()
    start = page.index("```python", page.index("mean_deviation.py"))
    code = page[start:].split("```")[1].removeprefix("python\n")
    plugin = tmp_path / "mean_deviation.py"
    plugin.write_text(code)
    answer = cli(
        f"run --method mean-deviation --plugin {plugin} --alone --dataset folder "
        f"--data-root {scans} --set preprocessing.size=32 --set detector.power=2"
    )
    assert answer.code == 0, answer.err
    assert "mean-deviation" in answer.out
    listed = cli("methods", "--plugin", plugin, "--json")
    assert "mean-deviation" in [row["method"] for row in json.loads(listed.out)]


def test_an_edited_detector_is_trained_and_scored_again_and_no_other_is(cli, scans, tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from methods.base import SliceDetector, register\n\n\n"
        '@register("mine")\nclass Mine(SliceDetector):\n'
        "    def fit(self, slices, context):\n        self.mean = slices.mean()\n\n"
        "    def score_slices(self, batch, generator):\n        return (batch - self.mean).abs()\n"
    )
    options = (
        f"--plugin {plugin} --alone --dataset folder --data-root {scans} "
        "--set preprocessing.size=32"
    ).split()
    workspace = tmp_path / "workspace"

    def found(kind):
        return {path.name for path in (workspace / kind).iterdir()}

    assert cli("run", "--method", "mine", "--method", "thresholding", *options).code == 0
    trainings, records = found("trainings"), found("records")
    assert cli("run", "--method", "mine", *options).code == 0
    assert (found("trainings"), found("records")) == (trainings, records)
    plugin.write_text(plugin.read_text().replace("slices.mean()", "2 * slices.mean()"))
    assert cli("run", "--method", "mine", "--method", "thresholding", *options).code == 0
    assert len(found("trainings") - trainings) == 1
    (new,) = found("records") - records
    assert new.startswith("mine__")
    assert trainings < found("trainings")


def test_one_seed_is_one_training_and_seeds_share_a_row(cli, scans, tmp_path):
    command = f"run --method andi --alone --dataset folder --data-root {scans} --seed 0 --seed 1"
    answer = cli(command, *SMALL)
    assert answer.code == 0, answer.err
    trainings = list((tmp_path / "workspace" / "trainings").iterdir())
    assert len(trainings) == 2
    compared = cli("compare", "--json")
    assert compared.code == 0
    # what only scoring reads does not train again
    again = cli(
        f"run --method andi --alone --dataset folder --data-root {scans}",
        *[*SMALL, "--set", "detector.aggregation=mean"],
    )
    assert again.code == 0, again.err
    assert len(list((tmp_path / "workspace" / "trainings").iterdir())) == 2


def test_weights_from_elsewhere_are_declared_as_not_known(cli, scans, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "weights.pt"
    torch.save(UNet(4, 32, base_width=8, attention=[16]).state_dict(), path)
    answer = cli(
        f"run --method andi --alone --dataset folder --data-root {scans} --checkpoint {path}",
        *SMALL,
    )
    assert answer.code == 0, answer.err
    record = records_of(tmp_path)["andi"]
    known = {guard.name: guard.passed for guard in record.guards}
    assert known["no evaluated person among the training slices"] is None
    assert known["checkpoint chosen without the evaluated data"] is None
    assert record.data.healthy_source == "not known"
