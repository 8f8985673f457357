"""``dataset.json``: what makes a folder a prepared data set of ours, as ``prepare`` leaves it and as ``run`` finds it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError, reason
from datasets.tables import there

__all__ = ["FORMAT", "MARKER", "read_marker", "require_written", "unfinished", "written_lists"]

MARKER = "dataset.json"
FORMAT = "andi-bench prepared scans"
_OURS = {"dataset", "recipe", "splits"}


def read_marker(root: Path) -> dict[str, Any] | None:
    """Read a folder's ``dataset.json``; None where there is none, or it is that of another program.

    Parameters
    ----------
    root : Path
        Folder of a data set.

    Raises
    ------
    UserError
        When it is no JSON, or ours and not whole: names what is wrong with it.
    """
    path = root / MARKER
    if not path.is_symlink() and not path.exists():
        return None
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _damaged(path, reason(error)) from error
    if not isinstance(found, dict) or not (found.get("format") == FORMAT or set(found) >= _OURS):
        return None
    wanted = {"format": FORMAT, "dataset": str, "recipe": dict, "splits": dict}
    for key, kind in wanted.items():
        value = found.get(key)
        if not (isinstance(value, kind) if isinstance(kind, type) else value == kind):
            raise _damaged(path, f"{key}: {json.dumps(value)} found")
    return found


def written_lists(root: Path) -> Collection[str] | None:
    """Return the names of the lists that ``prepare`` wrote into ``<root>/splits``, none where it has not come to its end.

    None of a folder that ``prepare`` did not make.

    Raises
    ------
    UserError
        As :func:`read_marker`.
    """
    found = read_marker(root)
    return None if found is None else tuple(found["splits"])


def require_written(splits: Path, names: Collection[str]) -> None:
    """Refuse a folder of lists that lacks one which was written there.

    Raises
    ------
    UserError
        Names the first that is gone.
    """
    for name in names:
        if not there(splits / name):
            raise UserError(
                f"{splits / name}: gone, and {MARKER} says that it was written: bring it back, 'prepare' the data set "
                "again, or name other lists by --splits"
            )


def unfinished(root: Path) -> UserError:
    """Return the error for a folder whose lists have not been written yet."""
    return UserError(
        f"{root}: its preparation has not come to its end ({MARKER} names no lists): the same 'prepare' again wanted, or "
        "--splits"
    )


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path}: damaged ({why}): bring it back; or delete it, and 'prepare' will want a new folder"
    )
