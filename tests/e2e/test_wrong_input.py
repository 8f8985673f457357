"""Whatever a user gets wrong: one line on stderr that names it, exit code 2, and nothing lost."""

import gzip
import importlib.util
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from support.small_scans import AFFINE, SHAPE, SMALL, save, write_splits

QUICK = ("--alone", "--device", "cpu", "--workers", "1", "--set", "preprocessing.size=32")


def refused(answer, *words):
    """Assert that an answer is one line, exit code 2, with these words in it."""
    lines = [line for line in answer.err.splitlines() if line.startswith("andi-bench:")]
    assert answer.code == 2, (answer.code, answer.err)
    assert len(lines) == 1
    assert answer.err.rstrip().endswith(lines[0]), answer.err
    for word in words:
        assert word in lines[0], lines[0]


def run(cli, scans, *more, method="thresholding"):
    return cli(
        "run", "--method", method, "--dataset", "folder", "--data-root", scans, *QUICK, *more
    )


COMMAND_LINE = {
    "misspelt method": (("run", "--method", "andy"), ("did you mean 'andi'",)),
    "misspelt dataset": (("run", "--dataset", "fantom"), ("did you mean 'phantom'",)),
    "misspelt preset": (("run", "--preset", "papr"), ("did you mean 'paper'",)),
    "misspelt key": (("run", "--set", "training.step=5"), ("did you mean 'training.steps'",)),
    "misspelt section": (("run", "--set", "train.steps=5"), ("did you mean 'training'",)),
    "misspelt detector key": (
        ("run", "--set", "detector.strid=5"),
        ("did you mean 'detector.stride'",),
    ),
    "value out of bounds": (("run", "--set", "detector.t_low=-4"), ("detector.t_low = -4",)),
    "value of another type": (
        ("run", "--set", "training.batch_size=lots"),
        ("training.batch_size = 'lots'",),
    ),
    "even median": (("run", "--set", "evaluation.median=4"), ("odd",)),
    "no equals sign": (("run", "--set", "training.steps"), ("key=value",)),
    "unknown device": (("run", "--device", "gpu"), ("valid: auto, cpu, cuda",)),
    "unknown split": (("run", "--split", "testing"), ("did you mean 'test'",)),
    "unknown tracker": (("run", "--track", "tensorbord"), ("did you mean 'tensorboard'",)),
    "unknown option": (("run", "--metod", "andi"), ("--metod",)),
    "unknown command": (("rum",), ("rum",)),
    "missing configuration file": (
        ("run", "--config", "no.yaml"),
        ("no.yaml: cannot be read (No such file or directory)",),
    ),
    "missing plug-in": (("run", "--plugin", "no.py"), ("no.py", "no such file")),
    "unset data root": (
        ("run", "--dataset", "brats21"),
        ("--data-root", "ANDI_BENCH_BRATS21"),
    ),
    "missing data root": (
        ("run", "--dataset", "folder", "--data-root", "/no/such/place"),
        ("/no/such/place",),
    ),
    "no records to compare": (("compare",), ("no such folder",)),
    "phantom of no kind": (("prepare", "phantom", "phantom-mss"), ("did you mean 'phantom-ms'",)),
    "spacing out of bounds": (("prepare", "phantom", "--spacing", "0"), ("spacing",)),
}


