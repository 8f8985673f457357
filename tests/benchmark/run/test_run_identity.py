"""What a run is named by: each input changed alone makes a new record, and only what depends on it is done again."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import PARTS

from andi_bench.records.search import find_records

RUN = (
    *("--alone", "--device", "cpu", "--workers", "1", "--set", "preprocessing.size=32"),
    *("--set", "evaluation.bootstraps=10", "--set", "evaluation.previews=1"),
)


@pytest.fixture
def run(cli, scans, tmp_path):
    """Return a function that runs a method and says what was done: the record, its state, files that appeared."""

    def done(method: str = "thresholding", *more: object, root: Path = scans):
        before = set(_kept(tmp_path))
        answer = cli(f"run -m {method} -d folder --data-root {root}", *RUN, *more)
        assert answer.code == 0, answer.err
        (place,) = [line for line in answer.err.splitlines() if line.startswith("record  ")]
        after = [path for path in _kept(tmp_path) if path not in before]
        return Path(place.split()[1].rstrip(":")), answer.err + answer.out, after

    return done


def _kept(folder: Path) -> list[Path]:
    return [p for p in (folder / "workspace").rglob("*") if p.is_file()]


def change(path: Path, turn) -> None:
    """Rewrite a scan with size and time as they were, as a careless copy leaves them."""
    before = path.stat()
    image = nib.load(path)
    nib.save(turn(image), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def without_half(image):
    values = np.asarray(image.dataobj).copy()
    values[values.shape[0] // 2 :] = 0
    return nib.Nifti1Image(values, image.affine)


def rolled(image):
    return nib.Nifti1Image(np.roll(np.asarray(image.dataobj), 3, axis=0), image.affine)


def brightened(image):
    return nib.Nifti1Image((np.asarray(image.dataobj) + 100).astype(np.int16), image.affine)


def moved(image):
    affine = image.affine.copy()
    affine[:3, 3] += 7
    return nib.Nifti1Image(np.asarray(image.dataobj), affine)


def add_sites(scans: Path, other: str = "") -> None:
    """Give every subject a site; ``other`` has another one."""
    for part, names in PARTS.items():
        with (scans / "splits" / f"scans_{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["Subject_ID", "site"])
            for k, name in enumerate(names):
                rows.writerow([name, "Graz" if name == other else ("Oslo", "Bergen")[k % 2]])


def test_nothing_changed_finds_the_record(run):
    first, _, _ = run()
    second, said, made = run()
    assert first == second
    assert "was there already" in said
    assert [p.suffix for p in made] in ([], [".jsonl"])


def test_a_corrected_mask_makes_a_new_record_and_scores_nothing(run, scans):
    first, _, _ = run()
    change(scans / "S06" / "S06_seg.nii.gz", without_half)
    second, said, made = run()
    assert second != first
    assert f"{first} is of the data before they were changed" in said
    assert f"{first.name}: older, files of S06 have changed since" in said
    assert "scoring 0" not in said
    assert not [
        line for line in said.splitlines() if line.startswith("scoring ") and " of " in line
    ]
    maps = [p.name.split(".")[0] for p in made if "maps" in p.parts and p.suffix == ".npz"]
    assert maps == ["S06"]  # kept beside the new mask


def test_the_table_shows_the_corrected_record_alone_unless_asked(run, scans, cli):
    run()
    change(scans / "S06" / "S06_seg.nii.gz", without_half)
    run()
    counts = [
        sum(
            len(table["rows"])
            for table in json.loads(cli(f"compare -d folder --json{more}").out)["tables"]
        )
        for more in ("", " --older")
    ]
    assert counts == [1, 2]


@pytest.mark.parametrize("kind", ["t1", "t1ce", "t2", "flair"])
def test_another_modality_makes_a_new_record_and_one_new_map(run, scans, kind):
    first, _, _ = run("voxel-statistics")
    change(scans / "S07" / f"S07_{kind}.nii.gz", rolled)
    second, said, made = run("voxel-statistics")
    assert second != first
    assert "scoring 1 of 3 subjects" in said
    assert {p.name.split(".")[0] for p in made if "maps" in p.parts and p.suffix == ".npz"} == {
        "S07"
    }
    assert not [p for p in made if {"trainings", "slices"} & set(p.parts)]


def test_another_place_of_the_scan_makes_a_new_record(run, scans):
    first, _, _ = run()
    for path in (scans / "S04").glob("*.nii.gz"):  # one that thresholds are frozen on
        change(path, moved)
    second, said, _ = run()
    assert second != first
    assert "scoring 1 of 2 subjects" in said


def test_another_site_makes_a_new_record_from_the_same_maps(run, scans):
    add_sites(scans)
    first, _, _ = run()
    assert {g.name for g in _record(first).groups["site"]} == {"Oslo", "Bergen"}
    add_sites(scans, other="S08")
    second, said, made = run()
    assert second != first
    assert {g.name for g in _record(second).groups["site"]} == {"Oslo", "Bergen", "Graz"}
    assert not [p for p in made if p.suffix == ".npz" and {"maps", "views"} & set(p.parts)]
    assert "scoring" not in said


def test_a_corrected_training_mask_trains_again_and_leaves_what_learns_nothing(run, scans):
    learnt, _, _ = run("voxel-statistics")
    plain, _, _ = run()
    change(scans / "S01" / "S01_seg.nii.gz", without_half)
    again, _, made = run("voxel-statistics")
    assert again != learnt
    assert [p for p in made if "trainings" in p.parts]
    assert [p for p in made if "slices" in p.parts]
    assert run()[0] == plain


def test_data_put_back_find_their_record_and_it_stands_again(run, scans, cli, tmp_path):
    shutil.copytree(scans, tmp_path / "kept")
    first, _, _ = run()
    path = scans / "S06" / "S06_seg.nii.gz"
    change(path, without_half)
    second, _, _ = run()
    shutil.copy2(tmp_path / "kept" / "S06" / path.name, path)
    third, said, _ = run()
    assert third == first
    assert f"{second.name}: older, files of S06 have changed since" in said


def former_reading(monkeypatch):
    """Let names be as the code before version 2 of reading gave them."""
    for name in ("reading_of", "reading_of_file"):
        monkeypatch.setattr(f"datasets.scans.fingerprints.{name}", lambda _: 1)


def test_what_a_former_reading_left_is_found_for_ordinary_scans(run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        former_reading(patch)
        first, _, _ = run("voxel-statistics")
    (tmp_path / "workspace" / "fingerprints.jsonl").unlink(missing_ok=True)
    again, said, made = run("voxel-statistics")
    assert again == first
    assert "was there already" in said
    assert [p.suffix for p in made] in ([], [".jsonl"])


@pytest.mark.parametrize(("subject", "learns"), [("S01", True), ("S07", False)])
def test_what_a_former_reading_left_is_made_again_for_a_scan_read_otherwise(
    run, scans, tmp_path, monkeypatch, subject, learns
):
    change(scans / subject / f"{subject}_t1.nii.gz", brightened)
    with monkeypatch.context() as patch:
        former_reading(patch)
        first, _, _ = run("voxel-statistics")
    (tmp_path / "workspace" / "fingerprints.jsonl").unlink(missing_ok=True)
    again, _, made = run("voxel-statistics")
    assert again != first
    maps = {p.name.split(".")[0] for p in made if "maps" in p.parts and p.suffix == ".npz"}
    assert maps == ({"S04", "S05", "S06", "S07", "S08"} if learns else {"S07"})
    for kept in ("slices", "trainings"):
        assert bool([p for p in made if kept in p.parts]) == learns


def test_two_places_with_the_same_data_share_a_record(run, scans, tmp_path):
    first, _, _ = run()
    shutil.copytree(scans, tmp_path / "elsewhere")
    again, said, _ = run(root=tmp_path / "elsewhere")
    assert again == first
    assert "was there already" in said


def test_batch_size_and_workers_name_nothing(run):
    first, _, _ = run("thresholding")
    assert run("thresholding", "--set", "scoring.batch_size=3", "--workers", "2")[0] == first


def test_what_a_mask_means_names_the_record(run, scans, tmp_path, monkeypatch):
    from datasets.adapters.folder import FolderAdapter

    first, _, _ = run()
    plain = FolderAdapter.Options

    class Stricter(plain):
        mask_threshold: float = 0.7

    monkeypatch.setattr(FolderAdapter, "Options", Stricter)
    assert run()[0] != first


def _record(folder: Path):
    (found,) = [r for r in find_records(folder.parent).records if r.folder == folder]
    return found
