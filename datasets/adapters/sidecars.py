"""What a prepared folder's sidecar says of a subject: its person, and the files that ought to be there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andi_bench.config import validated
from andi_bench.errors import UserError
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
        When the sidecar cannot be read, or names a file that is not there.
    """
    for name in NAMES:
        path = folder / name
        if not path.is_symlink() and not path.exists():
            continue
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{path}: damaged ({reason}): prepare {folder.name} again, or delete it"
            ) from error
        if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
            continue  # of a former version, which names no files; or not ours
        return _checked(content, path)
    return Said()


def _checked(content: dict[str, Any], path: Path) -> Said:
    files = {}
    for kind, entry in content["files"].items():
        file = entry.get("file") if isinstance(entry, dict) else None
        if not isinstance(file, str):
            continue
        files[str(kind)] = file
        there = path.parent / file
        if not there.exists():
            why = "a link to nothing" if there.is_symlink() else "no such file"
            raise UserError(
                f"subject {path.parent.name}: {there}: cannot be read ({why}): {path.name} says that it is the "
                f"{kind}: bring it back, or prepare the subject again"
            )
    person = content.get("person")
    labels = content.get("labels")
    if labels is not None:
        validated(LesionRule, labels, str(path), "labels.")
    return Said(person if isinstance(person, str) else "", files, labels)
