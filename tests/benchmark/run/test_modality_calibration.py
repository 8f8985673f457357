"""Scores of modalities brought into line in whole runs: by validation data, named in maps and records, refused in one line."""

import csv

import pytest

from andi_bench.records.search import find_records

LOUD = """
import torch
from methods.base import SliceDetector, register


@register("loud")
class Loud(SliceDetector):
    def score_slices(self, batch, generator):
        scores = 0.01 * batch
        scores[:, 1] = generator.normal(*batch.shape[2:]).abs()
        return scores


@register("joint")
class Joint(SliceDetector):
    def score_slices(self, batch, generator):
        return batch.mean(dim=1, keepdim=True)
"""
RUN = (
    *("--alone", "--device", "cpu", "--workers", "1", "--set", "preprocessing.size=32"),
    *("--set", "evaluation.bootstraps=10", "--set", "evaluation.previews=0"),
)
QUANTILE = ("--set", "scoring.calibration=quantile")


@pytest.fixture
def run(cli, scans, tmp_path):
    plugin = tmp_path / "loud.py"
    plugin.write_text(LOUD)

    def done(method, *more):
        data = ("--plugin", plugin, "--dataset", "folder", "--data-root", scans)
        return cli(f"run --method {method}", *data, *RUN, *more)

    return done


def records(tmp_path):
    found = find_records(tmp_path / "workspace" / "records").records
    return {r.config["scoring"]["calibration"]: r for r in found}


def pooled(record):
    return record.summary["raw"].pooled.ap


def test_a_run_with_calibration_is_a_run_of_its_own_and_finds_the_lesions(run, tmp_path):
    for settings in ((), QUANTILE):
        answer = run("loud", "--set", "scoring.reduction=max", *settings)
        assert answer.code == 0, answer.err
    found = records(tmp_path)
    assert found.keys() == {"none", "quantile"}
    assert found["none"].run.maps != found["quantile"].run.maps
    assert list(found["quantile"].method.calibration) == [
        f"{name} score of 1 in 100" for name in ("flair", "t1", "t1ce", "t2")
    ]
    assert pooled(found["quantile"]) > 2 * pooled(found["none"])
    kept = list((tmp_path / "workspace" / "maps").glob("*/modality_curves.json"))
    assert len(kept) == 1
    assert "was there already" in run("loud", "--set", "scoring.reduction=max", *QUANTILE).err


def test_the_curves_follow_the_validation_subjects_and_the_maps_follow_the_curves(
    run, scans, tmp_path
):
    assert run("loud", *QUANTILE).code == 0
    folder = scans / "splits"
    with (folder / "scans_val.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["Subject_ID"], ["S04"]])
    assert run("loud", *QUANTILE).code == 0
    kept = list((tmp_path / "workspace" / "maps").glob("*/modality_curves.json"))
    assert len({path.read_bytes() for path in kept}) == 2


def test_one_score_for_all_modalities_is_said_to_have_nothing_to_bring_into_line(run, tmp_path):
    answer = run("joint", *QUANTILE)
    assert answer.code == 0, answer.err
    assert "joint: one score for all modalities" in answer.err
    assert any(
        "one score for all modalities" in note for note in records(tmp_path)["quantile"].notes
    )


@pytest.mark.parametrize(
    ("method", "setting", "words"),
    [
        ("thresholding", "scoring.calibration=quantile", "method 'thresholding' does not reduce"),
        ("thresholding", "scoring.reduction=flair", "method 'thresholding' does not reduce"),
        ("loud", "scoring.reduction=t3", "scoring.reduction = 't3'"),
    ],
)
def test_settings_that_say_nothing_to_a_method_are_refused_before_any_work(
    run, tmp_path, method, setting, words
):
    answer = run(method, "--set", setting)
    assert (answer.code, words in answer.err) == (2, True), answer.err
    assert not (tmp_path / "workspace").exists()


def test_a_modality_that_is_not_seen_and_validation_without_masks_are_refused(run, scans):
    answer = run(
        "loud", "--set", "scoring.reduction=t2", "--set", "preprocessing.modalities=[flair,t1]"
    )
    assert answer.code == 2
    assert "scoring.reduction = t2: one of preprocessing.modalities (flair, t1)" in answer.err
    for name in ("S04", "S05"):
        (scans / name / f"{name}_seg.nii.gz").unlink()
    answer = run("loud", *QUANTILE)
    assert answer.code == 2
    assert "0 labelled validation subjects found, 1 or more wanted" in answer.err
