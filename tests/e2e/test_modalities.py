"""A run uses the modalities that its configuration names: never fewer because a scan lacks some, never in silence."""

import json
import shutil

import pytest
from support.small_scans import SMALL
from test_wrong_input import refused, run


def drop(scans, *modalities):
    for modality in modalities:
        for path in scans.glob(f"*/*_{modality}.nii.gz"):
            path.unlink()


def test_scans_with_one_modality_are_refused_in_a_line_that_mends_itself(cli, scans, tmp_path):
    drop(scans, "t1", "t1ce", "t2")
    answer = run(cli, scans)
    mended = "--set preprocessing.modalities=[flair]"
    refused(answer, "'folder'", "S04", "lacks t1, t1ce, t2", "5 of 5", mended)
    assert run(cli, scans, *mended.split()).code == 0
    assert run(cli, scans, *mended.split(), method="voxel-statistics").code == 0
    for record in (tmp_path / "workspace" / "records").glob("*/record.json"):
        config = json.loads(record.read_text())["config"]
        assert config["preprocessing"]["modalities"] == ["flair"]


def test_a_modality_that_one_training_subject_lacks_is_missed_before_anything_is_learnt(
    cli, scans, tmp_path
):
    (scans / "S02" / "S02_t1ce.nii.gz").unlink()
    words = ("S02", "lacks t1ce", "1 of 9", "preprocessing.modalities=[flair,t1,t2]")
    refused(run(cli, scans, method="voxel-statistics"), *words)
    assert not (tmp_path / "workspace" / "slices").exists()
    # who learns nothing does not read the training subjects
    assert run(cli, scans).code == 0


def test_training_and_scored_data_with_different_modalities_share_only_what_is_named(
    cli, scans, tmp_path
):
    source = tmp_path / "source"
    shutil.copytree(scans, source)
    for k, folder in enumerate(sorted(source.glob("S*"))):
        for path in folder.iterdir():
            path.rename(folder / path.name.replace("S", "T"))
        folder.rename(source / f"T{k:02d}")
    shutil.rmtree(source / "splits")
    drop(scans, "t1ce")
    drop(source, "t2")
    options = ("--train-on", "brats21", "--train-root", source)
    answer = run(cli, scans, *options, method="voxel-statistics")
    refused(answer, "'folder'", "lacks t1ce", "preprocessing.modalities=[flair,t1] ")


def test_a_method_that_cannot_do_without_a_modality_says_so_instead_of_a_remedy_that_fails(
    cli, scans
):
    drop(scans, "flair")
    answer = run(cli, scans)
    refused(answer, "lacks flair", "method 'thresholding' needs flair")
    assert "--set" not in answer.err


def test_scans_that_share_no_modality(cli, scans):
    drop(scans, "t1ce", "t2")
    for name, modality in (("S04", "t1"), ("S06", "flair")):
        (scans / name / f"{name}_{modality}.nii.gz").unlink()
    refused(run(cli, scans), "no modality is there for all")


def test_weights_of_four_modalities_are_not_put_to_work_on_one(cli, scans, tmp_path):
    assert run(cli, scans, *SMALL, method="andi").code == 0
    (model,) = (tmp_path / "workspace" / "trainings").glob("*/model.safetensors")
    one = ("--set", "preprocessing.modalities=[flair]", "--checkpoint", model)
    answer = run(cli, scans, *SMALL, *one, method="andi")
    refused(answer, "trained on flair, t1, t1ce, t2", "modalities is flair", "[flair,t1,t1ce,t2]")


def test_runs_on_other_modalities_stand_in_tables_of_their_own(cli, scans):
    for named in ("[flair,t1,t1ce,t2]", "[flair,t2]"):
        answer = run(cli, scans, "--set", f"preprocessing.modalities={named}")
        assert answer.code == 0
    tables = json.loads(cli("compare", "--json").out)["tables"]
    assert len(tables) == 2
    differs = [line for table in tables for line in table["differs"]]
    assert len(differs) == 1
    assert differs[0].startswith("modalities: flair, t")


@pytest.mark.parametrize("named", ["[]", "[flair,t3]", "[flair,flair]"])
def test_modalities_that_make_no_image(cli, scans, named):
    refused(run(cli, scans, "--set", f"preprocessing.modalities={named}"), "modalities")
