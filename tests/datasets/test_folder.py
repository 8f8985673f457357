from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.small_heads import BRATS_AFFINE, head, write, write_subject

from andi_bench.config import PreprocessingConfig
from andi_bench.errors import UserError
from datasets.adapters.brats21 import Brats21Adapter
from datasets.adapters.folder import FolderAdapter
from datasets.adapters.shifts import ShiftsAdapter
from datasets.scans.fingerprints import FingerprintCache

SMALL = PreprocessingConfig(size=24)


@pytest.mark.parametrize(
    ("pattern", "modalities"),
    [
        ("{name}_{kind}.nii.gz", ("flair", "t1", "t1ce", "t2")),
        ("{name}_{kind}.nii", ("flair", "t1", "t1ce", "t2")),
        ("{name}-{kind}.nii.gz", ("t2f", "t1n", "t1c", "t2w")),
        ("{name}_{kind}.NII.GZ", ("FLAIR", "T1", "T1CE", "T2")),
    ],
)
def test_every_years_file_names_are_understood(
    tmp_path: Path, pattern: str, modalities: tuple[str, ...]
) -> None:
    for k, name in enumerate(["BraTS-GLI-00002-000", "BraTS-GLI-00001-000"]):
        write_subject(tmp_path, name, seed=k, pattern=pattern, modalities=modalities)
    (tmp_path / "splits").mkdir()
    (tmp_path / "notes.txt").touch()
    adapter = FolderAdapter("folder", tmp_path)
    subjects = adapter.subjects()
    assert [s.id for s in subjects] == ["BraTS-GLI-00001-000", "BraTS-GLI-00002-000"]
    for subject in subjects:
        assert list(subject.paths) == ["flair", "t1", "t1ce", "t2"]
        assert subject.mask is not None
        volume = adapter.read(subject, SMALL)
        assert volume.image.shape == (4, 24, 24, 10)
        assert volume.lesion is not None


