"""What a prepared folder's sidecar says of a subject: its person, and the files that ought to be there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.config import validated
from andi_bench.errors import UserError, reason
from datasets.scans.lesion_mask import LesionRule

NAMES = ("preparation.json", "prepared.json")
"""Today's sidecar, and that of former versions."""


@dataclass(frozen=True)
class Said:
    """What a sidecar says.

    Parameters
    ----------
    person : str
        Whose scan it is, "" where it is not said.
    files : dict of str to str
        Name of each prepared file, by kind.
    labels : dict or None
        What the mask's values mean, fields of :class:`datasets.scans.lesion_mask.LesionRule`; None where it is not said.
    """

    person: str = ""
    files: dict[str, str] | None = None
    labels: dict[str, Any] | None = None


def read_said(folder: Path) -> Said:
    """Read a subject's sidecar, if there is one; a file that it names and that is gone is refused.

    Parameters
    ----------
    folder : Path
        The subject's.

    Raises
    ------
    UserError
        When the sidecar cannot be read or is not whole, or names a file that is not there.
    """
    for name in NAMES:
        path = folder / name
        if not path.is_symlink() and not path.exists():
            continue
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(path, reason(error)) from error
        if not isinstance(content, dict) or "files" not in content:
            continue  # of a former version, which names no files; or not ours
        return _checked(content, path)
    return Said()


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path}: damaged ({what}): prepare {path.parent.name} again, or delete it")


def _checked(content: dict[str, Any], path: Path) -> Said:
    person, listed = content.get("person", ""), content["files"]
    if not isinstance(person, str):
        raise _damaged(path, f"person: {json.dumps(person)} found, a name wanted")
    if not isinstance(listed, dict):
        raise _damaged(path, f"files: {json.dumps(listed)} found, a file a kind wanted")
    files = {}
    for kind, entry in listed.items():
        file = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(file, str):
            raise _damaged(path, f"files.{kind}: the name of a file wanted")
        files[str(kind)] = file
        there = path.parent / file
        if not there.exists():
            why = "a link to nothing" if there.is_symlink() else "no such file"
            raise UserError(
                f"subject {path.parent.name}: {there}: cannot be read ({why}): {path.name} says that it is the "
                f"{kind}: bring it back, or prepare the subject again"
            )
    labels = content.get("labels")
    if labels is not None:
        validated(LesionRule, labels, str(path), "labels.")
    return Said(person, files, labels)
