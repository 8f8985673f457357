"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from andi_bench.errors import UserError

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What the system says where a file system has no symbolic links: FAT and exFAT, some network and FUSE mounts."""


def links_work(folder: Path) -> bool:
    """Whether symbolic links can be made in a folder: one is, and is taken away again.

    Raises
    ------
    OSError
        When the folder cannot be written at all.
    """
    trial = Path(tempfile.mkdtemp(prefix=".link-", dir=folder))
    try:
        (trial / "link").symlink_to("nowhere")
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return True


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name in a file's own folder; when the block ends well, what was written there becomes the file.

    A reader sees the old file or the new one, never a part; a kill leaves at most a hidden ``.partial`` file.

    Raises
    ------
    UserError
        When the folder cannot be made, or the file cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".partial", f".{path.name}.", path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all; text as UTF-8. Its folder is made if absent.

    Raises
    ------
    UserError
        When the folder cannot be made, or the file cannot be written.
    """
    with partial_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_PARTIAL, _STALE = ".partial-", ".stale-"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder to write in; when the block ends well, it takes the target's place.

    A kill leaves at most hidden folders, which :func:`sweep` takes away. If the block raises, nothing is left.

    Raises
    ------
    UserError
        When the folder cannot be made, written or put in place.
    """
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{target.name}-", dir=target.parent))
        yield partial
        partial.chmod(0o777 & ~_umask())  # mkdtemp makes private folders
        if target.exists():  # a folder cannot be renamed onto a full one
            stale = Path(tempfile.mkdtemp(prefix=f"{_STALE}{target.name}-", dir=target.parent))
            target.replace(stale / target.name)
            partial.replace(target)
            shutil.rmtree(stale, ignore_errors=True)
        else:
            partial.replace(target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder, and files so left in the folders in it.

    Only where no other process is at work.
    """
    if folder.is_dir():
        for left in [*folder.glob(f"{_PARTIAL}*"), *folder.glob(f"{_STALE}*")]:
            shutil.rmtree(left, ignore_errors=True)
        for file in [*folder.glob(".*.partial"), *folder.glob("*/.*.partial")]:
            if file.is_file() and not file.parent.is_symlink():
                file.unlink(missing_ok=True)
