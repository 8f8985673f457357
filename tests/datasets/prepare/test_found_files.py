"""A scan in what the user gave: read from where it lies, from its first byte to its last."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andi_bench.errors import UserError
from datasets.prepare.found import SourceFile

CONTENT = bytes(range(256)) * 40


def lying(folder: Path, kind: str, content: bytes = CONTENT) -> SourceFile:
    """Write a file in a folder or an archive of its own, and return what names it."""
    if kind in ("file", "unpacked"):
        path = folder / "A_t1.nii"
        path.write_bytes(content)
        origin = "" if kind == "file" else "all.tar.gz"
        return SourceFile("in/A_t1.nii", path, kind, len(content), "s", origin)
    path = folder / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/A_t1.nii", content)
        return SourceFile("in/A_t1.nii", path, "zip", len(content), "s", path.name)
    with tarfile.open(path, "w") as archive:
        for name in ("before", "in/A_t1.nii", "after"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with tarfile.open(path) as archive:
        start = archive.getmember("in/A_t1.nii").offset_data
    return SourceFile("in/A_t1.nii", path, "tar", len(content), "s", path.name, start)


KINDS = pytest.mark.parametrize("kind", ["file", "unpacked", "tar", "zip"])


@KINDS
def test_a_file_is_copied_byte_by_byte_from_wherever_it_lies(tmp_path, kind):
    lying(tmp_path, kind).copy(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT


@given(sizes=st.lists(st.integers(0, 700), max_size=20))
def test_a_member_of_a_tar_ends_where_it_ends(tmp_path_factory, sizes):
    found = lying(tmp_path_factory.mktemp("tar"), "tar")
    with found.open() as file:
        parts = [file.read(size) for size in sizes]
        assert b"".join([*parts, file.read()]) == CONTENT
        assert file.read() == file.read(5) == b""


@KINDS
def test_a_file_is_named_as_the_user_knows_it(tmp_path, kind):
    found = lying(tmp_path, kind)
    wanted = {
        "file": str(tmp_path / "A_t1.nii"),
        "unpacked": "all.tar.gz: in/A_t1.nii",
        "tar": "all.tar: in/A_t1.nii",
        "zip": "all.zip: in/A_t1.nii",
    }
    assert found.label == wanted[kind]
    assert found.path.name == "A_t1.nii"


@pytest.mark.parametrize("kind", ["file", "tar"])
def test_a_file_that_ends_early_is_refused(tmp_path, kind):
    found = lying(tmp_path, kind)
    found.container.write_bytes(found.container.read_bytes()[: found.offset + 100])
    with pytest.raises(UserError, match=rf"truncated \(100 bytes, {len(CONTENT)} wanted\)"):
        found.copy(tmp_path / "copy")


def test_a_member_that_is_damaged_in_its_archive_is_refused(tmp_path):
    found = lying(tmp_path, "zip")
    found.container.write_bytes(found.container.read_bytes().replace(CONTENT[:80], b"x" * 80, 1))
    with pytest.raises(UserError, match=r"all.zip: in/A_t1.nii: damaged in the archive"):
        found.copy(tmp_path / "copy")


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "copy").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        lying(tmp_path, "file").copy(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"mine"
