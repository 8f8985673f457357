"""``train``: a training and nothing else, which ``run`` finds again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.small_runs import without_figures

SMALL = "--dataset folder --preset quick --device cpu --workers 1 --set preprocessing.size=16"
NETWORK = "--set training.steps=6 --set training.batch_size=4 --set detector.base_width=4 --set detector.noise_resolution=4"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    without_figures(monkeypatch)


def there(scans: Path) -> tuple[object, ...]:
    return "--data-root", scans, "--splits", scans / "splits"


def trained(answer) -> list[Path]:
    """Return the folders that a command says it trained into."""
    assert answer.code == 0, answer.err
    return [Path(line.split(": ", 1)[1]) for line in answer.out.splitlines()]


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("method", "settings"), [("voxel-statistics", ""), ("dae", NETWORK)], ids=["fits", "network"]
)
def test_what_was_trained_is_found_by_run_and_left_as_it_is(cli, scans, tmp_path, method, settings):
    asked = f"--method {method} {SMALL} {settings}"
    (folder,) = trained(cli(f"train {asked}", *there(scans)))
    workspace = tmp_path / "workspace"
    assert folder.parent == workspace / "trainings"
    assert (folder / "model.safetensors").is_file()
    assert not list((workspace / "maps").glob("*/*.npz"))  # nothing is scored
    assert not list((workspace / "records").glob("*/record.json"))
    before = stamps(folder)
    assert trained(cli(f"train {asked}", *there(scans))) == [folder]
    answer = cli(f"run {asked} --alone --json", *there(scans))
    assert answer.code == 0, answer.err
    assert [path.name for path in (workspace / "trainings").glob("[!.]*")] == [folder.name]
    assert before.items() <= stamps(folder).items()
    (record,) = [Path(one["record"]) for one in json.loads(answer.out).values()]
    said = json.loads((record / "record.json").read_text())
    assert said["training"]["identity"]["seed"] == 0


def test_each_seed_is_a_training_and_a_method_without_one_says_so(cli, scans):
    asked = f"train --method voxel-statistics {SMALL} --seed 0 --seed 1"
    first, second = trained(cli(asked, *there(scans)))
    assert first != second
    answer = cli(f"train --method thresholding {SMALL}", *there(scans))
    assert (answer.code, answer.out) == (0, "thresholding: learns nothing\n")


def test_a_training_whose_report_is_damaged_is_named_and_left(cli, scans):
    asked = f"--method voxel-statistics {SMALL}"
    (folder,) = trained(cli(f"train {asked}", *there(scans)))
    report = folder / "training.json"
    report.write_text(report.read_text()[:40])
    before = stamps(folder)
    for command in ("train", "run --alone"):
        answer = cli(f"{command} {asked}", *there(scans))
        assert answer.code == 2
        assert answer.err.splitlines()[-1] == (
            f"andi-bench: {report}: damaged; delete {folder} to train again"
        )
    assert stamps(folder) == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("--method voxel-statistic", "did you mean 'voxel-statistics'"),
        ("--method dae --set training.step=3", "training.step"),
        ("--method dae --set training.steps=0", "training.steps"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line_before_any_work(
    cli, scans, tmp_path, asked, said
):
    answer = cli(f"train {asked} {SMALL}", *there(scans))
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "workspace" / "trainings").exists()
