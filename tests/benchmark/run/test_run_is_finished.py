"""Whether a run is finished is asked without doing anything, and of the data as they are."""

import shutil

import nibabel as nib
from support.small_runs import QUIET, request_of

from benchmark.run.detector_source import DetectorSource
from benchmark.run.finished import finished
from benchmark.run.learnt import Learner
from benchmark.run.stages import Run

PLAIN = {"preprocessing": {"bias": "none"}}


def source(scans, folder, method="voxel-statistics"):
    return DetectorSource(request_of(scans, folder, method, PLAIN), QUIET)


def test_a_finished_run_is_found_until_its_data_change(four_scans, tmp_path):
    scans = shutil.copytree(four_scans, tmp_path / "scans")
    asked = source(scans, tmp_path)
    assert finished(asked) is None
    place = asked.request.workspace
    assert not list(place.trainings.glob("*"))
    assert not list(place.slices.glob("*/manifest.json"))
    record = Run(source(scans, tmp_path), QUIET).outcome().record
    found = finished(source(scans, tmp_path))
    assert (found.record, found.reused) == (record, True)
    assert finished(source(scans, tmp_path, "random")) is None
    (mask,) = scans.glob("C/*_seg*")
    image = nib.load(mask)
    changed = image.get_fdata()
    changed[changed > 0] = 1
    nib.save(nib.Nifti1Image(changed.astype("uint8"), image.affine), mask)
    assert finished(source(scans, tmp_path)) is None


def test_what_runs_share_is_told_before_the_data_are_opened(four_scans, tmp_path):
    ours, theirs = source(four_scans, tmp_path), source(four_scans, tmp_path, "random")
    assert isinstance(ours.learner, Learner)
    learnt, drawn = (one.learner.shares(one.data_sets) for one in (ours, theirs))
    assert drawn.training is None
    assert drawn.data < learnt.data
    assert learnt.training.startswith("voxel-statistics__folder__seed0__")
