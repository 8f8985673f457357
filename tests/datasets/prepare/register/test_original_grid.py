"""Maps of prepared scans land on the user's own files."""

import nibabel as nib
import numpy as np
import pytest
from support.known_affines import affine_about
from support.raw_shifts import raw_path

from andi_bench.config import PreprocessingConfig
from datasets.adapters.shifts import ShiftsAdapter
from datasets.prepare.register.original_grid import (
    original_path,
    preparation_of,
    save_on_original,
    to_original,
)
from datasets.prepare.sidecar import Original, Preparation, PreparedFile, as_rows, read_preparation
from datasets.scans.nifti import read_nifti

KEY = ("ljubljana", "dev_in", "7")


def test_a_map_of_world_coordinates_comes_back_as_the_coordinates_of_the_original_file(
    finished, raw_shifts, tmp_path
):
    """A map that holds, at each voxel of the working grid, the x (y, z) of the prepared world."""
    adapter = ShiftsAdapter("shifts", finished)
    subject = next(s for s in adapter.subjects() if s.id == "ljubljana_dev_in_7")
    volume = adapter.read(subject, PreprocessingConfig(size=48))
    preparation = preparation_of(subject.paths)
    original = nib.load(raw_path(raw_shifts, KEY, "flair"))
    brain = np.argwhere(read_nifti(raw_path(raw_shifts, KEY, "t1")).values > 0)
    there = brain @ original.affine[:3, :3].T + original.affine[:3, 3]
    wanted = there @ preparation.to_prepared[:3, :3].T + preparation.to_prepared[:3, 3]
    # where the template's field ends, the map does: brain beyond it has no score
    place = (wanted - volume.affine[:3, 3]) @ np.linalg.inv(volume.affine[:3, :3]).T
    within = np.all((place >= 0) & (place <= np.array(volume.shape) - 1), axis=1)
    assert within.mean() > 0.98
    voxels = np.moveaxis(np.indices(volume.shape), 0, -1)
    world = voxels @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    for axis in range(3):
        path = original_path(tmp_path / str(axis), preparation)
        assert path.name == "ljubljana_dev_in_7_on_7_FLAIR_isovox.nii.gz"
        save_on_original(world[..., axis].astype(np.float32), volume.affine, preparation, path)
        written = nib.load(path)
        assert written.shape == original.shape
        assert np.array_equal(written.affine, original.affine)
        values = written.get_fdata()[tuple(brain.T)]
        assert np.abs(values - wanted[:, axis])[within].max() < 1e-3


def test_a_lesion_marked_on_the_prepared_scan_covers_the_lesion_of_the_original(
    finished, raw_shifts
):
    for name, key in (("best_train_1", ("best", "train", "1")), ("ljubljana_dev_in_7", KEY)):
        folder = finished / "patients" / name
        mask = read_nifti(folder / f"{name}_seg.nii.gz")
        back = to_original(mask.values, mask.affine, read_preparation(folder)) > 0.5
        lesion = read_nifti(raw_path(raw_shifts, key, "gt")).values > 0
        # two interpolations of a ball of 113 voxels
        assert 2 * (back & lesion).sum() / (back.sum() + lesion.sum()) > 0.8


def test_an_unregistered_preparation_goes_back_by_itself(tmp_path):
    affine = affine_about(np.zeros(3), (10, 5, 3), (4, 5, 6)) @ np.diag([1.0, 1.2, 2.0, 1])
    original = Original(hash="0" * 32, shape=(7, 8, 9), affine=as_rows(affine))
    file = PreparedFile(file="a_t2.nii.gz", path="/scans/a_t2.nii", original=original)
    preparation = Preparation(subject="a", person="a", files={"t2": file})
    values = np.random.default_rng(0).normal(size=(7, 8, 9)).astype(np.float32)
    assert np.allclose(to_original(values, affine, preparation), values, atol=1e-5)
    path = original_path(tmp_path, preparation)
    assert path == tmp_path / "a_on_a_t2.nii.gz"
    save_on_original(values, affine, preparation, path)
    assert np.allclose(nib.load(path).get_fdata(), values, atol=1e-5)


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_the_command_exports_onto_the_original_files(cli, finished, raw_shifts, tmp_path, command):
    from support.small_scans import write_splits

    names = ["best_train_1", "ljubljana_dev_in_7"]
    write_splits(tmp_path / "splits", {"train": [], "val": names[:1], "test": names[1:]})
    data = (
        *("--dataset", "shifts", "--data-root", finished, "--splits", tmp_path / "splits"),
        *("--workers", "1", "--set", "preprocessing.size=48"),
        *("--set", "evaluation.bootstraps=20", "--set", "evaluation.median=1"),
    )
    folder = tmp_path / "maps"
    if command == "run":
        answer = cli(
            *("run", "--method", "thresholding", "--alone", "--device", "cpu"),
            *data,
            "--export-maps",
            folder,
        )
        exported = folder / "original"
    else:
        given = tmp_path / "given"
        given.mkdir()
        flair = f"patients/{names[1]}/{names[1]}_flair.nii.gz"
        (given / f"{names[1]}.nii.gz").write_bytes((finished / flair).read_bytes())
        answer = cli("evaluate", "--maps", given, "--name", "FLAIR", *data, "--export-maps", folder)
        exported = folder
    assert answer.code == 0, answer.err
    assert str(exported) in answer.err
    (path,) = exported.glob("*.nii.gz")
    assert path.name == "ljubljana_dev_in_7_on_7_FLAIR_isovox.nii.gz"
    original = nib.load(raw_path(raw_shifts, KEY, "flair"))
    written = nib.load(path)
    assert written.shape == original.shape
    assert np.array_equal(written.affine, original.affine)
    # on FLAIR the ball is the brightest thing: the map is highest there
    lesion = read_nifti(raw_path(raw_shifts, KEY, "gt")).values > 0
    scores = written.get_fdata()
    assert np.median(scores[lesion]) > np.quantile(
        scores[(original.get_fdata() > 0) & ~lesion], 0.98
    )
