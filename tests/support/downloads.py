"""Small data sets as they are downloaded: in folders, tars and zips, sound or damaged."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.small_scans import write_subject


def brats(folder: Path, count: int = 4, first: int = 0) -> Path:
    """Write subjects in the layout of BraTS 2021, nested as in the tar; the last one has no lesion."""
    inner = folder / "BraTS2021_Training_Data"
    for k in range(first, first + count):
        write_subject(inner, f"BraTS2021_{k:05d}", k, lesion=k != first + count - 1)
    return inner


def tar_of(folder: Path, path: Path, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        archive.add(folder, "./")
    return path


def zip_of(paths: Iterable[Path], root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in paths:
            archive.write(entry, entry.relative_to(root))
    return path


def member(archive: tarfile.TarFile, name: str, content: bytes, **changes: object) -> None:
    """Add a member under whatever name, of whatever kind."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in changes.items():
        setattr(entry, key, value)
    archive.addfile(entry, io.BytesIO(content))


def tree(root: Path) -> dict[str, str]:
    """Return a hash of every file below a folder, and the target of every link."""
    out = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            out[name] = f"-> {path.readlink()}"
        elif path.is_file() and name != ".lock":
            out[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the report's pictures out: drawing takes most of the time of a small preparation."""
    from datasets.prepare.report import report_figures

    monkeypatch.setattr(report_figures, "lesions", lambda prepared, part_of: b"")
    monkeypatch.setattr(report_figures, "intensities", lambda prepared: b"")
    monkeypatch.setattr(report_figures, "examples", lambda prepared, output: None)
