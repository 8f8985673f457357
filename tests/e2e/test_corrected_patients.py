"""Twelve real patients: prepared, run, then corrected one thing at a time; only what depends on it is done again."""

from __future__ import annotations

import csv
import re
import shutil
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.places import SHARED

from andi_bench.records.search import find_records

DATA = SHARED / "data"
METHODS = ("thresholding", "voxel-statistics", "ae")
VAL, TEST, OTHER, TRAINING = (f"BraTS2021_{k}" for k in ("01478", "01483", "01484", "00002"))
RUN = (
    *(word for name in METHODS for word in ("-m", name)),
    *("--alone", "--preset", "quick", "--device", "cpu", "--set", "preprocessing.size=64"),
    *("--set", "training.steps=10", "--set", "evaluation.bootstraps=20"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "brats21").is_dir(), reason="needs the patients in ../shared"),
]


class Workplace:
    """A copy of the patients, their prepared data set, and a workspace."""

    def __init__(self, cli, root: Path) -> None:
        self.cli, self.root = cli, root
        self.said: list[str] = []
        shutil.copytree(DATA / "brats21", root / "raw")
        self.sites("Oslo")

    def sites(self, of_other: str) -> None:
        """Write the splits, with a site for everyone."""
        (self.root / "splits").mkdir(exist_ok=True)
        for path in sorted((DATA / "brats21_splits").glob("*.csv")):
            names = path.read_text().split()[1:]
            with (self.root / "splits" / path.name).open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["Subject_ID", "site"])
                rows.writerows([n, of_other if n == OTHER else "Bergen"] for n in names)

    def path(self, subject: str, kind: str) -> Path:
        return self.root / "raw" / subject / f"{subject}_{kind}.nii.gz"

    def change(self, subject: str, kind: str, turn) -> None:
        image = nib.load(self.path(subject, kind))
        nib.save(turn(np.asarray(image.dataobj), image.affine), self.path(subject, kind))

    def run(self, what: str):
        """Prepare and run; return the records by method and what appeared, by kind; note the seconds."""
        before = set(self._kept())
        start = time.monotonic()
        prepared = self.cli(
            f"prepare brats21 {self.root}/raw --splits {self.root}/splits "
            f"--output {self.root}/brats"
        )
        assert prepared.code == 0, prepared.err
        middle = time.monotonic()
        answer = self.cli(f"run -d brats21 --data-root {self.root}/brats", *RUN)
        assert answer.code == 0, answer.err
        end = time.monotonic()
        records = {}
        for line in answer.err.splitlines():
            if line.startswith("record  "):
                folder = line.split()[1].rstrip(":")
                records[Path(folder).name.split("__")[0]] = folder
        made: dict[str, list[str]] = {}
        for path in self._kept():
            if path not in before:
                kind, folder = (*path.relative_to(self.root / "workspace").parts, "")[:2]
                made.setdefault(kind, []).append(f"{folder}/{path.name}")
        maps = [f for f in made.get("maps", []) if f.endswith(".npz")]
        scored = sum(
            line.startswith("scoring ") and " of " in line for line in answer.err.split("\n")
        )
        self.said.append(
            f"{what}: prepare {middle - start:.1f} s, run {end - middle:.1f} s, {len(maps)} maps"
        )
        return records, {name: made.get(name, []) for name in ("slices", "trainings")}, maps, scored

    def _kept(self):
        return [p for p in (self.root / "workspace").rglob("*") if p.is_file()]


def test_each_correction_makes_new_records_and_only_what_depends_on_it(cli, tmp_path, capsys):
    place = Workplace(cli, tmp_path)
    steps = {}
    first, _, maps, scored = place.run("as they are")
    assert len(maps) == 4 * len(METHODS)
    again, made, maps, _ = place.run("nothing changed")
    assert (again, made, maps) == (first, {"slices": [], "trainings": []}, [])

    def half(values, affine):
        values = values.copy()
        values[: values.shape[0] // 2] = 0
        return nib.Nifti1Image(values, affine)

    place.change(TEST, "seg", half)
    steps["a mask"] = place.run("one mask of a test patient")
    place.change(VAL, "t2", lambda v, a: nib.Nifti1Image(np.roll(v, 2, axis=0), a))
    steps["a T2"] = place.run("one T2 of a validation patient")
    for kind in ("flair", "t1", "t1ce", "t2", "seg"):
        moved = np.diag([1.25, 1.25, 1, 1])
        place.change(OTHER, kind, lambda v, a, moved=moved: nib.Nifti1Image(v, a @ moved))
    steps["an affine"] = place.run("the affine of a test patient")
    place.sites("Graz")
    steps["a site"] = place.run("the site of a test patient")
    place.change(TRAINING, "seg", half)
    last = place.run("one mask of a training patient")
    with capsys.disabled():
        print(*place.said, sep="\n")
    before = first
    touched = {"a mask": TEST, "a T2": VAL, "an affine": OTHER, "a site": None}
    for name, (records, made, maps, scored) in steps.items():
        assert all(records[method] != before[method] for method in METHODS), name
        assert made == {"slices": [], "trainings": []}, name
        assert {path.split("/")[1].split(".")[0] for path in maps} == (
            {touched[name]} if touched[name] else set()
        ), name
        assert scored == (0 if name in ("a mask", "a site") else len(METHODS)), name
        before = records
    records, made, maps, _ = last
    assert made["slices"]
    assert made["trainings"]
    assert len({path.split("/")[0] for path in maps}) == 2  # those that learn
    assert records["thresholding"] == before["thresholding"]
    assert records["ae"] != before["ae"]
    found = {str(r.folder): r for r in find_records(tmp_path / "workspace" / "records").records}
    groups = {name: {g.name for g in found[steps[name][0]["ae"]].groups["site"]} for name in steps}
    assert groups["an affine"] == {"Bergen", "Oslo"}
    assert groups["a site"] == {"Bergen", "Graz"}
    answer = cli("compare -d brats21")
    assert len(re.findall(r"^\S{0,3} +thresholding ", answer.out, re.MULTILINE)) == 1
