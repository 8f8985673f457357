"""What lies in a folder of subjects and is not understood is refused or named, never dropped."""

from pathlib import Path

import pytest
from support.small_scans import write_subject

from andi_bench.errors import UserError
from datasets.adapters.folder import FolderAdapter


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for k in range(3):
        write_subject(tmp_path / "scans", f"S{k}", k)
    return tmp_path / "scans"


def adapter(root: Path) -> FolderAdapter:
    return FolderAdapter("folder", root)


@pytest.mark.parametrize("kind", ["seg", "flair", "t2"])
def test_a_link_to_nothing_is_refused_by_name(root: Path, kind: str) -> None:
    path = root / "S1" / f"S1_{kind}.nii.gz"
    path.unlink()
    path.symlink_to("../.git/annex/objects/gone")
    with pytest.raises(UserError, match=rf"subject S1: .*S1_{kind}.nii.gz: .*a link to nothing"):
        adapter(root).subjects()


def test_a_subject_of_dead_links_alone_or_a_dead_folder_is_no_absent_subject(root: Path) -> None:
    (root / "S9").mkdir()
    (root / "S9/S9_flair.nii.gz").symlink_to("gone")
    with pytest.raises(UserError, match="S9"):
        adapter(root).subjects()
    (root / "S9/S9_flair.nii.gz").unlink()
    (root / "S9").rmdir()
    (root / "S9").symlink_to("/raw/S9")
    with pytest.raises(UserError, match=r"S9: cannot be read \(a link to nothing\)"):
        adapter(root).subjects()


def test_lists_that_are_links_to_nothing_are_not_taken_for_none(root: Path) -> None:
    (root / "splits").mkdir()
    (root / "splits/scans_test.csv").symlink_to("gone.csv")
    with pytest.raises(UserError, match="scans_test.csv"):
        adapter(root).split()


def test_what_is_passed_over_is_named(root: Path) -> None:
    (root / "S0/S0_seg.nii.gz").rename(root / "S0/S0_lesionmask.nii.gz")
    (root / "S1/S1_brain.nii.gz").write_bytes((root / "S1/S1_seg.nii.gz").read_bytes())
    (root / "S1/._S1_seg.nii.gz").write_bytes(b"")
    (root / "S3").mkdir()
    (root / "S4_flair.nii.gz").write_bytes(b"")
    notes = "\n".join(adapter(root).notes())
    assert "S0_lesionmask.nii.gz: looks like a lesion mask and is not used: name it S0_seg" in notes
    assert "S3: passed over: no scan lies in it" in notes
    assert "1 scan lies in" in notes
    assert "S4_flair.nii.gz" in notes
    assert "brain" not in notes
    assert "._S1" not in notes


def test_a_file_that_the_sidecar_names_and_that_is_gone_is_refused(root: Path) -> None:
    (root / "S0/preparation.json").write_text(
        '{"subject": "S0", "person": "p", "files": {"mask": {"file": "S0_seg.nii.gz"}}}'
    )
    persons = {s.id: s.person for s in adapter(root).subjects()}
    assert persons == {"S0": "p", "S1": "S1", "S2": "S2"}
    (root / "S0/S0_seg.nii.gz").unlink()
    with pytest.raises(UserError, match=r"S0_seg.nii.gz: .*no such file.*is the mask"):
        adapter(root).subjects()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"person": 7, "files": {}}', "person: 7 found"),
        ('{"person": "p", "files": []}', "files: \\[\\] found"),
        ('{"person": "p", "files": {"mask": {}}}', "files.mask: the name of a file"),
        ('{"person": "p", "fi', "Unterminated string"),
    ],
)
def test_a_damaged_sidecar_is_not_passed_over(root: Path, text: str, reason: str) -> None:
    (root / "S0/preparation.json").write_text(text)
    with pytest.raises(UserError, match=rf"S0/preparation.json: damaged \({reason}"):
        adapter(root).subjects()


def test_a_damaged_marker_of_the_folder_is_refused_and_another_programs_is_not(root: Path) -> None:
    (root / "dataset.json").write_text('{"channel_names": {"0": "FLAIR"}}')
    assert len(adapter(root).subjects()) == 3
    (root / "dataset.json").write_text('{"format": "andi-be')
    with pytest.raises(UserError, match=r"dataset.json: damaged \(Unterminated string"):
        adapter(root).subjects()


def test_a_folder_without_any_mask_is_scored_whole(root: Path) -> None:
    for k in range(3):
        (root / f"S{k}/S{k}_seg.nii.gz").unlink()
    assert adapter(root).split().ids("test") == ["S0", "S1", "S2"]
