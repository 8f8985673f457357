"""What a former version made of a scan that is read otherwise today is made again; all else is kept."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from support.small_heads import head, write

from datasets.prepare.made_with import current_reading, noted, read_alike
from datasets.prepare.sidecar import Preparation, read_preparation
from datasets.scans.fingerprints import FingerprintCache
from datasets.scans.read_otherwise import READING

FORMER = Preparation(subject="a", person="a", files={})


@pytest.fixture
def ordinary(tmp_path):
    return write(tmp_path / "ordinary.nii.gz", head())


@pytest.fixture
def bright(tmp_path):
    return write(tmp_path / "bright.nii.gz", (head() + 100).astype(np.int16))


def test_images_of_ordinary_scans_are_kept_and_asked_once(ordinary, tmp_path):
    assert current_reading(FORMER, [ordinary], tmp_path)
    found = read_preparation(tmp_path)
    assert found == noted(FORMER)
    assert found.reading == READING
    ordinary.unlink()  # is not opened again
    assert current_reading(found, [ordinary], tmp_path)


def test_images_of_a_scan_that_is_read_otherwise_are_not_kept(ordinary, bright, tmp_path):
    assert not current_reading(FORMER, [ordinary, bright], tmp_path)
    assert read_preparation(tmp_path) is None
    assert current_reading(noted(FORMER), [bright], tmp_path)


def test_of_a_source_that_is_gone_nothing_can_be_said(ordinary):
    assert not read_alike(FORMER, [ordinary, None], FingerprintCache())


def _prepared_with_a_brain_mask(cli, folder, add):
    """Prepare two subjects, one of them with another background, as a former version would have left them."""
    for k, name in enumerate("AB"):
        image = head(seed=k)
        write(
            folder / "raw" / name / f"{name}_flair.nii.gz",
            (image + (add if k else 0)).astype(np.int16),
        )
        write(folder / "raw" / name / f"{name}_brain.nii.gz", (image > 0).astype(np.uint8))
        write(folder / "raw" / name / f"{name}_seg.nii.gz", (image > 600).astype(np.uint8))
    pattern = "{subject}/{subject}_{modality}.nii.gz"
    command = f"prepare folder {folder / 'raw'} --output {folder / 'out'} --pattern {pattern}"
    answer = cli(command, "--modality", "mask=seg")
    assert answer.code in (0, 1), answer.err
    return command, answer


def test_prepare_folder_strips_again_what_was_read_otherwise(cli, tmp_path):
    command, first = _prepared_with_a_brain_mask(cli, tmp_path, 100)
    assert "2 subjects" in first.out, first.err
    images = {n: tmp_path / "out" / n / f"{n}_flair.nii.gz" for n in "AB"}
    good = {name: np.asarray(nib.load(path).dataobj) for name, path in images.items()}
    for path in images.values():
        before = read_preparation(path.parent)
        assert before.versions == {"reading": "2"}
        before.model_copy(update={"versions": {}}).write(path.parent)
    times = {name: path.stat().st_mtime_ns for name, path in images.items()}
    again = cli(command, "--modality", "mask=seg")
    assert "(1 of them before)" in again.out
    assert images["A"].stat().st_mtime_ns == times["A"]
    assert images["B"].stat().st_mtime_ns != times["B"]
    assert all(np.array_equal(np.asarray(nib.load(images[n]).dataobj), good[n]) for n in "AB")
    assert all(read_preparation(path.parent).reading == READING for path in images.values())
    assert "other columns" not in again.err
    assert "(2 of them before)" in cli(command, "--modality", "mask=seg").out
