"""Shifts-MS end to end: two real patients, and twenty phantom subjects whose true transforms are known."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from support.known_affines import affine_about, angle_between, moved, worst_landmark
from support.places import SHARED
from support.raw_shifts import raw_path, save_raw
from support.small_scans import SMALL, write_splits

from datasets.prepare.register.registration_template import icbm_template
from datasets.prepare.sidecar import read_preparation
from datasets.scans.nifti import read_nifti

DATA = SHARED / "data" / "shifts_ms"
PATIENTS = {"ljubljana_dev_in_7": "7", "ljubljana_dev_in_19": "19"}
MNI_TO_TEMPLATE = np.array([[1.0, 0, 0, -120], [0, 1, 0, 137], [0, 0, 1, 72], [0, 0, 0, 1]])

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def icbm():
    return icbm_template()


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real patients in ../shared")
def test_real_patients_reach_the_template_and_a_moved_copy_of_it_alike(cli, icbm, scans, tmp_path):
    middle = icbm.affine[:3, :3] @ np.argwhere(icbm.brain).mean(axis=0) + icbm.affine[:3, 3]
    away = affine_about(middle, (0, 0, 15), (20, 0, 0))  # from the template to its copy
    copy = moved(icbm, np.linalg.inv(away), icbm.affine, icbm.values.shape)
    nib.save(nib.Nifti1Image(copy, icbm.affine), tmp_path / "moved.nii.gz")
    found = {}
    for name, template in (("icbm", ()), ("moved", ("--template", tmp_path / "moved.nii.gz"))):
        answer = cli(
            *("prepare", "shifts", "--raw", DATA, "--output", tmp_path / name, "--workers", "1"),
            *template,
        )
        assert answer.code == 0, answer.err
        for patient in PATIENTS:
            found[name, patient] = read_preparation(tmp_path / name / "patients" / patient)
    for patient, number in PATIENTS.items():
        t1 = read_nifti(raw_path(DATA, ("ljubljana", "dev_in", number), "t1"))
        brain = np.argwhere(t1.values > 50)[::499] @ t1.affine[:3, :3].T + t1.affine[:3, 3]
        straight, turned = (found[name, patient].to_prepared for name in ("icbm", "moved"))
        error = worst_landmark(turned, away @ straight, brain)
        lesion = read_nifti(raw_path(DATA, ("ljubljana", "dev_in", number), "gt")).values > 0
        for name in ("icbm", "moved"):
            sidecar = found[name, patient]
            mask = read_nifti(tmp_path / name / "patients" / patient / f"{patient}_seg.nii.gz")
            volume = lesion.sum() * abs(np.linalg.det(sidecar.to_prepared[:3, :3]))
            print(
                f"{patient} to {name}: Dice {sidecar.registration.dice_after:.3f}, mutual information "
                f"{sidecar.registration.metric_after:.3f}, lesion {mask.values.sum() / 1000:.2f} ml for "
                f"{volume / 1000:.2f}, largest landmark error {error:.2f} mm"
            )
            assert sidecar.registration.dice_after >= 0.9
            assert mask.values.sum() == pytest.approx(volume, rel=0.05)
        assert error < 2.0

    # the benchmark runs on it, and its maps go back onto the downloaded files
    first, second = PATIENTS
    write_splits(tmp_path / "splits", {"train": [], "val": [first], "test": [second]})
    answer = cli(
        *("run", "--method", "andi", "--alone", "--dataset", "shifts"),
        *("--data-root", tmp_path / "icbm", "--splits", tmp_path / "splits"),
        *("--train-on", "folder", "--train-root", scans, "--export-maps", tmp_path / "maps"),
        *SMALL,
    )
    assert answer.code == 0, answer.err
    (path,) = (tmp_path / "maps" / "original").glob("*.nii.gz")
    assert path.name == f"{second}_on_19_FLAIR_isovox.nii.gz"
    flair = nib.load(raw_path(DATA, ("ljubljana", "dev_in", "19"), "flair"))
    written = nib.load(path)
    assert written.shape == flair.shape
    assert np.array_equal(written.affine, flair.affine)
    scored, brain = written.get_fdata() > 0, flair.get_fdata() > 5
    assert 2 * (scored & brain).sum() / (scored.sum() + brain.sum()) > 0.85


def random_affine(rng):
    """A subject's own place and shape, and where its header says that it lies; both world to world."""
    angles = rng.uniform(-4, 4, 3)
    stretch = np.diag(1 / rng.uniform(0.86, 0.95, 3)) + rng.uniform(-0.02, 0.02, (3, 3))
    middle = np.array([-119.5, 119.5, 77.0])  # of the BraTS grid
    to_mni = affine_about(middle, tuple(angles), linear=stretch)
    to_mni[:3, 3] += np.array([0, -17.0, 4.0]) + rng.uniform(-3, 3, 3) - middle
    header = affine_about(middle, tuple(rng.uniform(-15, 15, 3)), tuple(rng.uniform(-20, 20, 3)))
    return to_mni, header


