"""One process at a time in a folder, so that two runs can share a workspace."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError


@contextmanager
def exclusive(folder: Path, console: Console) -> Iterator[None]:
    """Hold a folder while the block runs; wait, and say so, while another process holds it.

    The lock ends with the process, however it ends.

    Raises
    ------
    UserError
        When the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.note(f"{folder}: in use by another run, waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
