"""A reference of histogram matching is known by the bytes of its files."""

from __future__ import annotations

from datasets.prepare.histogram.match_step import changed_files
from datasets.prepare.sidecar import MaskFile, Reference, ReferenceFile
from datasets.scans.fingerprints import file_hash


def test_a_reference_whose_file_changed_is_told_and_one_that_is_not_there_says_nothing(tmp_path):
    path = tmp_path / "a_flair.nii.gz"
    path.write_bytes(b"before")
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
    path.write_bytes(b"after!")
    assert changed_files(reference) == [path]
    mask.write_bytes(b"mended")
    assert changed_files(reference) == [path, mask]
    mask.unlink()
    path.unlink()
    assert changed_files(reference) == []
