"""Exported maps, through the command line: never another run's, never another scan's."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from support.small_scans import write_subject

RUN = (
    *("--alone", "--device", "cpu", "--workers", "1", "--set", "preprocessing.size=32"),
    *("--set", "evaluation.bootstraps=10", "--set", "evaluation.previews=1"),
)


def values(path):
    return nib.load(path).get_fdata()


def test_a_second_method_is_refused_before_work_and_two_at_once_get_a_folder_each(
    cli, scans, tmp_path
):
    command = f"run -d folder --data-root {scans} --export-maps {tmp_path}/out -m"
    assert cli(f"{command} thresholding", *RUN).code == 0
    first = values(tmp_path / "out" / "S06.nii.gz")
    answer = cli(f"{command} voxel-statistics", *RUN)
    assert answer.code == 2
    assert "holds maps of thresholding, seed 0, folder" in answer.err
    assert "scoring" not in answer.err
    assert np.array_equal(values(tmp_path / "out" / "S06.nii.gz"), first)
    both = f"run -d folder --data-root {scans} --export-maps {tmp_path}/two"
    assert cli(f"{both} -m thresholding -m voxel-statistics", *RUN).code == 0
    one, other = (
        values(tmp_path / "two" / f"{name}__seed0" / "S06.nii.gz")
        for name in ("thresholding", "voxel-statistics")
    )
    assert np.array_equal(one, first)
    assert not np.array_equal(other, first)


def test_a_corrected_scan_is_exported_anew_and_no_other(cli, scans, tmp_path):
    command = f"run -d folder --data-root {scans} -m thresholding --export-maps {tmp_path}/out"
    assert cli(command, *RUN).code == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.nii.gz")}
    path = scans / "S06" / "S06_flair.nii.gz"
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine), path)
    assert cli(command, *RUN).code == 0
    after = {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.nii.gz")}
    assert {name for name in before if before[name] != after[name]} == {"S06.nii.gz"}


def test_a_users_own_file_of_that_name_is_refused(cli, scans, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "S07.nii.gz").write_bytes(b"mine")
    command = f"run -d folder --data-root {scans} -m thresholding --export-maps {tmp_path}/out"
    answer = cli(command, *RUN)
    assert answer.code == 2
    assert "S07.nii.gz: is there" in answer.err
    assert (tmp_path / "out" / "S07.nii.gz").read_bytes() == b"mine"


@pytest.mark.parametrize("named", [True, False])
def test_two_hospitals_with_equal_ids_never_share_a_map(cli, tmp_path, named):
    for site, first in (("A", 0), ("B", 50)):
        for k in range(6):
            folder = write_subject(tmp_path / site, f"S{k:02d}", first + k)
            (folder / f"S{k:02d}_seg.nii.gz").unlink()
    found = {}
    for site in "AB":
        out = ("--export-maps", tmp_path / "out") if named else ()
        root = tmp_path / site
        answer = cli(f"run -m thresholding -d folder --data-root {root} --json", *RUN, *out)
        if named and site == "B":
            assert answer.code == 2
            assert "other data" in answer.err
            return
        (place,) = json.loads(answer.out).values()
        found[site] = {p.split("/")[-1]: values(p) for p in _maps(place["maps"])}
    assert found["A"].keys() == found["B"].keys()
    assert not any(np.array_equal(found["A"][k], found["B"][k]) for k in found["A"])


def _maps(folder):
    from pathlib import Path

    return sorted(map(str, Path(folder).glob("*.nii.gz")))