def test_twenty_phantom_subjects_with_known_affines_are_registered_within_a_millimetre_and_a_degree(
    cli, icbm, tmp_path, monkeypatch
):
    from datasets.phantom import recipe as phantom_subject
    from datasets.phantom.anatomy import Pose
    from datasets.phantom.recipe import PhantomConfig, SplitCounts, make_subject, subjects_of
    from datasets.phantom.template import load_template

    spacing = 1.0
    template = load_template().smoothed(spacing)
    counts = SplitCounts(test=20)
    config = PhantomConfig(
        kind="ms", scanner="b", counts=counts, lesion_free=SplitCounts(), spacing=spacing
    )
    truths = {}
    for number, subject in enumerate(subjects_of(config)):
        to_mni, header = random_affine(np.random.default_rng(100 + number))

        def posed(generator, grid, atrophy, to_mni=to_mni):
            axes = np.meshgrid(*grid.axes, indexing="ij")
            world = [
                axis + middle for axis, middle in zip(axes, (-119.5, 119.5, 77.0), strict=True)
            ]
            places = [
                sum(to_mni[row, k] * world[k] for k in range(3)).astype(np.float32)
                + np.float32(to_mni[row, 3])
                for row in range(3)
            ]
            return Pose(tuple(places), grid, to_mni[:3, :3])

        monkeypatch.setattr(phantom_subject, "draw_pose", posed)
        images, labels, grid = make_subject(subject, template)
        key = ("best", "train", str(number))
        for kind in ("t1", "flair"):
            save_raw(tmp_path / "raw", key, kind, images[kind], header @ grid.affine)
        save_raw(tmp_path / "raw", key, "gt", labels, header @ grid.affine)
        truths[f"best_train_{number}"] = MNI_TO_TEMPLATE @ to_mni @ np.linalg.inv(header)

    answer = cli("prepare", "shifts", "--raw", tmp_path / "raw", "--output", tmp_path / "out")
    assert answer.code == 0, answer.err
    shutil.rmtree(tmp_path / "raw")

    landmarks = np.argwhere(icbm.brain)[::997] @ icbm.affine[:3, :3].T + icbm.affine[:3, 3]
    errors, angles = [], []
    for name, truth in truths.items():
        found = read_preparation(tmp_path / "out" / "patients" / name).to_prepared
        in_scan = landmarks @ np.linalg.inv(truth)[:3, :3].T + np.linalg.inv(truth)[:3, 3]
        errors.append(worst_landmark(found, truth, in_scan))
        angles.append(angle_between(found, truth))
    print(f"largest landmark error of each, mm: {np.round(errors, 2)}")
    print(f"angle of each, degrees: {np.round(angles, 2)}")
    assert max(errors) < 1.0
    assert max(angles) < 1.0
