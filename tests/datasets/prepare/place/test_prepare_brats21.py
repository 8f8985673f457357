"""BraTS as it is downloaded becomes a data set: whatever the packing and the year's names, once, and whole."""

import csv
import gzip
import json
import shutil
import tarfile

import nibabel as nib
import numpy as np
import pytest
from support.downloads import brats, tar_of, tree, without_figures, zip_of
from support.small_scans import AFFINE, SHAPE, save, write_splits, write_subject

from datasets.prepare.sidecar import read_preparation

KINDS = ("flair", "seg", "t1", "t1ce", "t2")


@pytest.fixture(autouse=True)
def _quick(monkeypatch, request):
    if "report" not in request.node.name:
        without_figures(monkeypatch)


def prepare(cli, *arguments, output):
    return cli("prepare", "brats21", *arguments, "--output", output, "--workers", "1")


def images(root):
    """Return the voxels' own hashes of each subject, as the sidecars have them."""
    return {
        path.parent.name: {
            kind: file.voxels
            for kind, file in read_preparation(path.parent).files.items()
            if file.voxels
        }
        for path in root.glob("*/preparation.json")
    }


@pytest.mark.parametrize(
    "packing", ["folder", "tar", "tar.gz", "zip", "tar in a zip", "tar in a tar"]
)
def test_every_packing_gives_the_same_data_set(cli, tmp_path, packing):
    whole = tmp_path / "download"
    inner = brats(whole)
    source = whole
    if packing == "zip":
        source = zip_of(sorted(whole.rglob("*.gz")), whole, tmp_path / "BraTS.zip")
    elif packing == "tar.gz":
        source = tar_of(whole, tmp_path / "BraTS2021.tar.gz", "w:gz")
    elif packing != "folder":
        source = tar_of(whole, tmp_path / "BraTS2021_Training_Data.tar")
    if packing == "tar in a zip":
        source = zip_of([source], tmp_path, tmp_path / "archive.zip")
    elif packing == "tar in a tar":
        (tmp_path / "outer").mkdir()
        shutil.move(source, tmp_path / "outer" / source.name)
        source = tar_of(tmp_path / "outer", tmp_path / "outer.tar")
    before = tree(whole)
    output = tmp_path / "prepared"
    answer = prepare(cli, source, output=output)
    assert answer.code == 0, answer.err
    assert f"files: {'link' if packing == 'folder' else 'unpacked'}" in answer.out
    assert tree(whole) == before  # nothing is moved, nothing changed
    names = sorted(path.name for path in inner.iterdir())
    assert sorted(images(output)) == names
    for name in names:
        for kind in KINDS:
            file = f"{name}_{kind}.nii.gz"
            assert (output / name / file).read_bytes() == (inner / name / file).read_bytes()
    assert not [p for p in output.rglob("*.nii.gz") if p.parent.name not in names]
    rows = [
        line
        for part in ("train", "val", "test")
        for line in (output / "splits" / f"scans_{part}.csv").read_text().splitlines()[1:]
    ]
    assert sorted(rows) == names


@pytest.mark.slow
def test_what_is_prepared_runs_and_gives_the_figures_that_the_download_gives(cli, tmp_path):
    inner = brats(tmp_path / "download", count=8)
    parts = [f"BraTS2021_{k:05d}" for k in range(8)]
    write_splits(tmp_path / "mine", {"train": parts[:4], "val": parts[4:6], "test": parts[6:]})
    tar = tar_of(tmp_path / "download", tmp_path / "BraTS2021.tar")
    assert prepare(cli, tar, "--splits", tmp_path / "mine", output=tmp_path / "prepared").code == 0
    figures = []
    for root in (tmp_path / "prepared", inner):
        answer = cli(
            *("run", "--method", "thresholding", "--alone", "--dataset", "brats21"),
            *("--data-root", root, "--splits", tmp_path / "mine"),
            *("--set", "preprocessing.size=32", "--json"),
            *("--workspace", tmp_path / f"of {root.name}", "--workers", "1"),
        )
        assert answer.code == 0, answer.err
        (record,) = (tmp_path / f"of {root.name}" / "records").glob("*/record.json")
        figures.append(json.loads(record.read_text())["summary"])
    assert figures[0] == figures[1]


