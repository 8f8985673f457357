"""A folder of exported maps is one run's: nothing in it is ever taken for another's, or written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from andi_bench.errors import UserError
from benchmark.scoring.export_folder import MANIFEST, ExportFolder


def folder(path: Path, owner: str = "ae, seed 0, folder", run: str = "r") -> ExportFolder:
    return ExportFolder(path / "maps", owner, run)


def put(export: ExportFolder, stamp: str, content: bytes, name: str = "S06.nii.gz") -> None:
    export.put(name, stamp, lambda path: path.write_bytes(content) and None)


def test_a_map_is_found_by_what_it_was_made_from(tmp_path):
    folder(tmp_path).claim()
    put(folder(tmp_path), "before", b"map")
    assert folder(tmp_path).holds("S06.nii.gz", "before")
    assert not folder(tmp_path).holds("S06.nii.gz", "after")
    put(folder(tmp_path), "after", b"other map")
    assert folder(tmp_path).holds("S06.nii.gz", "after")
    assert not folder(tmp_path).holds("S06.nii.gz", "before")
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == ["S06.nii.gz", MANIFEST]


def test_another_methods_folder_is_refused_before_work(tmp_path):
    folder(tmp_path).claim()
    with pytest.raises(UserError, match="holds maps of ae, seed 0, folder: another folder"):
        folder(tmp_path, "vae, seed 0, folder").require_free([])


def test_the_same_method_with_other_settings_is_refused(tmp_path):
    folder(tmp_path).claim()
    folder(tmp_path).claim()
    with pytest.raises(UserError, match="with other settings"):
        folder(tmp_path, run="s").claim()


def test_a_file_that_is_not_ours_is_refused_by_name(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "S06.nii.gz").write_bytes(b"the user's own")
    folder(tmp_path).require_free(["S07.nii.gz"])
    with pytest.raises(UserError, match=r"S06\.nii\.gz: is there, and is not what this command"):
        folder(tmp_path).require_free(["S06.nii.gz"])


def test_a_file_that_was_changed_since_is_refused_by_name(tmp_path):
    folder(tmp_path).claim()
    put(folder(tmp_path), "a", b"map")
    folder(tmp_path).require_free(["S06.nii.gz"])
    (tmp_path / "maps" / "S06.nii.gz").write_bytes(b"edited")
    with pytest.raises(UserError, match=r"S06\.nii\.gz"):
        folder(tmp_path).require_free(["S06.nii.gz"])


def test_what_a_kill_left_is_written_again(tmp_path):
    folder(tmp_path).claim()

    def killed(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder(tmp_path).put("S06.nii.gz", "a", killed)
    with (tmp_path / "maps" / MANIFEST).open("a") as file:
        file.write('{"file": "S06.nii.gz", "sta')
    assert not folder(tmp_path).holds("S06.nii.gz", "a")
    folder(tmp_path).require_free(["S06.nii.gz"])


def test_a_manifest_of_something_else_is_refused(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / MANIFEST).write_text('{"mine": 1}\n')
    with pytest.raises(UserError, match="not what exported maps are listed in"):
        folder(tmp_path).require_free([])
