import csv
import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage
from skimage.filters import threshold_otsu
from support.phantoms import PHANTOM, PHANTOM_HEALTHY, PHANTOM_MS, PHANTOM_QUICK, PHANTOM_SMALL
from support.places import ROOT

import datasets.phantom.build as phantom
from andi_bench.errors import UserError
from datasets.phantom.adapter import PhantomAdapter
from datasets.phantom.anatomy import Grid
from datasets.phantom.build import PhantomConfig, SplitCounts, SplitSeeds, build_phantom
from datasets.phantom.recipe import make_subject, subjects_of
from datasets.phantom.template import load_template

MODALITIES = ("flair", "t1", "t1ce", "t2")
SMALL = PhantomConfig(
    counts=SplitCounts(train=2, val=1, test=2), lesion_free=SplitCounts(test=1), spacing=4.0
)
SMALL_MS = PhantomConfig(
    kind="ms", scanner="b", counts=SplitCounts(test=1), lesion_free=SplitCounts(), spacing=4.0
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_phantom(tmp_path_factory.mktemp("phantom") / "glioma", SMALL, workers=1)


def _load(root, subject, part):
    return np.asanyarray(nib.load(root / subject / f"{subject}_{part}.nii.gz").dataobj)


def _subjects(root):
    return sorted(path.name for path in root.glob("Phantom*"))


@functools.cache
def _smoothed(spacing):
    return load_template().smoothed(spacing)


def _make(config, number):
    return make_subject(subjects_of(config)[number], _smoothed(config.spacing))


# Layout


def test_every_subject_has_the_five_files_of_the_brats_layout_and_nothing_else(built):
    assert _subjects(built) == sorted(subject.id for subject in subjects_of(SMALL))
    for subject in _subjects(built):
        names = sorted(path.name for path in (built / subject).iterdir())
        assert names == sorted(f"{subject}_{part}.nii.gz" for part in (*MODALITIES, "seg"))
        assert _load(built, subject, "seg").dtype == np.uint8
        for modality in MODALITIES:
            image = nib.load(built / subject / f"{subject}_{modality}.nii.gz")
            assert image.get_data_dtype() == np.int16
            assert image.shape == (60, 60, 39)
            assert nib.aff2axcodes(image.affine) == ("L", "P", "S")


def test_background_is_exactly_zero_and_the_brain_positive_in_every_modality(built):
    for subject in _subjects(built):
        scans = [_load(built, subject, modality) for modality in MODALITIES]
        brain = scans[0] != 0
        _, parts = ndimage.label(brain)
        assert parts == 1
        assert 900 < brain.sum() * 4.0**3 / 1000 < 2000  # ml
        for scan in scans:
            np.testing.assert_array_equal(scan != 0, brain)
            assert scan.min() == 0
            assert 200 < scan.max() < 20_000


def test_lesions_lie_inside_the_brain_and_carry_brats_labels(built):
    seen = set()
    for subject in _subjects(built):
        labels = _load(built, subject, "seg")
        assert not (labels[_load(built, subject, "t1") == 0]).any()
        seen |= set(np.unique(labels).tolist())
    assert seen == {0, 1, 2, 4}


def test_a_lesion_free_subject_has_an_all_zero_mask(built):
    rows = _rows(built, "test")
    assert [row["kind"] for row in rows] == ["glioma", "lesion-free"]
    assert _load(built, rows[0]["Subject_ID"], "seg").any()
    assert not _load(built, rows[1]["Subject_ID"], "seg").any()


def _rows(root, split):
    with (root / "splits" / f"scans_{split}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_splits_hold_every_subject_once_with_its_attributes(built):
    ids = []
    for split, count in (("train", 2), ("val", 1), ("test", 2)):
        rows = _rows(built, split)
        assert len(rows) == count
        assert list(rows[0]) == ["Subject_ID", "site", "age", "sex", "kind"]
        assert all(20 <= int(row["age"]) <= 80 and row["sex"] in "FM" for row in rows)
        ids += [row["Subject_ID"] for row in rows]
    assert sorted(ids) == _subjects(built)


def test_the_manifest_tells_seed_version_parameters_licence_and_lesion_volumes(built):
    manifest = json.loads((built / "manifest.json").read_text())
    assert manifest["seeds"] == SplitSeeds().model_dump()
    assert manifest["version"] == 2
    assert manifest["parameters"] == SMALL.model_dump(mode="json")
    assert "McGill" in manifest["template_licence"]
    for entry in manifest["subjects"]:
        volume = (_load(built, entry["id"], "seg") > 0).sum() * 4.0**3 / 1000
        assert entry["lesion_ml"] == pytest.approx(volume, abs=1e-3)
        assert (entry["kind"] == "lesion-free") == (volume == 0)
    assert [entry["split"] for entry in manifest["subjects"]] == [
        *("train", "train", "val", "test", "test")
    ]


def test_the_data_sets_have_the_sizes_they_are_known_for():
    known = {
        "phantom": (PHANTOM, (40, 20, 60), (0, 4, 10)),
        "quick": (PHANTOM_QUICK, (24, 6, 10), (0, 1, 2)),
        "ms": (PHANTOM_MS, (0, 16, 50), (0, 0, 0)),
        "small": (PHANTOM_SMALL, (0, 20, 60), (0, 4, 10)),
        "healthy": (PHANTOM_HEALTHY, (20, 0, 0), (20, 0, 0)),
    }
    for config, counts, free in known.values():
        subjects = subjects_of(config)
        for split, count, without in zip(("train", "val", "test"), counts, free, strict=True):
            here = [subject for subject in subjects if subject.split == split]
            assert (len(here), sum(s.lesion_free for s in here)) == (count, without)
        assert len({subject.id for subject in subjects}) == len(subjects)
    assert Grid(PHANTOM.spacing).shape == (96, 96, 62)


def test_no_seed_serves_two_splits_and_the_quick_phantom_leaves_the_sealed_test_seed_alone():
    sealed = PHANTOM.seeds.test
    for config in (PHANTOM, PHANTOM_MS, PHANTOM_SMALL, PHANTOM_HEALTHY, PHANTOM_QUICK):
        assert sealed not in (config.seeds.train, config.seeds.val)
    assert PHANTOM_QUICK.seeds.test != sealed
    with pytest.raises(ValidationError, match="three different ones wanted"):
        SplitSeeds(train=5, val=5)
    states = [
        tuple(subject.stream(purpose).bit_generator.state["state"].values())
        for config in (PHANTOM, PHANTOM_MS, PHANTOM_SMALL, PHANTOM_HEALTHY)
        for subject in subjects_of(config)
        for purpose in ("pose", "lesion")
    ]
    assert len(set(states)) == len(states)


def test_the_quick_phantom_learns_from_and_is_validated_on_subjects_of_the_whole_one():
    whole = {s.id: s for s in subjects_of(PHANTOM)}
    for subject in subjects_of(PHANTOM_QUICK):
        same = whole[subject.id].stream("pose").normal() == subject.stream("pose").normal()
        assert same == (subject.split != "test")


def test_a_phantom_that_cannot_rank_says_so(tmp_path):
    counts = {"counts": {"test": 1}, "lesion_free": {}, "spacing": 4.0}
    small = PhantomAdapter("small", tmp_path, {**counts, "ranks": False})
    small.prepare(workers=1)
    assert any("1 test subject shows" in n and "cannot rank" in n for n in small.notes())
    ranking = PhantomAdapter("small", tmp_path, counts)
    assert not any("rank" in note for note in ranking.notes())


def test_nothing_that_an_earlier_version_made_is_found(tmp_path, built):
    root = build_phantom(tmp_path / "phantom", SMALL_MS, workers=1)
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["parameters"] = {"kind": "ms", "version": 1, "seed": 0}
    manifest["subject_ids"] = ["PhantomMS_00000"]
    (root / "PhantomMS_test_000").rename(root / "PhantomMS_00000")
    (root / "manifest.json").write_text(json.dumps(manifest))
    build_phantom(root, SMALL_MS, workers=1)
    assert _subjects(root) == ["PhantomMS_test_000"]


# The grid


def test_one_millimetre_is_the_brats_grid():
    grid = Grid(1.0)
    assert grid.shape == (240, 240, 155)
    expected = np.diag([-1.0, -1.0, 1.0, 1.0])
    expected[1, 3] = 239
    np.testing.assert_array_equal(grid.affine, expected)


@pytest.mark.parametrize("spacing", [1.0, 1.7, 2.5, 4.0])
def test_every_spacing_covers_the_field_of_view_around_the_same_middle(spacing):
    grid = Grid(spacing)
    np.testing.assert_allclose(np.multiply(grid.shape, spacing), (240, 240, 155), atol=spacing)
    middle = grid.affine @ [*(np.array(grid.shape) - 1) / 2, 1]
    np.testing.assert_allclose(middle[:3], (-119.5, 119.5, 77.0))


def test_a_subject_is_the_same_brain_at_two_spacings(built):
    fine, mask, _ = _make(SMALL.model_copy(update={"spacing": 2.0}), 0)
    coarse = _load(built, "Phantom_train_000", "t2")
    blocks = fine["t2"].reshape(60, 2, 60, 2, 39, 2)
    inside = (blocks > 0).all(axis=(1, 3, 5)) & (coarse > 0)
    assert inside.sum() > 0.8 * (coarse > 0).sum()
    assert np.corrcoef(coarse[inside], blocks.mean(axis=(1, 3, 5))[inside])[0, 1] > 0.9
    volume = (_load(built, "Phantom_train_000", "seg") > 0).sum() * 4.0**3
    assert (mask > 0).sum() * 2.0**3 == pytest.approx(volume, rel=0.12)


@pytest.mark.slow
def test_a_scan_at_one_millimetre_is_written_on_the_brats_grid(tmp_path):
    config = PhantomConfig(counts=SplitCounts(train=1), lesion_free=SplitCounts(), spacing=1.0)
    build_phantom(tmp_path, config, workers=1)
    image = nib.load(tmp_path / "Phantom_train_000" / "Phantom_train_000_t1.nii.gz")
    assert image.shape == (240, 240, 155)
    np.testing.assert_array_equal(image.affine, Grid(1.0).affine)
    labels = _load(tmp_path, "Phantom_train_000", "seg")
    assert set(np.unique(labels)) <= {0, 1, 2, 4}
    assert labels.any()


# Determinism


def test_a_subject_depends_neither_on_processes_nor_on_the_number_of_others(tmp_path, built):
    other = SMALL.model_copy(
        update={"counts": SplitCounts(train=1, val=1), "lesion_free": SplitCounts()}
    )
    build_phantom(tmp_path, other, workers=2)
    for subject in ("Phantom_train_000", "Phantom_val_000"):
        for part in (*MODALITIES, "seg"):
            np.testing.assert_array_equal(
                _load(tmp_path, subject, part), _load(built, subject, part)
            )


def test_subjects_seeds_kinds_and_scanners_all_differ():
    def t1(number=0, **update):
        return _make(SMALL.model_copy(update=update), number)[0]["t1"]

    scans = [
        t1(),
        t1(1),
        t1(seeds=SplitSeeds(train=1)),
        t1(scanner="b"),
        t1(kind="ms"),
        t1(kind="small"),
    ]
    for k, one in enumerate(scans):
        for other in scans[:k]:
            assert (one != other).any()


# Modalities


@pytest.mark.parametrize("scanner", ["a", "b"])
def test_tissues_have_the_order_of_brightness_a_clinician_expects(scanner):
    config = PhantomConfig(
        scanner=scanner, counts=SplitCounts(train=2), lesion_free=SplitCounts(train=2)
    )
    for number in range(2):
        scans, _, _ = _make(config, number)
        t1 = ndimage.gaussian_filter(scans["t1"].astype(float), 0.5)
        inside = ndimage.binary_erosion(scans["t1"] > 0, iterations=3)
        # The darkest of T1, deep in the brain, is fluid; what remains falls in two classes.
        fluid = inside & (t1 < np.percentile(t1[inside], 1.5))
        border = threshold_otsu(t1[inside & ~fluid])
        grey, white = inside & ~fluid & (t1 < border), inside & (t1 >= border)

        def level(modality, tissue, scans=scans):
            return np.median(scans[modality][tissue])

        assert level("t1ce", fluid) < level("t1ce", grey) < level("t1ce", white)
        assert level("t2", fluid) > level("t2", grey) > level("t2", white)
        # as in the real scans, where grey matter is about as bright as white on FLAIR
        assert level("flair", fluid) < min(level("flair", white), level("flair", grey))


# Building once


def test_a_phantom_is_built_once_and_again_only_when_its_parameters_change(tmp_path):
    root = build_phantom(tmp_path / "phantom", SMALL_MS, workers=1)
    scan = root / "PhantomMS_test_000" / "PhantomMS_test_000_t1.nii.gz"
    before, values = scan.stat().st_mtime_ns, _load(root, "PhantomMS_test_000", "t1")
    steps = []
    build_phantom(root, SMALL_MS, lambda *step: steps.append(step))
    assert scan.stat().st_mtime_ns == before
    assert steps == []

    (root / "notes.txt").write_text("mine")
    other = SMALL_MS.model_copy(update={"seeds": SplitSeeds(test=1)})
    build_phantom(root, other, lambda *step: steps.append(step), workers=1)
    assert (_load(root, "PhantomMS_test_000", "t1") != values).any()
    assert (root / "notes.txt").read_text() == "mine"
    assert steps == [("phantom", 0, 1), ("phantom", 1, 1)]


def test_a_removed_file_is_made_again(tmp_path):
    root = build_phantom(tmp_path, SMALL_MS, workers=1)
    path = root / "PhantomMS_test_000" / "PhantomMS_test_000_seg.nii.gz"
    values = _load(root, "PhantomMS_test_000", "seg")
    path.unlink()
    build_phantom(root, SMALL_MS, workers=1)
    np.testing.assert_array_equal(_load(root, "PhantomMS_test_000", "seg"), values)


def test_a_build_that_is_killed_leaves_whole_subjects_only_and_goes_on_later(tmp_path, built):
    root = tmp_path / "phantom"
    code = (
        "from pathlib import Path; from datasets.phantom.build import *; "
        f"build_phantom(Path({str(root)!r}), "
        f"PhantomConfig.model_validate_json({SMALL.model_dump_json()!r}), workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not _subjects(root) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    first = _subjects(root)
    assert 1 <= len(first) < 5
    for subject in first:
        assert len(list((root / subject).iterdir())) == 5
        _load(root, subject, "seg")
    (root / ".partial-Phantom_val_000").mkdir(exist_ok=True)
    steps = []
    build_phantom(root, SMALL, lambda *step: steps.append(step), workers=1)
    assert steps[0] == ("phantom", len(first), 5)
    assert not list(root.glob(".partial*"))
    for subject in _subjects(built):
        for part in (*MODALITIES, "seg"):
            np.testing.assert_array_equal(_load(root, subject, part), _load(built, subject, part))


# Mistakes


def test_a_folder_that_is_not_a_phantom_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex.*empty or new folder wanted"):
        build_phantom(tmp_path, SMALL_MS)
    (tmp_path / "manifest.json").write_text('{"format": "something else"}')
    with pytest.raises(UserError, match=r"manifest\.json is not the manifest of a phantom"):
        build_phantom(tmp_path, SMALL_MS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "thesis.tex"]


def test_a_root_that_cannot_be_a_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file: a folder wanted"):
        build_phantom(tmp_path / "file", SMALL_MS)
    with pytest.raises(UserError, match="cannot write to"):
        build_phantom(tmp_path / "file" / "below", SMALL_MS)


def test_a_full_disk_is_one_line_and_leaves_no_half_subject(tmp_path, monkeypatch):
    def full(image, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(phantom.nib, "save", full)
    with pytest.raises(UserError, match="No space left on device"):
        build_phantom(tmp_path, SMALL_MS, workers=1)
    assert not _subjects(tmp_path)
    monkeypatch.undo()
    build_phantom(tmp_path, SMALL_MS, workers=1)
    assert _subjects(tmp_path) == ["PhantomMS_test_000"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "stroke"},
        {"spacing": 0.5},
        {"size": 3},
        {"lesion_free": {"test": 61}},
        {"counts": {"train": -1}},
        {"version": 1},
    ],
)
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        PhantomConfig.model_validate(wrong)


def test_importing_the_phantom_loads_neither_torch_nor_nilearn():
    code = "import sys, datasets.phantom.build; print({'torch', 'nilearn', 'sklearn'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
