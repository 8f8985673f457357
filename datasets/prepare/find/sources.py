"""Scans wherever they lie as downloaded: in folders, tars, zips, and tars inside of these.

Nothing is ever written to a path that an archive names: a member is data with a name, and where it goes is this
project's choice. Links, devices and names that leave the folder are refused all the same, each by its name.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from andi_bench.errors import UserError
from datasets.names import ARCHIVE, NIFTI
from datasets.prepare.find.archive_members import (
    is_hidden,
    shown,
    tar_refusal,
    zip_refusal,
)
from datasets.prepare.find.unpacking import Unpacked, unpack
from datasets.prepare.found import SourceFile

_COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7")


@dataclass
class Finding:
    """What lies in the sources.

    Parameters
    ----------
    files : list of SourceFile
        Every file that is named as NIfTI.
    others : list of str
        Labels of the remaining files.
    problems : list of str
        One line each for what was refused or could not be read.
    """

    files: list[SourceFile] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_files(sources: Sequence[Path], unpacked: Path, skip: Path | None = None) -> Finding:
    """List the scans in folders and archives.

    Archives that can only be read from end to end (compressed tars, tars within archives) are unpacked on the way;
    a listing that is kept beside spares the second reading.

    Parameters
    ----------
    sources : sequence of Path
        Folders, archives, or scans.
    unpacked : Path
        Our own folder for what has to be unpacked.
    skip : Path or None
        A folder that is not looked into: the output, where it lies among the sources.

    Raises
    ------
    UserError
        For a source that does not exist or is nothing that can hold scans; OSError is left to the caller where
        the disk is full.
    """
    out = Finding()
    for source in sources:
        if source.is_dir():
            for name, path in _walk(source, skip):
                _take(path, name, out, unpacked)
        elif not source.exists():
            raise UserError(f"{source}: no such file or folder")
        elif NIFTI.search(source.name) or ARCHIVE.search(source.name):
            _take(source, source.name, out, unpacked)
        else:
            raise UserError(f"{source}: a folder, .tar, .tar.gz, .zip or .nii.gz file wanted")
    out.files.sort(key=lambda file: (file.name, file.origin, str(file.container)))
    return out


def _walk(folder: Path, skip: Path | None) -> Iterator[tuple[str, Path]]:
    seen: set[Path] = set()
    avoided = skip.resolve() if skip is not None else None
    for top, folders, names in os.walk(folder, followlinks=True):
        here = Path(top)
        real = here.resolve()
        if real in seen or real == avoided:  # a link that leads back, or the output
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = here / name
                yield path.relative_to(folder).as_posix(), path


def scans_in(folder: Path, skip: Path | None = None) -> list[Path]:
    """Return every file below a folder that is named as NIfTI; archives are not looked into.

    Parameters
    ----------
    folder : Path
        Where to look.
    skip : Path or None
        As for :func:`find_files`.
    """
    return [path for _, path in _walk(folder, skip) if NIFTI.search(path.name)]


def _take(path: Path, name: str, out: Finding, unpacked: Path) -> None:
    if ARCHIVE.search(path.name):
        _take_archive(path, out, unpacked)
        return
    if not NIFTI.search(path.name):
        out.others.append(str(path))
        return
    try:
        out.files.append(file_at(path, name))
    except UserError as error:
        out.problems.append(str(error))


def file_at(path: Path, name: str) -> SourceFile:
    """Return a scan that lies in a folder.

    Raises
    ------
    UserError
        When it cannot be read, or is no regular file.
    """
    try:
        found = path.stat()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError) and path.is_symlink()
        why = "a link to nothing" if gone else (error.strerror or str(error))
        raise UserError(f"{path}: cannot be read ({why})") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: not a regular file")
    stamp = f"{found.st_size}-{found.st_mtime_ns}"
    changed = f"{found.st_ctime_ns}-{found.st_ino}"
    place = path.absolute()
    return SourceFile(name, place, "file", found.st_size, stamp, changed=changed)


def _take_archive(path: Path, out: Finding, unpacked: Path) -> None:
    try:
        with path.open("rb") as file:
            first = file.read(2)
        if first == b"PK":
            _take_zip(path, out, unpacked)
        elif first in _COMPRESSED:
            _take_unpacked(unpack(path, None, unpacked), path, out)
        else:
            _take_tar(path, out, unpacked)
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        out.problems.append(f"{path}: no archive, or a damaged one ({error})")
    except EOFError as error:
        out.problems.append(f"{path}: truncated ({error})")


def _take_tar(path: Path, out: Finding, unpacked: Path) -> None:
    whole, modified = path.stat().st_size, path.stat().st_mtime_ns
    count = 0
    with tarfile.open(path, "r:") as archive:
        try:
            for member in archive:
                count += 1
                if not _is_scan(tar_refusal(member), member.name, path, out, file=member.isreg()):
                    continue
                if member.offset_data + member.size > whole:
                    raise tarfile.ReadError("unexpected end of data")
                if ARCHIVE.search(member.name):
                    _take_unpacked(unpack(path, member.name, unpacked), path, out)
                    continue
                stamp = f"{member.size}-{member.mtime}-{whole}-{modified}"
                where, start = path.absolute(), member.offset_data
                out.files.append(
                    SourceFile(member.name, where, "tar", member.size, stamp, path.name, start)
                )
        except tarfile.ReadError as error:
            out.problems.append(
                f"{path}: truncated or damaged after member {count} ({error}): what stands before it is used"
            )


def _take_zip(path: Path, out: Finding, unpacked: Path) -> None:
    modified = path.stat().st_mtime_ns
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            reason = zip_refusal(member)
            if member.is_dir() and reason is None:
                continue
            if not _is_scan(reason, member.filename, path, out, file=True):
                continue
            if ARCHIVE.search(member.filename):
                _take_unpacked(unpack(path, member.filename, unpacked), path, out)
                continue
            stamp = f"{member.file_size}-{member.CRC}-{modified}"
            out.files.append(
                SourceFile(
                    member.filename, path.absolute(), "zip", member.file_size, stamp, path.name
                )
            )


def _is_scan(reason: str | None, name: str, path: Path, out: Finding, *, file: bool) -> bool:
    """Sort a member: refused with a line, passed over in silence, or (True) a scan or an archive."""
    if reason is not None:
        out.problems.append(f"{path}: member '{shown(name)}' {reason}: not unpacked")
        return False
    if not file or is_hidden(name):
        return False
    if NIFTI.search(name) or ARCHIVE.search(name):
        return True
    out.others.append(f"{path.name}: {name}")
    return False


def _take_unpacked(found: Unpacked, path: Path, out: Finding) -> None:
    for name, file, size, stamp in found.files:
        out.files.append(SourceFile(name, file, "unpacked", size, stamp, found.origin))
    out.others += [f"{found.origin}: {name}" for name in found.others]
    out.problems += [f"{path}: {line}" for line in found.problems]