@pytest.mark.parametrize("kind", COMMAND_LINE)
def test_a_mistake_on_the_command_line(cli, kind):
    arguments, words = COMMAND_LINE[kind]
    refused(cli(*arguments), *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without an accelerator")
def test_cuda_asked_for_where_there_is_none(cli):
    refused(cli("run", "--device", "cuda"), "no CUDA device")


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_a_tracker_that_is_not_installed(cli):
    refused(cli("run", "--track", "wandb"), "pip install wandb")


def change(scans: Path, name: str, modality: str) -> tuple[Path, np.ndarray]:
    path = scans / name / f"{name}_{modality}.nii.gz"
    return path, np.asarray(nib.load(path).dataobj).astype(np.float32)


def truncate(scans):
    path, _ = change(scans, "S06", "flair")
    path.write_bytes(path.read_bytes()[:-2000])


def truncate_another_modality(scans):
    path, _ = change(scans, "S06", "t2")
    path.write_bytes(path.read_bytes()[:-2000])


def not_nifti(scans):
    change(scans, "S06", "flair")[0].write_bytes(gzip.compress(b"hello" * 1000))


def empty_file(scans):
    change(scans, "S06", "flair")[0].write_bytes(b"")


def nan(scans):
    path, image = change(scans, "S06", "t2")
    image[3, 4, 5:9] = np.nan
    save(path, image)


def other_shape(scans):
    path, image = change(scans, "S06", "t1")
    save(path, image[:, :, :-1])


def other_affine(scans):
    path, image = change(scans, "S06", "t1")
    save(path, image, AFFINE + np.array([[0, 0, 0, 9.0], *[[0.0] * 4] * 3]))


def mask_of_other_shape(scans):
    save(scans / "S06" / "S06_seg.nii.gz", np.zeros((5, 5, 5), dtype=np.uint8))


def four_volumes(scans):
    path, image = change(scans, "S06", "t1")
    save(path, np.stack([image, image], axis=-1))


def constant(scans):
    path, _ = change(scans, "S06", "t1")
    save(path, np.zeros(SHAPE, dtype=np.int16))


def missing_modality(scans):
    change(scans, "S06", "t1ce")[0].unlink()


def missing_subject(scans):
    shutil.rmtree(scans / "S06")


def overlapping_splits(scans):
    write_splits(scans / "splits", {"val": ["S04", "S06"]})


def same_scan_twice(scans):
    for modality in ("flair", "t1", "t1ce", "t2", "seg"):
        source = scans / "S00" / f"S00_{modality}.nii.gz"
        shutil.copyfile(source, scans / "S06" / f"S06_{modality}.nii.gz")


def empty_split(scans):
    write_splits(scans / "splits", {"test": []})


def duplicate_rows(scans):
    write_splits(scans / "splits", {"test": ["S06", "S06"]})


def list_of_no_bytes(scans):
    (scans / "splits" / "scans_val.csv").write_bytes(b"")


def cut_marker(scans):
    (scans / "dataset.json").write_text('{"format": "andi-bench prep')


SCANS = {
    truncate: ("S06", "flair"),
    truncate_another_modality: ("S06", "t2"),
    not_nifti: ("S06", "flair"),
    empty_file: ("S06", "flair"),
    nan: ("S06", "4", "t2"),
    other_shape: ("S06", "40x36x13", "40x36x14"),
    other_affine: ("S06", "affine"),
    mask_of_other_shape: ("S06", "5x5x5"),
    four_volumes: ("S06", "one 3-D volume"),
    constant: ("S06", "t1"),
    missing_modality: ("S06", "t1ce"),
    missing_subject: ("S06",),
    overlapping_splits: ("S06", "val", "test"),
    same_scan_twice: ("S00", "S06"),
    empty_split: ("test", "empty"),
    duplicate_rows: ("S06",),
    list_of_no_bytes: ("scans_val.csv", "empty", "a header"),
    cut_marker: ("dataset.json", "damaged", "bring it back"),
}


@pytest.mark.parametrize("damage", SCANS, ids=lambda function: function.__name__)
def test_a_mistake_in_the_data_names_the_subject(cli, scans, tmp_path, damage):
    damage(scans)
    refused(run(cli, scans), *SCANS[damage])
    records = tmp_path / "workspace" / "records"
    assert not records.exists() or not list(records.iterdir())


def test_a_damaged_second_modality_of_a_test_subject_is_told_before_anything_is_learnt(
    cli, scans, tmp_path
):
    truncate_another_modality(scans)
    refused(run(cli, scans, method="voxel-statistics"), "S06", "t2", "truncated")
    assert not (tmp_path / "workspace" / "trainings").exists()
    assert not (tmp_path / "workspace" / "slices").exists()


@pytest.mark.parametrize(
    ("part", "method", "words"),
    [
        ("train", "voxel-statistics", ("train split is empty", "splits")),
        ("val", "itermask", ("itermask", "0 labelled validation subjects found")),
    ],
)
def test_a_part_of_the_split_that_a_method_needs_is_told_before_anything_is_learnt(
    cli, scans, tmp_path, part, method, words
):
    (scans / "splits" / f"scans_{part}.csv").unlink()
    refused(run(cli, scans, method=method), *words)
    assert not (tmp_path / "workspace" / "slices").exists()


def test_a_run_without_validation_subjects_says_at_once_that_it_has_no_rank(cli, scans):
    write_splits(scans / "splits", {"val": []})
    answer = run(cli, scans)
    first = next(line for line in answer.err.splitlines() if "val split" in line)
    assert answer.code == 0
    assert first.startswith("no rank       the val split of 'folder' is empty")
    assert answer.err.index(first) < answer.err.index("comparing scans")
    assert "no frozen threshold" in answer.out


def mask_of_other_place(scans):
    path = scans / "S06" / "S06_seg.nii.gz"
    mask = np.asarray(nib.load(path).dataobj)
    save(path, mask, AFFINE + np.array([[0, 0, 0, 9.0], *[[0.0] * 4] * 3]))


def mask_below_zero(scans):
    path, mask = change(scans, "S06", "seg")
    mask[3, 4, 5] = -1
    save(path, mask.astype(np.int16))


def mask_of_nan(scans):
    path, mask = change(scans, "S06", "seg")
    mask[3, 4, 5] = np.nan
    save(path, mask)


def mask_between_labels(scans):
    path, mask = change(scans, "S06", "seg")
    mask[3, 4, 5] = 2.5
    save(path, mask)


BEFORE_LEARNING = {
    other_shape: ("S06_t1", "40x36x13"),
    other_affine: ("S06_t1", "affine"),
    mask_of_other_shape: ("S06_seg", "5x5x5"),
    mask_of_other_place: ("S06_seg", "affine"),
    mask_below_zero: ("S06_seg", "label -1"),
    mask_of_nan: ("S06_seg", "1 voxel is NaN"),
    mask_between_labels: ("S06_seg", "not whole numbers"),
}


@pytest.mark.parametrize("damage", BEFORE_LEARNING, ids=lambda function: function.__name__)
def test_files_of_a_test_subject_that_do_not_agree_are_told_before_anything_is_learnt(
    cli, scans, tmp_path, damage
):
    damage(scans)
    refused(run(cli, scans, method="voxel-statistics"), *BEFORE_LEARNING[damage])
    assert not (tmp_path / "workspace" / "slices").exists()


def test_an_empty_folder_of_data(cli, tmp_path):
    (tmp_path / "nothing").mkdir()
    refused(run(cli, tmp_path / "nothing"), "no subject")


def test_a_subject_that_is_not_in_the_split(cli, scans):
    refused(run(cli, scans, "--subject", "S99"), "S99", "S06")


def test_a_workspace_that_cannot_be_written(cli, scans, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(run(cli, scans, "--workspace", tmp_path / "file"), "cannot be written")


def test_a_method_without_the_modality_it_needs(cli, scans):
    refused(run(cli, scans, "--set", "preprocessing.modalities=[t1]"), "thresholding", "flair")


def test_a_training_batch_without_a_budget(cli, scans):
    refused(run(cli, scans, "--set", "training.steps=null", method="andi"), "steps, epochs")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"inc.double_conv.0.weight": torch.zeros(3, 4, 3, 3)}, ("(3, 4, 3, 3)", "wanted")),
        ({}, ("no tensor",)),
        ([1, 2], ("mapping",)),
        (b"garbage", ("cannot be read",)),
    ],
    ids=["other width", "empty", "list", "no tensors"],
)
def test_a_checkpoint_that_does_not_fit(cli, scans, tmp_path, content, words):
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    refused(run(cli, scans, "--checkpoint", path, method="andi"), "weights.pt", *words)


