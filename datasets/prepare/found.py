"""What was found in the sources: files, the subjects they make, and what is wrong with them."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from andi_bench.errors import UserError


@dataclass(frozen=True)
class SourceFile:
    """One scan in what the user gave.

    Parameters
    ----------
    name : str
        Its path within the folder or archive, with "/".
    container : Path
        The file itself; for ``tar`` and ``zip`` the archive that holds it.
    kind : str
        ``file``; ``tar`` or ``zip``: read out of the container; ``unpacked``: a file of our own, from an archive
        that can only be read from end to end.
    size : int
        Bytes.
    stamp : str
        Changes when the file does.
    origin : str
        The archive's name, "" for a file in a folder.
    offset : int
        Where a ``tar`` member's bytes begin.
    changed : str
        When the system last changed anything about a ``file``: another one of the same size, put there with the same
        time, is noticed by it. "" where that is not known.
    """

    name: str
    container: Path
    kind: Literal["file", "tar", "zip", "unpacked"]
    size: int
    stamp: str
    origin: str = ""
    offset: int = 0
    changed: str = ""

    @property
    def label(self) -> str:
        """Name for messages: the path, or ``archive: member``."""
        return f"{self.origin}: {self.name}" if self.origin else str(self.container)

    @property
    def path(self) -> PurePosixPath:
        """The path within the folder or archive."""
        return PurePosixPath(self.name)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading, from its first byte to its last.

        Raises
        ------
        OSError, zipfile.BadZipFile
            When it cannot be read.
        """
        if self.kind == "zip":
            with zipfile.ZipFile(self.container) as archive, archive.open(self.name) as file:
                yield file
            return
        with self.container.open("rb") as file:
            if self.kind == "tar":
                file.seek(self.offset)
                yield _Window(file, self.size)  # type: ignore[misc]
            else:
                yield file

    def copy(self, target: Path) -> None:
        """Write its bytes to a new file and flush them to the disk.

        Raises
        ------
        UserError
            When the source ends early.
        OSError
            When it cannot be read or the target not be written.
        """
        with self.open() as source, target.open("xb") as file:
            try:
                shutil.copyfileobj(source, file, 1 << 20)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise UserError(f"{self.label}: damaged in the archive ({error})") from error
            written = file.tell()
            file.flush()
            os.fsync(file.fileno())
        if written != self.size:
            raise UserError(f"{self.label}: truncated ({written} bytes, {self.size} wanted)")


class _Window:
    """The next so many bytes of a file, and no further."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._file.read(wanted)
        self._left -= len(found)
        return found


@dataclass(frozen=True)
class Incoming:
    """A subject as found in the sources.

    Parameters
    ----------
    id : str
        Its name in the data set.
    files : dict of str to SourceFile
        By modality, ``mask`` and ``brain``.
    person : str
        Who it is: several scans of one person never stand in different parts of a split.
    attributes : dict of str to str
        Further columns of the split's CSV.
    healthy : bool
        Known to have no lesion, so that an absent mask is an empty one.
    part : str
        train, val or test where the user says so, else "".
    warnings : tuple of str
        What was noticed on the way.
    """

    id: str
    files: dict[str, SourceFile]
    person: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    healthy: bool = False
    part: str = ""
    warnings: tuple[str, ...] = ()


@dataclass
class Gathered:
    """Subjects found in the sources.

    Parameters
    ----------
    subjects : list of Incoming
        Sorted by id.
    problems : list of str
        One line each for files that belong to no subject that can be used; any makes the command fail.
    notes : list of str
        What is worth knowing and no fault.
    """

    subjects: list[Incoming] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
