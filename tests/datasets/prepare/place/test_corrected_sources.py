"""A prepared subject follows what it was made from: its files, its row, its place in the sources."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import write_subject

from datasets.prepare.found import Incoming, SourceFile
from datasets.prepare.place.currency import brought_up_to_date, is_done
from datasets.prepare.sidecar import Preparation, PreparedFile, read_preparation

ROWS = {"S00": "train", "S01": "train", "S02": "", "S04": "val", "S06": "test", "S07": "test"}


@pytest.fixture
def source(tmp_path):
    for k, name in enumerate(ROWS):
        write_subject(tmp_path / "raw", name, k)
    return tmp_path / "raw"


def table(source, *, site="Oslo", parts=None, healthy=(), persons=None, without=()):
    path = source.parent / "scans.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["subject", "flair", "t1", "t1ce", "t2", "mask", "person", "split", "site"])
        for name, part in {**ROWS, **(parts or {})}.items():
            images = [f"raw/{name}/{name}_{kind}.nii.gz" for kind in ("flair", "t1", "t1ce", "t2")]
            mask = f"raw/{name}/{name}_seg.nii.gz"
            mask = ("healthy" if healthy else "") if name == "S02" else mask
            person = (persons or {}).get(name, name)
            if name not in without:
                rows.writerow([name, *images, mask, person, part, site])
    return path


def prepared(cli, source, *more, **changed):
    out = source.parent / "out"
    answer = cli(f"prepare folder --csv {table(source, **changed)} --output {out}", *more)
    assert answer.code == 0, answer.err
    splits = {
        path.stem.removeprefix("scans_"): list(csv.DictReader(path.open()))
        for path in (out / "splits").glob("*.csv")
    }
    return answer, {
        part: {row["Subject_ID"]: row.get("site") for row in rows} for part, rows in splits.items()
    }


def test_a_corrected_csv_moves_subjects_and_columns_and_touches_no_image(cli, source):
    prepared(cli, source, "--files", "copy")
    out = source.parent / "out"
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.nii.gz")}
    answer, found = prepared(
        cli, source, "--files", "copy", site="Graz", parts={"S01": "test", "S06": "train"}
    )
    assert "(6 of them before)" in answer.out
    assert found == {
        "train": {"S00": "Graz", "S06": "Graz"},
        "val": {"S04": "Graz"},
        "test": {"S01": "Graz", "S07": "Graz"},
    }
    assert "6 subjects have other columns, person or part now: S00" in answer.err
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.nii.gz")} == times


def test_an_absent_mask_that_means_healthy_now_is_prepared_again_and_back(cli, source):
    prepared(cli, source)
    answer, found = prepared(cli, source, healthy=True, parts={"S02": "train"})
    assert "(5 of them before)" in answer.out
    assert "S02" in found["train"]
    mask = source.parent / "out" / "S02" / "S02_seg.nii.gz"
    assert not np.asarray(nib.load(mask).dataobj).any()
    prepared(cli, source)
    assert not mask.exists()


def test_a_file_replaced_with_its_size_and_time_kept_is_prepared_again(cli, source):
    path = source / "S06" / "S06_seg.nii.gz"
    raw = source / "S06" / "S06_seg.nii"
    nib.save(nib.load(path), raw)
    path.unlink()
    csv_text = table(source).read_text().replace("S06_seg.nii.gz", "S06_seg.nii")
    scans, out = source.parent / "scans.csv", source.parent / "out"
    scans.write_text(csv_text)
    command = f"prepare folder --csv {scans} --output {out} --files copy"
    assert cli(command).code == 0
    before = raw.stat()
    image = nib.load(raw)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1].copy(), image.affine), raw)
    os.utime(raw, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert raw.stat().st_size == before.st_size
    answer = cli(command)
    assert "(5 of them before)" in answer.out
    assert (out / "S06" / "S06_seg.nii").read_bytes() == raw.read_bytes()


def test_files_that_were_only_touched_are_known_by_their_bytes(cli, source):
    prepared(cli, source, "--files", "copy")
    for path in source.rglob("*.nii.gz"):
        path.chmod(0o600)
    answer, _ = prepared(cli, source, "--files", "copy")
    assert "(6 of them before)" in answer.out


def test_a_subject_that_left_the_sources_is_named(cli, source):
    prepared(cli, source)
    answer, found = prepared(cli, source, without=("S07",))
    assert "not in these sources, and kept: 1 subject prepared earlier: S07" in answer.err
    assert "S07" in found["test"]


def test_a_corrected_person_is_in_the_sidecar(cli, source):
    prepared(cli, source)
    prepared(cli, source, persons={"S01": "S00"})
    assert read_preparation(source.parent / "out" / "S01").person == "S00"


def test_what_is_done_hangs_on_files_and_on_what_a_missing_mask_means():
    source = SourceFile("a", Path("/nowhere/a.nii.gz"), "file", 1, "1-1", changed="1-1")
    file = PreparedFile(file="a.nii.gz", path="/nowhere/a.nii.gz", stamp="1-1", changed="1-1")
    found = Preparation(subject="a", person="a", files={"flair": file})
    incoming = Incoming("a", {"flair": source}, person="b", attributes={"site": "Graz"})
    assert is_done(incoming, found)
    assert not is_done(incoming, None)
    assert not is_done(replace(incoming, healthy=True), found)
    assert not is_done(replace(incoming, files={"t1": source}), found)
    later = replace(source, changed="2-1")  # touched, and no longer there to be compared
    assert not is_done(replace(incoming, files={"flair": later}), found)
    now = brought_up_to_date(incoming, found)
    assert (now.person, now.attributes, now.files) == ("b", {"site": "Graz"}, found.files)
