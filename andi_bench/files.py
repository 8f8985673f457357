"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from andi_bench.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its own folder, then rename it.

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
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
