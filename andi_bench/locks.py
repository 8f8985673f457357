"""One process at a time in a folder, so that two runs can share a workspace."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from andi_bench.console import Console
from andi_bench.errors import UserError

LOCK = ".lock"
"""The file in a folder that is locked; it stays there, empty."""
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What the system says where a file system offers no ``flock``: Lustre without ``-o flock``, some FUSE and NFS."""


@contextmanager
def exclusive(folder: Path, console: Console | None = None) -> Iterator[None]:
    """Hold a folder while the block runs; wait, and say so, while another process holds it.

    The lock ends with the process, however it ends. On a file system that offers no locks the block runs without one,
    and a note says so: a file that stands for a lock would stay after a kill, and stop every later command.

    Parameters
    ----------
    folder : Path
        Made if absent.
    console : Console or None
        Told when there is something to wait for, and when nothing is locked.

    Raises
    ------
    UserError
        When the folder cannot be made or written.
    """
    lock = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _lockable(folder / LOCK):
            lock = _acquired(folder, console)
        elif console is not None:
            console.note(
                f"{folder}: its file system has no locks (flock), so nothing is locked: do not run two commands "
                "on one folder at a time"
            )
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _acquired(folder: Path, console: Console | None) -> BaseFileLock:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if console is not None:
            console.note(f"{folder}: in use by another run, waiting for it")
        lock.acquire()
    return lock


def _lockable(path: Path) -> bool:
    """Whether the file system of a file knows ``flock``: tried, and given back at once."""
    try:
        import fcntl
    except ImportError:  # Windows, whose locks always work
        return True
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(handle, fcntl.LOCK_UN)
    except OSError as error:
        return error.errno not in NO_LOCKS
    finally:
        os.close(handle)
    return True
