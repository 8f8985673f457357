"""One process at a time in a folder, so that two runs can share a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from andi_bench.console import Console
from andi_bench.errors import UserError

LOCK = ".lock"
"""The file in a folder that is locked; it stays there, empty."""


@contextmanager
def exclusive(folder: Path, console: Console | None = None) -> Iterator[None]:
    """Hold a folder while the block runs; wait, and say so, while another process holds it.

    The lock ends with the process, however it ends.

    Parameters
    ----------
    folder : Path
        Made if absent.
    console : Console or None
        Told when there is something to wait for.

    Raises
    ------
    UserError
        When the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if console is not None:
                console.note(f"{folder}: in use by another run, waiting for it")
            lock.acquire()
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield
    finally:
        lock.release()