def test_names_of_other_years_and_the_mask_that_is_misnamed(cli, tmp_path):
    folder = tmp_path / "MICCAI_BraTS2020_TrainingData"
    write_subject(folder, "BraTS20_Training_354", 0)
    write_subject(folder, "BraTS20_Training_355", 1)
    odd = folder / "BraTS20_Training_355"
    (odd / "BraTS20_Training_355_seg.nii.gz").rename(odd / "W39_1998.09.19_Segm.nii.gz")
    for k, name in enumerate(
        ("BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-MET-00007-000"), 2
    ):
        made = write_subject(tmp_path / "2023", name, k)
        for old, new in (
            ("flair", "t2f"),
            ("t1ce", "t1c"),
            ("t1", "t1n"),
            ("t2", "t2w"),
            ("seg", "seg"),
        ):
            (made / f"{name}_{old}.nii.gz").rename(made / f"{name}-{new}.nii.gz")
    answer = prepare(cli, folder, tmp_path / "2023", output=tmp_path / "prepared")
    assert answer.code == 0, answer.err
    made = tmp_path / "prepared" / "BraTS20_Training_355"
    assert (made / "BraTS20_Training_355_seg.nii.gz").resolve().name == "W39_1998.09.19_Segm.nii.gz"
    assert "look at: BraTS20_Training_355: mask 'W39_1998.09.19_Segm.nii.gz'" in answer.err
    two = [
        json.loads(
            (tmp_path / "prepared" / f"BraTS-GLI-00000-00{k}" / "preparation.json").read_text()
        )
        for k in (0, 1)
    ]
    assert {sidecar["person"] for sidecar in two} == {"BraTS-GLI-00000"}
    files = two[0]["files"]
    assert {k: v["path"].rsplit("-", 1)[1] for k, v in files.items()} == {
        "flair": "t2f.nii.gz",
        "t1": "t1n.nii.gz",
        "t1ce": "t1c.nii.gz",
        "t2": "t2w.nii.gz",
        "mask": "seg.nii.gz",
    }


def test_all_scans_of_one_person_stand_in_one_part_of_the_split(cli, tmp_path):
    for k in range(12):
        write_subject(tmp_path / "scans", f"BraTS-GLI-{k // 3:05d}-{k % 3:03d}", k)
    assert prepare(cli, tmp_path / "scans", output=tmp_path / "prepared").code == 0
    where = {}
    for part in ("train", "val", "test"):
        rows = (tmp_path / "prepared" / "splits" / f"scans_{part}.csv").read_text().splitlines()[1:]
        assert rows, f"{part} is empty"
        for name in rows:
            where.setdefault(name[:15], set()).add(part)
    assert len(where) == 4
    assert all(len(parts) == 1 for parts in where.values())


def test_a_subject_that_is_downloaded_twice_is_taken_once(cli, tmp_path):
    inner = brats(tmp_path / "download" / "all")
    one = inner / "BraTS2021_00001"
    with tarfile.open(tmp_path / "download" / "BraTS2021_00001.tar", "w") as archive:
        archive.add(one, one.name)
    answer = prepare(cli, tmp_path / "download", output=tmp_path / "prepared")
    assert answer.code == 0, answer.err
    assert len(images(tmp_path / "prepared")) == 4
    assert "the same file as" in answer.err


def test_two_different_files_for_one_place_are_refused_by_name(cli, tmp_path):
    brats(tmp_path / "a")
    write_subject(tmp_path / "b", "BraTS2021_00001", 77)
    answer = prepare(cli, tmp_path / "a", tmp_path / "b", output=tmp_path / "prepared")
    assert answer.code == 1
    lines = [line for line in answer.err.splitlines() if line.startswith("not prepared")]
    assert len(lines) == 1
    assert "BraTS2021_00001" in lines[0]
    assert "differ" in lines[0]
    assert sorted(images(tmp_path / "prepared")) == [f"BraTS2021_0000{k}" for k in (0, 2, 3)]


def test_what_is_done_is_not_done_again_and_a_changed_source_is(cli, tmp_path):
    inner = brats(tmp_path / "download")
    output = tmp_path / "prepared"
    options = (tmp_path / "download", "--files", "copy")
    assert prepare(cli, *options, output=output).code == 0
    before = tree(output)
    times = {path: path.stat().st_mtime_ns for path in output.glob("BraTS*/*")}
    answer = prepare(cli, *options, output=output)
    assert "4 subjects" in answer.out
    assert "(4 of them before)" in answer.out
    assert {path: path.stat().st_mtime_ns for path in output.glob("BraTS*/*")} == times
    assert tree(output) == before
    write_subject(tmp_path / "more", "BraTS2021_00001", 55)
    for path in (tmp_path / "more" / "BraTS2021_00001").iterdir():
        shutil.copyfile(path, inner / "BraTS2021_00001" / path.name)
    assert "(3 of them before)" in prepare(cli, *options, output=output).out
    changed = {name for name, value in tree(output).items() if before.get(name) != value}
    assert {name.split("/")[0] for name in changed} == {"BraTS2021_00001", "report"}


