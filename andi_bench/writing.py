"""Files of a leaderboard, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from andi_bench.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all; errors as :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made if absent.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
