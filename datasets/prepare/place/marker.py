"""``dataset.json`` as ``prepare`` writes it: which folder is its own, and with which options it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from andi_bench.errors import UserError
from andi_bench.files import write_atomically
from datasets.prepared_root import FORMAT, MARKER, read_marker


def claim(output: Path, dataset: str, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Make a folder ours, or find that it is; return what its marker says.

    Parameters
    ----------
    output : Path
        Folder of the prepared data set; made if need be.
    dataset : str
        Its name.
    recipe : mapping
        The options that make two preparations of the same files differ.

    Raises
    ------
    UserError
        When it holds something else, was prepared with other options, or its marker is damaged.
    """
    path = output / MARKER
    wanted = {"format": FORMAT, "dataset": dataset, "recipe": recipe, "splits": {}}
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: a file: a folder wanted")
    if not path.exists():
        _require_empty(output)
        write_marker(output, wanted)
        return wanted
    found = read_marker(output)
    if found is None:
        raise UserError(f"{path}: not this command's: a new or an empty folder wanted")
    for key in ("dataset", "recipe"):
        if found.get(key) != wanted[key]:
            raise UserError(
                f"{output}: prepared with other options ({_difference(found.get(key), wanted[key])}): the same "
                "ones, or another folder, wanted"
            )
    return found


def write_marker(output: Path, content: Mapping[str, Any]) -> None:
    """Write ``dataset.json``, atomically.

    Raises
    ------
    UserError
        When it cannot be written.
    """
    write_atomically(output / MARKER, (json.dumps(content, indent=1) + "\n").encode())


def _require_empty(output: Path) -> None:
    entries = output.iterdir() if output.exists() else ()
    others = sorted(path.name for path in entries if path.name != ".lock")
    if others:
        raise UserError(
            f"{output}: holds '{others[0]}' and no {MARKER}, so it is left alone: a new or an empty "
            "folder wanted"
        )


def _difference(found: Any, wanted: Any) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in wanted:
            if found.get(key) != wanted[key]:
                return f"{key} {json.dumps(found.get(key))}, now {json.dumps(wanted[key])}"
    return f"{found}, now {wanted}"
