"""Histogram matching, and the subject it matches to."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.raw_shifts import contents

from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter
from datasets.prepare.histogram.brain_quantiles import (
    QUANTILES,
    brain_quantiles,
    choose_reference,
    match,
)
from datasets.prepare.sidecar import read_preparation
from datasets.scans.nifti import read_nifti

IDS = ["best_train_1", "ljubljana_dev_in_7"]


def test_the_brain_s_quantiles_become_the_reference_s_and_background_stays_zero():
    rng = np.random.default_rng(1)
    brain = np.zeros((40, 40, 40), dtype=bool)
    brain[8:32, 8:32, 8:32] = True
    image = np.where(brain, rng.gamma(9.0, 40.0, brain.shape), 0).astype(np.float32)
    image[:3] = -2.5  # what a spline leaves beside the brain
    reference = np.where(brain, rng.normal(900, 120, brain.shape), 0)
    source, target = brain_quantiles(image, brain), brain_quantiles(reference, brain)
    moved = match(image, source, target)
    assert np.allclose(np.quantile(moved[brain], QUANTILES), target, rtol=1e-4)
    assert np.all(moved[image == 0] == 0)
    assert np.all(moved[image < 0] < 0)
    assert moved.dtype == np.float32


rising = st.lists(st.floats(0.5, 50), min_size=len(QUANTILES), max_size=len(QUANTILES)).map(
    lambda steps: np.cumsum(steps)
)


@given(rising, rising, st.lists(st.floats(-100, 2000, width=32), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_mapping_rises_and_undoes_itself(source, target, values):
    image = np.unique(np.array(values, dtype=np.float32))
    moved = match(image, source, target)
    apart = np.diff(image.astype(np.float64)) > 1e-2
    assert np.all(np.diff(moved.astype(np.float64))[apart] > 0)
    back = match(moved, target, source)
    assert np.allclose(back, image, rtol=2e-3, atol=2e-2)


def test_a_bright_lesion_is_not_pressed_into_the_reference_s_brightest_tissue():
    rng = np.random.default_rng(2)
    brain = np.ones((30, 30, 30), dtype=bool)
    healthy = rng.normal(300, 30, brain.shape)
    image = healthy.copy()
    image[:2] = rng.normal(600, 20, image[:2].shape)  # a fifteenth of the brain
    moved = match(image, brain_quantiles(image, brain), brain_quantiles(healthy, brain))
    assert moved[:2].mean() > 1.35 * np.quantile(healthy, 0.999)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 4)), np.full((4, 4, 4), 7.0)])
def test_a_brain_without_contrast_is_refused(image):
    with pytest.raises(UserError, match="a scan wanted"):
        brain_quantiles(image, np.ones((4, 4, 4), dtype=bool))


def test_the_reference_is_the_training_subject_nearest_to_the_median_off_its_lesion(scans):
    adapter = FolderAdapter("folder", scans)
    found = choose_reference(adapter, workers=1)
    assert found.subject in adapter.split().ids("train")
    assert found.lesion_masked
    shapes = {}
    for subject in adapter.subjects_in("train"):
        parts = []
        for name in ("flair", "t1", "t1ce", "t2"):
            image = read_nifti(subject.paths[name]).values
            lesion = read_nifti(subject.mask).values > 0
            values = np.quantile(image[(image > 0) & ~lesion], QUANTILES)
            parts.append(values / values[-1])
            if subject.id == found.subject:  # the brain mask is not quite image > 0
                assert np.allclose(found.files[name].values, values, rtol=0.02)
        shapes[subject.id] = np.concatenate(parts)
    median = np.median(list(shapes.values()), axis=0)
    distance = {name: np.abs(shape - median).sum() for name, shape in shapes.items()}
    assert found.subject == min(distance, key=distance.get)


def test_the_reference_may_be_named_but_only_from_the_training_split(scans):
    adapter = FolderAdapter("folder", scans)
    assert choose_reference(adapter, "S03", workers=1).subject == "S03"
    with pytest.raises(UserError, match="S06 is not in the train split"):
        choose_reference(adapter, "S06", workers=1)


def test_matching_writes_into_its_own_folder_and_names_the_reference(cli, scans, finished):
    before = contents(finished / "registered")
    asked = ("--output", finished, "--workers", "1")
    reference = ("--reference-dataset", "folder", "--reference-root", scans)
    answer = cli("prepare", "shifts", "match", *asked, *reference)
    assert answer.code == 0, answer.err
    assert contents(finished / "registered") == before
    for name in IDS:
        matching = read_preparation(finished / "patients" / name).matching
        assert matching.reference.dataset == "folder"
        assert matching.reference.subject in {"S00", "S01", "S02", "S03"}
        assert matching.reference.subject in answer.err
        for kind in ("flair", "t1", "t1ce", "t2"):
            one = read_nifti(finished / "registered" / name / f"{name}_{kind}.nii.gz").values
            two = read_nifti(finished / "patients" / name / f"{name}_{kind}.nii.gz").values
            assert np.all(two[one == 0] == 0)
            middle = np.median(two[(one > 0)])
            assert middle == pytest.approx(matching.reference.files[kind].values[6], rel=0.1)
        for kind in ("seg", "fg_mask", "pd"):  # no intensities to match, or none in the reference
            file = f"{name}/{name}_{kind}.nii.gz"
            assert contents(finished / "patients")[file] == before[file]

    # without its folder the reference is known from reference.json; another one is refused
    shutil.rmtree(finished / "patients" / IDS[0])
    whole = contents(finished / "patients")
    assert cli("prepare", "shifts", "match", *asked).code == 0
    assert contents(finished / "patients").items() > whole.items()
    answer = cli("prepare", "shifts", "match", *asked, "--reference-subject", "S99")
    assert answer.code == 2
    assert "--replace" in answer.err


def test_without_a_reference_data_set_intensities_stay_and_the_command_says_so(cli, finished):
    shutil.rmtree(finished / "patients")
    answer = cli("prepare", "shifts", "match", "--output", finished, "--workers", "1")
    assert answer.code == 0
    assert "intensities are left as they are" in answer.err
    for path in (finished / "registered").rglob("*.nii.gz"):
        matched = finished / "patients" / path.relative_to(finished / "registered")
        assert matched.read_bytes() == path.read_bytes()
    assert read_preparation(finished / "patients" / IDS[0]).matching is None
