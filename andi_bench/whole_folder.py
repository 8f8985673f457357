"""A subject's folder appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from andi_bench.errors import UserError

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
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o777 & ~mask)  # mkdtemp makes private folders
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
    """Remove what a killed process left half-written; only where no other one is at work."""
    if folder.is_dir():
        for left in [*folder.glob(f"{_PARTIAL}*"), *folder.glob(f"{_STALE}*")]:
            shutil.rmtree(left, ignore_errors=True)
