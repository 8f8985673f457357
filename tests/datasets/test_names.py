"""The words in file names mean the same wherever a file is known by its name."""

import pytest

from datasets import names
from datasets.volume import MODALITIES


def test_every_word_stands_for_a_kind():
    for words in (names.BRATS, names.SYNONYMS, names.BIDS):
        assert set(words.values()) <= set(names.KINDS)
    assert set(names.BRATS.items()) <= set(names.SYNONYMS.items())
    assert set(names.SHIFTS.values()) == {*MODALITIES, names.MASK, "pd", names.FOREGROUND}


@pytest.mark.parametrize("word", [*names.BRATS, *(word.upper() for word in names.BRATS)])
@pytest.mark.parametrize("sign", "_-")
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".NII.GZ"])
def test_a_brats_file_is_known_by_its_last_word(word, sign, ending):
    assert names.brats_kind(f"A-1{sign}{word}{ending}", "A-1") == names.BRATS[word.lower()]
    assert names.brats_kind(f"B{sign}{word}{ending}", "A-1") is None


@pytest.mark.parametrize("kind", names.KINDS)
def test_what_is_written_is_recognised(kind):
    stem = names.file_stem("A", kind)
    if kind != names.BRAIN:
        assert names.brats_kind(f"{stem}.nii.gz", "A") == kind


def test_shifts_files_have_a_number_and_a_kind():
    assert names.shifts_kind("7_FLAIR_isovox.nii.gz") == ("7", "flair")
    assert names.shifts_kind("7_gt_isovox.nii.gz") == ("7", "mask")
    assert names.shifts_kind("7_isovox_fg_mask.nii.gz") == ("7", "fg_mask")
    assert names.shifts_kind("7_gt_indiv1_isovox.nii.gz") is None
    assert names.shifts_kind("A_flair.nii.gz") is None