def test_a_missing_checkpoint(cli, scans):
    refused(run(cli, scans, "--checkpoint", "no.pt", method="andi"), "no.pt", "no such file")


BROKEN = """
import torch
from methods.base import SliceDetector, register

@register("broken")
class Broken(SliceDetector):
    def fit(self, slices, context):
        pass
    def score_slices(self, batch, generator):
        return {expression}
"""


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("torch.full_like(batch, float('nan'))", ("broken", "non-finite", "S04")),
        ("batch / 0 * batch", ("broken", "non-finite")),
    ],
)
def test_a_method_that_returns_no_numbers_leaves_no_record(cli, scans, tmp_path, expression, words):
    path = tmp_path / "broken.py"
    path.write_text(BROKEN.format(expression=expression))
    refused(run(cli, scans, "--plugin", path, method="broken"), *words)
    assert list((tmp_path / "workspace" / "records").iterdir()) == []


def test_a_damaged_slice_store_is_refused_and_not_trained_on(cli, scans, tmp_path):
    assert run(cli, scans, method="voxel-statistics").code == 0
    shutil.rmtree(tmp_path / "workspace" / "trainings")
    (store,) = (tmp_path / "workspace" / "slices").glob("*/slices.lmdb")
    store.write_bytes(store.read_bytes()[:-8192])
    refused(run(cli, scans, method="voxel-statistics"), "slices", "damaged")


def test_a_damaged_model_is_named(cli, scans, tmp_path):
    assert run(cli, scans, *SMALL, method="andi").code == 0
    (model,) = (tmp_path / "workspace" / "trainings").glob("*/model.safetensors")
    model.write_bytes(model.read_bytes()[:500])
    refused(run(cli, scans, *SMALL, method="andi"), "model.safetensors", "damaged")


def test_a_record_edited_by_hand_is_named_and_not_overwritten(cli, scans, tmp_path):
    assert run(cli, scans).code == 0
    (record,) = (tmp_path / "workspace" / "records").glob("*/record.json")
    edited = record.read_text().replace('"dice@val-dice"', '"dice@my-dice"')
    record.write_text(edited)
    refused(run(cli, scans), "record.json")
    assert record.read_text() == edited


def test_a_full_disk_while_the_record_is_written_leaves_none(cli, scans, tmp_path, monkeypatch):
    from andi_bench.records import store as records

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "write_histograms", full)
    refused(run(cli, scans), "No space left on device")
    assert list((tmp_path / "workspace" / "records").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("ANDI_BENCH_WORKSPACE", str(tmp_path / "workspace"))
    assert run(cli, scans).code == 0  # what was scored before is still there


def test_a_leaderboard_that_cannot_be_written_is_named(cli, scans, tmp_path):
    assert run(cli, scans).code == 0
    (tmp_path / "file").write_text("in the way")
    refused(cli("compare", "--markdown", tmp_path / "file" / "table.md"), "table.md")


def test_a_traceback_only_where_it_is_asked_for(cli):
    assert "Traceback" not in cli("run", "--method", "andy").err
    assert "Traceback" in cli("run", "--method", "andy", "--debug").err
