"""Archives that can only be read from end to end: unpacked once, each file whole or not at all."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from datasets.names import NIFTI
from datasets.prepare.find.archive_members import is_hidden, shown, tar_refusal

_BROKEN = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_LISTING = "listing.json"


@dataclass
class Unpacked:
    """What an archive held.

    Parameters
    ----------
    origin : str
        The archive's name for messages.
    files : list of (name, path, size, stamp)
        Scans, and where each was unpacked to.
    others, problems : list of str
        Names of the other files; a line for each member that was refused, and for a broken archive.
    """

    origin: str
    files: list[tuple[str, Path, int, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def unpack(path: Path, member: str | None, folder: Path) -> Unpacked:
    """Unpack the scans of a tar, or return what an earlier call has listed.

    Parameters
    ----------
    path : Path
        A compressed tar, or an archive that holds one.
    member : str or None
        Name of the tar within ``path``; None: ``path`` is the tar.
    folder : Path
        Our own folder; the archive gets one of its own in it, named by a hash of name, size and time of change.

    Raises
    ------
    UserError
        When the archive cannot be read, or a file not be written for another reason than a full disk.
    OSError
        When the disk is full.
    """
    found = path.stat()
    key = f"{path.absolute()}|{member}|{found.st_size}|{found.st_mtime_ns}"
    place = folder / hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    origin = path.name if member is None else f"{path.name}: {member}"
    listing = place / _LISTING
    if listing.is_file():
        return _listed(listing, place, origin)
    out = Unpacked(origin)
    if member is not None and member.lower().endswith(".zip"):
        out.problems.append(
            f"'{shown(member)}' is a zip within an archive: unpack it and name the folder"
        )
        return out
    place.mkdir(parents=True, exist_ok=True)
    for left in place.glob(".*.partial"):  # of a killed command
        left.unlink()
    count = 0
    try:
        with _stream(path, member) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            for entry in archive:
                count += 1
                _take(archive, entry, count, place, found.st_mtime_ns, out)
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        inner = f"'{member}' in it is " if member is not None else ""
        out.problems.append(
            f"{inner}truncated or damaged after member {count} ({reason}): what stands before it is used"
        )
    content = {
        "files": [[name, file.name, size, stamp] for name, file, size, stamp in out.files],
        "others": out.others,
        "problems": out.problems,
    }
    write_atomically(listing, json.dumps(content).encode())
    return out


def _listed(listing: Path, place: Path, origin: str) -> Unpacked:
    try:
        content = json.loads(listing.read_text(encoding="utf-8"))
        files = [(name, place / file, size, stamp) for name, file, size, stamp in content["files"]]
        return Unpacked(origin, files, content["others"], content["problems"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{listing}: damaged; delete {place} to unpack it again") from error


@contextmanager
def _stream(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    if member is None:
        with path.open("rb") as file:
            yield file
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as outer, outer.open(member) as file:
            yield file
    else:
        with tarfile.open(path, "r:") as tar:
            inner = tar.extractfile(member)
            if inner is None:
                raise tarfile.ReadError(f"'{member}' is no file")
            yield inner


def _take(
    archive: tarfile.TarFile,
    entry: tarfile.TarInfo,
    number: int,
    place: Path,
    modified: int,
    out: Unpacked,
) -> None:
    reason = tar_refusal(entry)
    if reason is not None:
        out.problems.append(f"member '{shown(entry.name)}' {reason}: not unpacked")
        return
    if not entry.isreg() or is_hidden(entry.name):
        return
    ending = NIFTI.search(entry.name)
    if ending is None:
        out.others.append(entry.name)
        return
    target = place / f"{number}{ending[0].lower()}"
    if not (target.is_file() and target.stat().st_size == entry.size):
        content = archive.extractfile(entry)
        assert content is not None  # a regular member
        partial = place / f".{target.name}.partial"
        try:
            with partial.open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
            if partial.stat().st_size != entry.size:
                raise EOFError(f"'{entry.name}' ends early")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    out.files.append((entry.name, target, entry.size, f"{entry.size}-{entry.mtime}-{modified}"))