def test_channels_stand_in_the_order_asked_for(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    adapter = FolderAdapter("folder", tmp_path)
    (subject,) = adapter.subjects()
    all_four = adapter.read(subject, SMALL).image
    two = adapter.read(subject, PreprocessingConfig(size=24, modalities=("t2", "flair")))
    assert two.modalities == ("t2", "flair")
    np.testing.assert_array_equal(two.image, all_four[[3, 0]])


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_a_second_modality_that_is_stored_flipped_is_read_as_if_it_were_not(
    tmp_path: Path, axes: tuple[int, ...]
) -> None:
    write_subject(tmp_path, "a")
    adapter = FolderAdapter("folder", tmp_path)
    (subject,) = adapter.subjects()
    before = adapter.read(subject, SMALL)
    for kind in ("t1", "t2"):
        path = tmp_path / "a" / f"a_{kind}.nii.gz"
        values, turn = np.asarray(nib.load(path).dataobj), np.eye(4)
        for axis in axes:
            turn[axis, axis], turn[axis, 3] = -1, values.shape[axis] - 1
        write(path, np.flip(values, axes), BRATS_AFFINE @ turn)
    np.testing.assert_array_equal(adapter.read(subject, SMALL).image, before.image)
    np.testing.assert_array_equal(adapter.read(subject, SMALL).brain, before.brain)
    # flipped without saying so it lies elsewhere
    write(path, np.flip(values, axes), BRATS_AFFINE @ turn @ np.diag([1, 1, 1.2, 1]))
    with pytest.raises(UserError, match="a_t2.nii.gz has affine .* one grid wanted"):
        adapter.read(subject, SMALL)


def test_masks_and_modalities_may_be_missing(tmp_path: Path) -> None:
    write_subject(tmp_path, "a", lesion=None)
    write_subject(tmp_path, "b", modalities=("flair", "t1"))
    adapter = FolderAdapter("folder", tmp_path)
    first, second = adapter.subjects()
    assert first.mask is None
    assert adapter.read(first, SMALL).lesion is None
    with pytest.raises(UserError, match=r"subject b: modality t1ce is missing \(flair, t1 found\)"):
        adapter.read(second, SMALL)
    assert adapter.available(("t1", "t2", "flair")) == ("t1", "flair")
    with pytest.raises(UserError, match="no modality of t2"):
        adapter.available(("t2",))
    healthy = FolderAdapter("folder", tmp_path, {"missing_mask": "healthy"})
    lesion = healthy.read(healthy.subjects()[0], SMALL).lesion
    assert lesion is not None
    assert not lesion.any()
    assert healthy.read(healthy.subjects()[0], SMALL, lesion=False).lesion is None


def test_a_misnamed_or_doubled_file_is_not_passed_over(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    write_subject(tmp_path, "b", pattern="other_{kind}.nii.gz")
    with pytest.raises(UserError, match=r"b: no file is named as wanted .*other_flair.nii.gz"):
        FolderAdapter("folder", tmp_path).subjects()
    for path in (tmp_path / "b").iterdir():
        path.unlink()
    write(tmp_path / "a" / "a-t2f.nii.gz", head())
    with pytest.raises(UserError, match=r"subject a: .*a-t2f.nii.gz.* are both its flair"):
        FolderAdapter("folder", tmp_path).subjects()


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    write_subject(tmp_path, ".partial")
    (tmp_path / "a" / "._a_flair.nii.gz").touch()
    assert [s.id for s in FolderAdapter("folder", tmp_path).subjects()] == ["a"]


def test_a_folder_without_subjects_says_where_they_are(tmp_path: Path) -> None:
    write_subject(tmp_path / "BraTS2021_Training_Data", "BraTS2021_00000")
    with pytest.raises(UserError, match=r"no subject in .*there are subjects in .*Training_Data"):
        Brats21Adapter("brats21", tmp_path).subjects()
    with pytest.raises(UserError, match="cannot be read"):
        Brats21Adapter("brats21", tmp_path / "nowhere").subjects()


def test_a_brats_mask_holds_its_labels_and_no_other(tmp_path: Path) -> None:
    mask = np.zeros((24, 24, 10), np.uint8)
    mask[10, 10, 5], mask[11, 10, 5], mask[12, 10, 5] = 1, 2, 4
    write_subject(tmp_path, "a", lesion=mask)
    adapter = Brats21Adapter("brats21", tmp_path)
    lesion = adapter.read(adapter.subjects()[0], SMALL).lesion
    assert lesion is not None
    assert lesion.sum() == 3
    mask[3, 3, 3] = 7
    write(tmp_path / "a" / "a_seg.nii.gz", mask)
    with pytest.raises(UserError, match=r"a_seg.nii.gz: label 7 found"):
        adapter.read(adapter.subjects()[0], SMALL)


def test_options_are_checked() -> None:
    with pytest.raises(UserError, match=r"options.mask_treshold.*mask_threshold"):
        FolderAdapter("folder", Path(), {"mask_treshold": 0.4})
    with pytest.raises(UserError, match="three shares that sum to 1"):
        FolderAdapter("folder", Path(), {"split_fractions": [0.5, 0.1, 0.1]})


def test_the_organised_patients_are_read_by_published_and_by_brats_names(tmp_path: Path) -> None:
    root = tmp_path / "patients"
    soft = np.zeros((24, 24, 10), np.float32)
    soft[10:12, 12, 5] = 0.7, 0.3
    folder = write_subject(
        root,
        "msseg_train_3",
        lesion=None,
        modalities=("FLAIR", "T1", "T1CE", "T2"),
        pattern="3_{kind}_isovox.nii.gz",
    )
    write(folder / "3_gt_isovox.nii.gz", soft)
    for left_out in ("3_PD_isovox", "3_isovox_fg_mask", "3_indiv_gt_isovox"):
        write(folder / f"{left_out}.nii.gz", head())
    write_subject(root, "best_eval_in_1")
    for place in (tmp_path, root):
        adapter = ShiftsAdapter("shifts", place)
        first, second = adapter.subjects()
        assert (first.id, first.site) == ("best_eval_in_1", "best")
        assert (second.id, second.site) == ("msseg_train_3", "msseg")
        assert second.paths["t1ce"].name == "3_T1CE_isovox.nii.gz"
        volume = adapter.read(second, SMALL)
        assert volume.lesion is not None
        assert volume.lesion.sum() == 1
        assert volume.site == "msseg"


def test_the_published_shifts_layout_is_refused_with_what_is_wanted(patients: Path) -> None:
    for root in (patients, patients / "ljubljana", patients / "ljubljana" / "dev_in"):
        with pytest.raises(
            UserError, match=r"as published .*flair/\).*patients/<set>_<split>_<n>/"
        ):
            ShiftsAdapter("shifts", root).subjects()


def test_columns_of_the_split_belong_to_the_subjects(tmp_path: Path) -> None:
    for k, name in enumerate("abc"):
        write_subject(tmp_path, name, seed=k)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "scans_test.csv").write_text("x,age,site\nc,40,Graz\na,50,\n")
    adapter = FolderAdapter("folder", tmp_path, splits_dir=tmp_path / "own")
    assert [s.id for s in adapter.subjects_in("test")] == ["c", "a"]
    assert [s.attributes.get("age") for s in adapter.subjects()] == ["50", None, "40"]
    assert [s.site for s in adapter.subjects()] == ["", "", "Graz"]


def test_a_copy_of_a_scan_is_known_by_its_content_however_it_is_stored(tmp_path: Path) -> None:
    image = np.rint(head())
    flipped = np.diag([1.0, -1.0, 1.0, 1.0])
    write(tmp_path / "a" / "a_flair.nii.gz", image.astype(np.int16))
    write(tmp_path / "b" / "b_flair.nii", image.astype(np.float64)[..., None])
    write(tmp_path / "c" / "c_flair.nii.gz", image[::-1], flipped)
    other = image.copy()
    other[12, 12, 5] += 1
    write(tmp_path / "d" / "d_flair.nii.gz", other)
    adapter = FolderAdapter("folder", tmp_path)
    seen: list[int] = []
    found = adapter.fingerprints(adapter.subjects(), lambda text, done, total: seen.append(done))
    assert found["a"] == found["b"] == found["c"] != found["d"]
    assert seen == [1, 2, 3, 4]
    (tmp_path / "s").mkdir()
    for part, name in {"train": "a", "test": "b"}.items():
        (tmp_path / "s" / f"scans_{part}.csv").write_text(f"id\n{name}\n")
    split = FolderAdapter("f", tmp_path, None, tmp_path / "s").split()
    with pytest.raises(UserError, match="are the same scan under two names"):
        split.check_disjoint(found)


def test_hashes_are_remembered_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_subject(tmp_path / "data", "a")
    monkeypatch.setattr(
        "datasets.scans.fingerprints.SETTLED", -1
    )  # else of a new file nothing is kept
    remembered = tmp_path / "fingerprints.jsonl"

    def fresh() -> tuple[FolderAdapter, str]:
        adapter = FolderAdapter("folder", tmp_path / "data", cache=remembered)
        return adapter, adapter.fingerprint(adapter.subjects()[0])

    _, first = fresh()
    with monkeypatch.context() as patch:
        patch.setitem(FingerprintCache._KINDS, "voxels", lambda path: pytest.fail("read again"))
        assert fresh()[1] == first
    remembered.write_text(remembered.read_text()[:-20])  # a kill in the midst of a line
    assert fresh()[1] == first
    changed = head(seed=99)
    write(tmp_path / "data" / "a" / "a_flair.nii.gz", changed)
    assert fresh()[1] != first
    remembered.unlink()
    remembered.mkdir()  # cannot be written: no harm
    assert len(fresh()[1]) == 32


def test_the_content_of_a_subject_changes_with_any_of_its_files(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    adapter = FolderAdapter("folder", tmp_path)
    (subject,) = adapter.subjects()
    before = adapter.content(subject, SMALL.modalities)
    assert adapter.content(subject, ("flair",)) != before
    write(tmp_path / "a" / "a_seg.nii.gz", np.eye(24, dtype=np.uint8)[..., None].repeat(10, 2))
    assert adapter.content(subject, SMALL.modalities) != before


def test_an_adapter_travels_to_another_process(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    adapter = FolderAdapter("folder", tmp_path, {"mask_threshold": 0.3}, None, tmp_path / "c.jsonl")
    adapter.fingerprint(adapter.subjects()[0])
    copy = pickle.loads(pickle.dumps(adapter))
    assert copy.subjects() == adapter.subjects()
    assert copy.fingerprint(copy.subjects()[0]) == adapter.fingerprint(adapter.subjects()[0])


def test_a_truncated_scan_is_one_line(tmp_path: Path) -> None:
    write_subject(tmp_path, "a")
    path = tmp_path / "a" / "a_t1.nii.gz"
    path.write_bytes(path.read_bytes()[:-300])
    adapter = FolderAdapter("folder", tmp_path)
    with pytest.raises(UserError, match=r"a_t1.nii.gz: truncated or damaged gzip"):
        adapter.read(adapter.subjects()[0], SMALL)
    path.write_bytes(gzip.compress(nib.Nifti1Image(head(), BRATS_AFFINE).to_bytes()))
    assert adapter.read(adapter.subjects()[0], SMALL).shape == (24, 24, 10)