def test_several_processes_prepare_what_one_does(cli, tmp_path):
    tar = (brats(tmp_path / "download"), tar_of(tmp_path / "download", tmp_path / "b.tar"))[1]
    for workers in (1, 2):
        place = tmp_path / str(workers) / "prepared"
        assert cli("prepare", "brats21", tar, "--output", place, "--workers", workers).code == 0
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_splits_that_somebody_has_changed_are_kept(cli, tmp_path):
    brats(tmp_path / "download")
    output = tmp_path / "prepared"
    prepare(cli, tmp_path / "download", output=output)
    mine = output / "splits" / "scans_test.csv"
    mine.write_text("Subject_ID\nBraTS2021_00000\n")
    answer = prepare(cli, tmp_path / "download", output=output)
    assert "changed by hand" in answer.err
    assert mine.read_text() == "Subject_ID\nBraTS2021_00000\n"


def test_the_report_counts_what_a_person_would_count(cli, tmp_path):
    inner = brats(tmp_path / "download", count=3)
    prepare(cli, tmp_path / "download", output=tmp_path / "prepared")
    with (tmp_path / "prepared" / "report" / "subjects.csv").open() as file:
        rows = {row["subject"]: row for row in csv.DictReader(file)}
    for path in inner.iterdir():
        scan = {k: nib.load(path / f"{path.name}_{k}.nii.gz").get_fdata() for k in KINDS}
        lesioned = scan["seg"] > 0
        row = rows[path.name]
        assert float(row["lesion_ml"]) == pytest.approx(lesioned.sum() * 4**3 / 1000)
        there = (scan["t1"] > 0).any(axis=(0, 1))
        assert int(row["brain_slices"]) == there.sum()
        assert int(row["healthy_slices"]) == (there & ~lesioned.any(axis=(0, 1))).sum()
        positive = scan["t2"][scan["t2"] > 0]
        assert float(row["t2_p99"]) == pytest.approx(np.quantile(positive, 0.99), rel=1e-5)
        assert row["shape"] == "x".join(map(str, SHAPE))
    page = (tmp_path / "prepared" / "report" / "report.html").read_text()
    assert "<b>3</b>subjects prepared" in page
    assert "<b>1</b>lesion-free" in page
    assert page.count("data:image/png;base64") == 3
    assert "http" not in page  # nothing is fetched


def test_a_file_whose_ending_belies_its_content_is_given_the_right_one(cli, tmp_path):
    folder = write_subject(tmp_path / "scans", "BraTS2021_00000", 0)
    plain, packed = (folder / f"BraTS2021_00000_{kind}.nii.gz" for kind in ("flair", "t1"))
    plain.write_bytes(gzip.decompress(plain.read_bytes()))
    packed.rename(packed.with_suffix(""))
    answer = prepare(cli, tmp_path / "scans", output=tmp_path / "prepared")
    assert answer.code == 0, answer.err
    made = tmp_path / "prepared" / "BraTS2021_00000"
    for name in ("flair.nii", "t1.nii.gz"):
        assert nib.load(made / f"BraTS2021_00000_{name}").get_fdata().max() > 0
    assert "BraTS2021_00000_flair.nii.gz is not compressed, whatever its ending says" in answer.err
    assert "BraTS2021_00000_t1.nii is compressed" in answer.err


@pytest.mark.parametrize("pair", [("t1", "t2"), ("flair", "t2"), ("t1ce", "t2")])
def test_modalities_under_each_others_names_are_pointed_at(cli, tmp_path, pair):
    rng = np.random.default_rng(0)
    there = {pair[0]: pair[1], pair[1]: pair[0]}
    for name, swapped in (("BraTS2021_00000", False), ("BraTS2021_00001", True)):
        folder = write_subject(tmp_path / "scans", name, len(name) + swapped)
        brain = nib.load(folder / f"{name}_t1.nii.gz").get_fdata() > 0
        tissue, lesser = rng.uniform(1, 2, SHAPE), rng.uniform(1, 2, SHAPE)
        for kind, image in (
            ("t1", tissue),
            ("t1ce", tissue + 0.1),
            ("t2", 3 - tissue),
            ("flair", tissue + 1.5 * lesser),
        ):
            noise = rng.normal(0, 0.05, SHAPE)
            save(
                folder / f"{name}_{there.get(kind, kind) if swapped else kind}.nii.gz",
                ((image + noise) * brain).astype(np.float32),
                AFFINE,
            )
    answer = prepare(cli, tmp_path / "scans", output=tmp_path / "prepared")
    assert answer.code == 0, answer.err
    pointed = [line for line in answer.err.splitlines() if "look swapped" in line]
    assert len(pointed) == 1
    assert f"BraTS2021_00001: {pair[0]} and {pair[1]} look swapped" in pointed[0]
