"""A data set scored subject by subject: what is there is left alone, processes share the rest."""

import shutil

import nibabel as nib
import numpy as np
import pytest
from support.small_scoring import CONFIG, scorer

from andi_bench.errors import UserError
from benchmark.scoring.export_folder import MANIFEST, ExportFolder
from benchmark.scoring.map_store import MapStore
from benchmark.scoring.subjects import read_ahead, scored_subject, stamp
from datasets.adapters.catalogue import open_dataset


def names(folder):
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


def test_subjects_are_read_in_order_each_once(adapter):
    subjects = adapter.subjects()[::-1]
    found = [volume.subject for volume in read_ahead(adapter, subjects, CONFIG)]
    assert found == [s.id for s in subjects]
    assert list(read_ahead(adapter, [], CONFIG)) == []


def test_only_reported_subjects_are_shown_and_exported(adapter, tmp_path):
    made = scorer(adapter, tmp_path, export=ExportFolder(tmp_path / "out", "me"))
    made.score(adapter.subjects_in("val"), reported=False)
    assert (names(tmp_path / "views"), names(tmp_path / "out")) == ([], [])
    made.score(adapter.subjects_in("test"), reported=True)
    assert names(tmp_path / "maps") == ["B.npz", "C.npz", "D.npz"]
    assert names(tmp_path / "views") == ["C..npz", "D..npz"]
    assert names(tmp_path / "out") == ["C.nii.gz", "D.nii.gz", MANIFEST]
    scan = nib.load(adapter.subjects_in("test")[0].paths["flair"])
    exported = nib.load(tmp_path / "out" / "C.nii.gz")
    assert exported.shape == scan.shape
    np.testing.assert_array_equal(exported.affine, scan.affine)


def test_what_is_scored_is_not_scored_again_and_what_is_missing_is_made(adapter, tmp_path):
    test = adapter.subjects_in("test")
    scorer(adapter, tmp_path).score(test, reported=True)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "maps").iterdir()}
    (tmp_path / "views" / "C..npz").unlink()
    scorer(adapter, tmp_path, export=ExportFolder(tmp_path / "out", "me")).score(
        test, reported=True
    )
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "maps").iterdir()}
    assert names(tmp_path / "views") == ["C..npz", "D..npz"]
    assert names(tmp_path / "out") == ["C.nii.gz", "D.nii.gz", MANIFEST]


def test_processes_share_the_subjects_and_make_the_same_maps(adapter, tmp_path):
    everyone = adapter.subjects()
    scorer(adapter, tmp_path / "one").score(everyone, reported=True)
    for rank in (0, 1):
        scorer(adapter, tmp_path / "two", process=(rank, 2)).score(everyone, reported=True)
        assert len(names(tmp_path / "two" / "maps")) == 2 * (rank + 1)
    for name in "ABCD":
        one, two = (MapStore(tmp_path / place / "maps").load(name) for place in ("one", "two"))
        np.testing.assert_array_equal(one.map, two.map)


def test_a_scored_subject_has_all_that_it_is_held_against(adapter):
    volume = next(read_ahead(adapter, adapter.subjects_in("test"), CONFIG))
    scored = scored_subject(volume, volume.image[0], {"seconds": 1.0})
    assert (scored.subject, scored.spacing, scored.costs) == ("C", volume.spacing, {"seconds": 1.0})
    assert scored.lesion is volume.lesion
    assert scored.loss == volume.loss


def test_a_map_that_is_not_finite_is_not_exported(adapter, tmp_path):
    (subject, *_) = adapter.subjects_in("test")
    volume = next(read_ahead(adapter, [subject], CONFIG))
    maps = MapStore(tmp_path / "maps")
    maps.save(scored_subject(volume, np.full(volume.shape, np.nan, dtype=np.float32)))
    with pytest.raises(UserError, match=r"C\.nii\.gz: the map is not finite"):
        scorer(adapter, tmp_path, export=ExportFolder(tmp_path / "out", "me")).score(
            [subject], reported=True
        )


def test_a_stamp_changes_with_the_files_that_are_read(four_scans, tmp_path):
    root = shutil.copytree(four_scans, tmp_path / "scans")

    def stamps(modalities):
        opened = open_dataset("folder", root, tmp_path / "workspace")
        return stamp(opened, opened.subjects_in("test")[0], modalities)

    flair, both = stamps(["flair"]), stamps(["flair", "t1"])
    assert flair != both
    shutil.copyfile(root / "D" / "D_t1.nii.gz", root / "C" / "C_t1.nii.gz")
    assert stamps(["flair"]) == flair
    assert stamps(["flair", "t1"]) != both
