"""A reference of histogram matching is known by the bytes of its files."""

from __future__ import annotations

from support.small_heads import head, write

from datasets.prepare.histogram.match_step import changed_files
from datasets.prepare.sidecar import MaskFile, Reference, ReferenceFile
from datasets.scans.fingerprints import file_hash


def test_a_reference_whose_file_changed_is_told_and_one_that_is_not_there_says_nothing(tmp_path):
    path = tmp_path / "a_flair.nii.gz"
    write(path, head())
    mask = tmp_path / "a_seg.nii.gz"
    mask.write_bytes(b"lesion")
    file = ReferenceFile(path=str(path), hash=file_hash(path), values=(1.0, 2.0))
    reference = Reference(
        dataset="brats21",
        subject="a",
        why="named by the user",
        lesion_masked=True,
        quantiles=(0.1, 0.9),
        files={"flair": file},
        mask=MaskFile(path=str(mask), hash=file_hash(mask)),
    )
    assert changed_files(reference) == []
    write(path, head(seed=1))
    assert changed_files(reference) == [path]
    mask.write_bytes(b"mended")
    assert changed_files(reference) == [path, mask]
    mask.unlink()
    path.unlink()
    assert changed_files(reference) == []


def test_a_histogram_that_was_taken_of_another_reading_is_told(tmp_path):
    path = write(tmp_path / "a_flair.nii.gz", (head() + 100).astype("int16"))
    former = ReferenceFile(path=str(path), hash=file_hash(path), values=(1.0, 2.0))
    said = {"dataset": "d", "subject": "a", "why": "", "lesion_masked": False}
    reference = Reference(**said, quantiles=(0.1, 0.9), files={"flair": former})
    assert changed_files(reference) == [path]
    today = former.model_copy(update={"reading": 2})
    assert changed_files(reference.model_copy(update={"files": {"flair": today}})) == []


def test_of_an_ordinary_scan_nothing_is_written_about_its_reading():
    file = ReferenceFile(path="a", hash="b", values=(1.0,))
    assert set(file.model_dump()) == {"path", "hash", "values"}
    assert file.model_copy(update={"reading": 2}).model_dump()["reading"] == 2
